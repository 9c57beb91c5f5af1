package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/internal/fault"
)

// join makes the process one of the nodes over the store, if there can be
// several. One without an address is a tool: it holds what it claims, and no
// requests are forwarded to it.
func (b *backend) join(ctx context.Context, cfg *config.Config, address string, log *slog.Logger) error {
	if b.store.ledger == nil {
		return nil
	}
	joined := make(chan struct{})
	o := cluster.Options{
		Ledger: b.store.ledger, Address: address, Term: cfg.LeaseTerm, Logger: log,
		Exists: b.exists, Lost: telling(joined, b.surrender, log),
	}
	if address != "" {
		o.Taken = telling(joined, b.wake, log)
	}
	var err error
	if b.cluster, err = cluster.Join(ctx, o); err != nil {
		return err
	}
	close(joined)
	return nil
}

// telling makes a callback of the cluster, which waits until the backend knows
// the cluster, and logs what goes wrong.
func telling(joined <-chan struct{}, what func(context.Context, string) error, log *slog.Logger) func(context.Context, string) {
	return func(ctx context.Context, workspace string) {
		<-joined
		if err := what(ctx, workspace); err != nil && ctx.Err() == nil {
			log.Warn("a workspace has changed hands", "workspace", workspace, "err", err)
		}
	}
}

// surrender a workspace that is not held any more.
func (b *backend) surrender(ctx context.Context, workspace string) error {
	return b.engine.Surrender(ctx, workspace)
}

// exists says whether there is a workspace.
func (b *backend) exists(ctx context.Context, workspace string) (bool, error) {
	head, err := b.store.Head(ctx, workspace)
	return head.Number > 0, err
}

// wake loads a workspace, so that its followers work.
func (b *backend) wake(ctx context.Context, name string) error {
	w, err := b.engine.Open(ctx, name)
	if err != nil {
		return err
	}
	_, err = w.Head(ctx)
	return err
}

// tenure is the node's of a workspace. Before it is a node it holds none.
func (b *backend) tenure(workspace string) uint64 {
	if b.cluster == nil {
		return 0
	}
	return b.cluster.Tenure(workspace)
}

// confirm asks the ledger for it.
func (b *backend) confirm(ctx context.Context, workspace string) (uint64, error) {
	if b.cluster == nil {
		return 0, nil
	}
	return b.cluster.Confirm(ctx, workspace)
}

// evicted gives an idle workspace to whoever is asked for it next.
func (b *backend) evicted(log *slog.Logger) func(workspace string) {
	return func(workspace string) {
		b.releases.Go(func() { // the engine waits for nobody here
			err := b.cluster.Release(context.Background(), workspace)
			if err != nil && !errors.Is(err, cluster.ErrLeft) {
				log.Warn("release an idle workspace", "workspace", workspace, "err", err)
			}
		})
	}
}

// leave hands everything over to the other nodes: when the engine is closed,
// so that they find what it saved.
func (b *backend) leave(ctx context.Context) error {
	if b.cluster == nil {
		return nil
	}
	err := b.cluster.Leave(ctx)
	b.releases.Wait()
	return err
}

// claim sees to it that this process may write to the workspace, which need
// not exist yet. The error tells that it may not.
func (b *backend) claim(ctx context.Context, workspace string) error {
	if b.cluster == nil {
		return nil
	}
	address, err := b.cluster.Claim(ctx, workspace)
	if err != nil {
		return fmt.Errorf("claim workspace %s: %w", workspace, err)
	}
	if address != "" {
		return fmt.Errorf("claim workspace %s: %w (at %s)", workspace, errServed, address)
	}
	return nil
}

// errServed: another node has the workspace.
var errServed = errors.New("a server that runs has it")

// unless makes what several nodes that start at once all find missing, exactly
// once: the one that gets hold of the workspace does it, the others wait until
// it is there.
func (b *backend) unless(ctx context.Context, there func(context.Context) (bool, error), workspace string, do func(context.Context) error) error {
	for {
		if ok, err := there(ctx); ok || err != nil {
			return err
		}
		err := b.claim(ctx, workspace)
		if err == nil {
			err = do(ctx)
		}
		passes := fault.Is(err, fault.ValueTaken) || fault.Is(err, fault.Unavailable) || // somebody else was about it
			errors.Is(err, errServed) || errors.Is(err, cluster.ErrAway) || errors.Is(err, cluster.ErrUncertain)
		if b.cluster == nil || !passes {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(lookAgain):
		}
	}
}

// lookAgain is how often a node looks whether another one is done.
const lookAgain = 200 * time.Millisecond

// gauges are the backend's values for /metrics.
func (b *backend) gauges() map[string]float64 {
	out := map[string]float64{"lists_behind_commits": float64(b.store.behind())}
	if b.cluster != nil {
		s := b.cluster.Stats()
		out["cluster_seats_held"] = float64(s.Seats)
		out["cluster_nodes_seen"] = float64(s.Nodes)
		out["cluster_beats_failed"] = float64(s.FailedBeats)
	}
	return out
}
