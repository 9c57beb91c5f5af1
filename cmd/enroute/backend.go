package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/tasks"
)

// database is the file in the data folder.
const database = "enroute.db"

// newRegistry lists the kinds of documents this program knows.
func newRegistry() (*sync.Registry, error) {
	r, err := sync.NewRegistry(slices.Concat(company.Kinds(), clients.Kinds(), tasks.Kinds(), auth.Kinds())...)
	if err != nil {
		return nil, fmt.Errorf("register kinds: %w", err)
	}
	return r, nil
}

// openStore opens the database, and makes it where there is none. A folder
// that another process has open is refused. failed hears of a disk after whose
// failure only a new start helps.
func openStore(ctx context.Context, cfg *config.Config, registry *sync.Registry, log *slog.Logger, failed func(error)) (*sqlite.Store, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	s, err := sqlite.Open(ctx, filepath.Join(cfg.Data, database), registry, sqlite.Options{Logger: log, Failed: failed})
	if err != nil {
		return nil, fmt.Errorf("open the data folder %s: %w", cfg.Data, err)
	}
	return s, nil
}

// backend is everything of the server but the part that listens: what serve
// and the commands that work on a data folder share.
type backend struct {
	registry *sync.Registry
	store    *sqlite.Store
	engine   *sync.Engine
	auth     *auth.Service
	receipts *tasks.Receipts
	failed   <-chan error                  // gives the error after which only a new start helps
	stops    []func(context.Context) error // in the order of starting
}

// openBackend starts it. What was started is stopped again if something fails.
func openBackend(ctx context.Context, cfg *config.Config, clock func() time.Time, log *slog.Logger) (*backend, error) {
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
	b.engine = sync.New(sync.Options{
		Store: store, Registry: registry, Clock: clock, Logger: log,
		BodyCache: cfg.BodyCache, IdleAfter: cfg.IdleAfter,
		Presented: func(workspace string, actor sync.Actor, number uint64) {
			b.receipts.Presented(workspace, actor, number)
		},
	})
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
