// Package enginetest gives tests a real engine over a real store: one
// workspace in a folder of its own, a clock that stands until it is moved, and
// short ways to write, push and look.
package enginetest

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// Workspace is the name of every world's workspace.
const Workspace = "test"

// Options of a world.
type Options struct {
	Kinds []*sync.Kind
	// Seed is written by the system as the first commit; there must be some.
	Seed []sync.Mutation
	// Now is where the clock stands; zero: noon UTC of 2026-11-21, a Saturday.
	Now time.Time
	// Engine is what the engine is made with; Store, Registry and Clock are set.
	Engine sync.Options
	// Started is called with each engine before a workspace is opened, to
	// register followers. What it returns runs before that engine is closed.
	Started func(*sync.Engine) (stop func(context.Context) error)
}

// World is an engine with one workspace, for the length of a test.
type World struct {
	*sync.Workspace
	Engine   *sync.Engine
	Registry *sync.Registry
	Clock    *Clock

	t       testing.TB
	options Options
	path    string
	store   *sqlite.Store
	stop    func(context.Context) error
}

// New makes a world, which ends with the test.
func New(t testing.TB, o Options) *World {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	}
	registry, err := sync.NewRegistry(o.Kinds...)
	if err != nil {
		t.Fatalf("registry: %v", err)
	}
	w := &World{
		Registry: registry, Clock: NewClock(o.Now),
		t: t, options: o, path: filepath.Join(t.TempDir(), "test.db"),
	}
	w.start()
	t.Cleanup(w.close)
	w.Workspace, err = w.Engine.Create(t.Context(), Workspace, sync.Write{
		Cause: sync.Cause{Kind: "system", Ref: "seed"}, Mutations: o.Seed, Admit: true,
	})
	if err != nil {
		t.Fatalf("create the workspace: %v", err)
	}
	return w
}

func (w *World) start() {
	w.t.Helper()
	var err error
	if w.store, err = sqlite.Open(w.t.Context(), w.path, w.Registry, sqlite.Options{}); err != nil {
		w.t.Fatalf("open the store: %v", err)
	}
	o := w.options.Engine
	o.Store, o.Registry, o.Clock = w.store, w.Registry, w.Clock.Now
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	w.Engine = sync.New(o)
	w.stop = nil
	if w.options.Started != nil {
		w.stop = w.options.Started(w.Engine)
	}
}

// close does not use the test's context, which has ended when tests clean up.
func (w *World) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	if w.stop != nil {
		errs = append(errs, w.stop(ctx))
	}
	errs = append(errs, w.Engine.Close(ctx), w.store.Close())
	if err := errors.Join(errs...); err != nil {
		w.t.Errorf("close the world: %v", err)
	}
}

// Restart closes engine and store and opens them again.
func (w *World) Restart() {
	w.t.Helper()
	w.close()
	w.start()
	var err error
	if w.Workspace, err = w.Engine.Open(w.t.Context(), Workspace); err != nil {
		w.t.Fatalf("open the workspace: %v", err)
	}
}

// Create is a mutation that makes a document.
func Create(kind, id string, set sync.Fields) sync.Mutation {
	return sync.Mutation{ID: uuid.New(), Kind: kind, DocID: id, Op: sync.Create, Set: set}
}

// Update is a mutation of a document by somebody who looked at the rev base.
func Update(kind, id string, base uint64, set sync.Fields) sync.Mutation {
	return sync.Mutation{ID: uuid.New(), Kind: kind, DocID: id, Op: sync.Update, Base: base, Set: set}
}

// Delete is a mutation that removes a document, by somebody who looked at the rev base.
func Delete(kind, id string, base uint64) sync.Mutation {
	return sync.Mutation{ID: uuid.New(), Kind: kind, DocID: id, Op: sync.Delete, Base: base}
}
