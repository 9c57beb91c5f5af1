package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	stdsync "sync"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/tasks"
)

// newRegistry lists the kinds of documents this program knows.
func newRegistry() (*sync.Registry, error) {
	r, err := sync.NewRegistry(slices.Concat(company.Kinds(), clients.Kinds(), tasks.Kinds(), auth.Kinds())...)
	if err != nil {
		return nil, fmt.Errorf("register kinds: %w", err)
	}
	return r, nil
}

// backend is everything of the server but the part that listens: what serve
// and the commands that work on a store share.
type backend struct {
	registry *sync.Registry
	store    *storage
	engine   *sync.Engine
	cluster  *cluster.Cluster  // nil: no other process has the store
	releases stdsync.WaitGroup // of idle workspaces
	auth     *auth.Service
	receipts *tasks.Receipts
	failed   <-chan error                  // gives the error after which only a new start helps
	stops    []func(context.Context) error // in the order of starting
}

// openBackend starts it, as the node with that address ("" is none) if there
// can be several. What was started is stopped again if something fails.
func openBackend(ctx context.Context, cfg *config.Config, address string, clock func() time.Time, log *slog.Logger) (*backend, error) {
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1) // it is called once
	store, err := openStore(ctx, cfg, registry, log, func(err error) { failed <- err })
	if err != nil {
		return nil, err
	}
	b := &backend{registry: registry, store: store, failed: failed}
	b.onStop(func(context.Context) error { return store.Close() })
	b.onStop(b.leave)
	o := sync.Options{
		Store: store, Registry: registry, Clock: clock, Logger: log,
		BodyCache: cfg.BodyCache, IdleAfter: cfg.IdleAfter,
		Presented: func(workspace string, actor sync.Actor, number uint64) {
			b.receipts.Presented(workspace, actor, number)
		},
	}
	if store.ledger != nil {
		o.Tenure, o.Confirm, o.Evicted = b.tenure, b.confirm, b.evicted(log)
	}
	b.engine = sync.New(o)
	b.onStop(b.engine.Close)
	b.receipts = tasks.NewReceipts(b.engine, clock, log)
	b.onStop(b.receipts.Stop)
	b.auth = auth.New(auth.Options{
		Engine: b.engine, Clock: clock, Logger: log, Lifetime: cfg.TokenLifetime,
		Limits: auth.Limits{
			AccountFailures: cfg.SignInFailures, AddressFailures: cfg.SignInAddressFailures, Window: cfg.SignInFailureWindow,
		},
	})
	b.onStop(b.auth.Close)
	if err := b.join(ctx, cfg, address, log); err != nil { // last: from here on it may be given workspaces
		return nil, b.stopAfter(ctx, cfg.ShutdownGrace, err)
	}
	return b, nil
}

func (b *backend) onStop(stop func(context.Context) error) { b.stops = append(b.stops, stop) }

// stop ends everything, the last started first, each however the others fare.
// A second stop does nothing.
func (b *backend) stop(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(b.stops) {
		errs = append(errs, stop(ctx))
	}
	b.stops = nil
	return errors.Join(errs...)
}

// stopAfter stops even though ctx may be done, and joins what goes wrong with
// err. Each step has the grace for itself: a request that does not end must
// not take from the store the time to close.
func (b *backend) stopAfter(ctx context.Context, grace time.Duration, err error) error {
	ctx = context.WithoutCancel(ctx)
	for i, stop := range b.stops {
		b.stops[i] = func(context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, grace)
			defer cancel()
			return stop(ctx)
		}
	}
	return errors.Join(err, b.stop(ctx))
}
