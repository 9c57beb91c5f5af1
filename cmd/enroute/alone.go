package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// alone is a store on which this process works and nobody else does: by the
// lock of a data folder, or by the seats of a database's workspaces.
type alone struct {
	sync.Store
	place   place
	nodes   *cluster.Cluster // nil: a folder, which is locked as a whole
	claimed []string
	lost    context.CancelCauseFunc
	term    time.Duration
	log     *slog.Logger
}

// errLostSeat ends what a tool does when others may work on the workspace.
var errLostSeat = errors.New("the database was out of reach for so long that others may have begun to serve the workspace; run this again")

// openAlone opens a place. The context that it gives ends when others may
// begin to work there; its cause tells.
func openAlone(ctx context.Context, p place, cfg *config.Config, registry *sync.Registry, log *slog.Logger) (*alone, context.Context, error) {
	store, err := openStore(ctx, p.settings(cfg), registry, log, func(error) {})
	if errors.Is(err, sqlite.ErrInUse) {
		err = fmt.Errorf("%w; stop the server first", err)
	}
	if err != nil {
		return nil, nil, err
	}
	ctx, lost := context.WithCancelCause(ctx)
	a := &alone{Store: store, place: p, lost: lost, term: cfg.LeaseTerm, log: log}
	if store.ledger != nil {
		if a.nodes, err = a.join(ctx, store.ledger); err != nil {
			return nil, nil, errors.Join(err, a.Close())
		}
	}
	return a, ctx, nil
}

// join the nodes as one to which no requests can be sent.
func (a *alone) join(ctx context.Context, ledger cluster.Ledger) (*cluster.Cluster, error) {
	return cluster.Join(ctx, cluster.Options{
		Ledger: ledger, Term: a.term, Logger: a.log,
		Lost: func(context.Context, string) { a.lost(errLostSeat) },
	})
}

// claim workspaces, also such as do not exist yet. A node that has died is
// waited for; one that lives is not.
func (a *alone) claim(ctx context.Context, names ...string) error {
	if a.nodes == nil {
		return nil
	}
	deadline := time.NewTimer(a.term * 3 / 2) // until a node that died is known to have
	defer deadline.Stop()
	tick := time.NewTicker(a.term / 20)
	defer tick.Stop()
	for i := 0; i < len(names); {
		why := a.take(ctx, names[i])
		if why == nil {
			a.claimed = append(a.claimed, names[i])
			i++
			continue
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return why
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// take one seat, or say who has it.
func (a *alone) take(ctx context.Context, name string) error {
	address, err := a.nodes.Claim(ctx, name)
	switch {
	case err != nil:
		return fmt.Errorf("workspace %s: %w", name, err)
	case address != "":
		return fmt.Errorf("workspace %s is served by the node at %s; stop the servers first", name, address)
	case !a.nodes.Held(name):
		return fmt.Errorf("workspace %s: %w", name, cluster.ErrUncertain)
	}
	return nil
}

// Close hands over to whoever comes, and closes the store.
func (a *alone) Close() error {
	a.lost(nil)
	var left error
	if a.nodes != nil {
		left = a.leave()
	}
	return errors.Join(left, a.Store.Close())
}

// leave every workspace to the node that is asked for it first. Without that
// all of them would fall to the first node that starts, which would load them.
func (a *alone) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), a.term)
	defer cancel()
	for _, name := range a.claimed {
		if err := a.nodes.Release(ctx, name); err != nil {
			a.log.Warn("give a workspace back", "workspace", name, "err", err)
			break // leaving gives back all that are left
		}
	}
	return a.nodes.Leave(ctx)
}

// told is an error of work under a context that openAlone gave, with the
// reason if that has ended.
func told(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errLostSeat) {
		return errLostSeat
	}
	return err
}
