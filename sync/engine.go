package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// Options of an Engine. Store and Registry must be set.
type Options struct {
	Store    Store
	Registry *Registry
	Clock    func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: slog.Default
	// BodyCache bounds the memory for bodies, in bytes; 0: 16 MiB.
	BodyCache int64
	// IdleAfter is how long a workspace without requests and streams stays in
	// memory; 0: for ever.
	IdleAfter time.Duration
	// CheckpointEvery is after how many commits the state is written, so that
	// loading is quick; 0: 10,000. It is also written after ten minutes with
	// commits, and at Close.
	CheckpointEvery uint64
	// Housekeeping is how often notes are saved and what is due is done: a
	// checkpoint, a sweep, an eviction. 0: 5 s.
	Housekeeping time.Duration
	// Horizon is how long departures and closed spans are kept; a cursor from
	// before starts over. 0: 180 days.
	Horizon time.Duration
	// Tenure, where several engines share a store, says whether this one holds
	// the workspace: 0 if not, else a number that is another one each time it
	// comes to hold it. Only who holds it writes, and so answers from memory;
	// others read the store's head before they answer, and refuse to write.
	// Safety does not rest on it: Append is a compare-and-set, and a tenure
	// begins with a commit that makes late ones of the last holder fail. nil:
	// this engine holds all, always.
	Tenure func(workspace string) uint64
	// Confirm is Tenure as it is written where all engines look it up, which
	// takes its time. It is asked when a tenure begins, and when others have
	// written during one: an engine that does not know yet that its tenure is
	// over hears it there, before it writes on top of its successor. nil: Tenure
	// always knows.
	Confirm func(ctx context.Context, workspace string) (uint64, error)
	// Evicted, if set, is called after an idle workspace has left memory.
	Evicted func(workspace string)
	// Presented, if set, is called when a device shows a cursor: it has
	// everything up to that commit. It must not block.
	Presented func(workspace string, actor Actor, number uint64)
	// Faults breaks rules of the engine on purpose, for proofs that the
	// simulation notices. Never set it otherwise.
	Faults Faults
}

// Faults are rules that can be left out, to prove that tests notice.
type Faults struct {
	ForgetDepartures bool // documents leave scopes without a trace
	ForgetMoves      bool // those that move do, those that are deleted leave one
	ForgetIntervals  bool // scopes and sets are lost without a trace
	ForgetOutcomes   bool // mutations sent again have their effect again
	TrustCursors     bool // cursors of another history are believed
	CrossSteps       bool // a page goes on into the next step: targets move with the head
	ShowUnconfirmed  bool // readers see what was not appended yet
	SilentTenures    bool // tenures begin without a commit
	NeverDoubt       bool // nothing makes the engine read on what others have written
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.BodyCache == 0 {
		o.BodyCache = 16 << 20
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 10_000
	}
	if o.Housekeeping == 0 {
		o.Housekeeping = 5 * time.Second
	}
	if o.Horizon == 0 {
		o.Horizon = 180 * 24 * time.Hour
	}
	return o
}

// ErrClosed is the error of everything asked of an engine that is stopping.
var ErrClosed = errors.New("engine is closed")

// Engine serves the workspaces of one store. It is the only writer of those
// that it holds (Options.Tenure).
type Engine struct {
	o      Options
	cache  *bodyCache
	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup

	creating sync.Mutex  // one workspace is created at a time
	failing  atomic.Bool // the last append failed

	mu         sync.RWMutex
	workspaces map[string]*Workspace
	numbered   uint32 // workspaces so far: a number is never given twice
	followers  []Follower
	closed     bool
}

// New starts an engine. Close it.
func New(o Options) *Engine {
	o = o.withDefaults()
	e := &Engine{o: o, cache: newBodyCache(o.BodyCache), workspaces: map[string]*Workspace{}}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	e.tasks.Go(e.housekeep)
	return e
}

// Workspaces lists the names of all workspaces.
func (e *Engine) Workspaces(ctx context.Context) ([]string, error) {
	names, err := e.o.Store.Workspaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	return names, nil
}

// Healthy gives the error that stands between the engine and its work: the
// store cannot be read, or an append failed and it cannot be written yet.
func (e *Engine) Healthy(ctx context.Context) error {
	if _, err := e.o.Store.Notes(ctx, "", healthNote); err != nil { // what costs least
		return fmt.Errorf("nothing can be read: %w", err)
	}
	if !e.failing.Load() {
		return nil
	}
	try := map[string][]byte{healthNote: e.o.Clock().UTC().AppendFormat(nil, time.RFC3339)}
	if err := e.o.Store.SaveNotes(ctx, "", try); err != nil {
		return fmt.Errorf("nothing can be written: %w", err)
	}
	e.failing.Store(false)
	return nil
}

// healthNote is of no workspace.
const healthNote = "written"

// Open finds a workspace; fault NotFound if there is none of that name. It is
// loaded at its first use.
func (e *Engine) Open(ctx context.Context, name string) (*Workspace, error) {
	if w := e.opened(name); w != nil {
		return w, nil
	}
	if !IsWorkspaceName(name) {
		return nil, fault.New(fault.NotFound)
	}
	head, err := e.o.Store.Head(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open workspace: %w", err)
	}
	if head.Number == 0 {
		return nil, fault.New(fault.NotFound) // and no handle is kept for a made-up name
	}
	return e.handle(name)
}

// opened is the handle of a workspace that has been asked for before; nil if
// there is none, or the engine is closed.
func (e *Engine) opened(name string) *Workspace {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return nil
	}
	return e.workspaces[name]
}

// Create makes a workspace whose first commit is w, by the system. The name
// is 1 to 64 of a-z 0-9 and -. Fault ValueTaken if there is one already.
func (e *Engine) Create(ctx context.Context, name string, first Write) (*Workspace, error) {
	if !IsWorkspaceName(name) {
		return nil, fault.Invalid(fault.At("workspace", fault.BadFormat, "type", "a-z 0-9 -"))
	}
	e.creating.Lock()
	defer e.creating.Unlock()
	head, err := e.o.Store.Head(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("create workspace: %w", err)
	}
	if head.Number > 0 {
		return nil, fault.New(fault.ValueTaken, "field", "workspace", "other", name)
	}
	w, err := e.handle(name)
	if err != nil {
		return nil, err
	}
	first.Admit = true
	if _, err := w.Write(ctx, System("setup"), first); err != nil {
		e.mu.Lock()
		delete(e.workspaces, name)
		e.mu.Unlock()
		return nil, errors.Join(err, w.unload(ctx))
	}
	return w, nil
}

// IsWorkspaceName says whether a workspace may have this name.
func IsWorkspaceName(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

func (e *Engine) handle(name string) (*Workspace, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fault.New(fault.Unavailable).Because(ErrClosed)
	}
	w := e.workspaces[name]
	if w == nil {
		w = &Workspace{e: e, name: name, number: e.numbered}
		e.numbered++
		e.workspaces[name] = w
	}
	return w, nil
}

// Close ends all streams, finishes what is being written, saves checkpoints
// and notes, and waits for all that until ctx ends. A second Close does nothing.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	e.mu.Unlock()
	if !first {
		return nil
	}
	e.cancel(ErrClosed)
	var errs []error
	for _, w := range e.handles() {
		errs = append(errs, w.unload(ctx))
	}
	e.tasks.Wait()
	return errors.Join(errs...)
}

// Abandon stops the engine as a crash would: nothing is saved. For proofs.
func (e *Engine) Abandon() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel(ErrClosed)
	for _, w := range e.handles() {
		w.abandon()
	}
	e.tasks.Wait()
}

// Surrender takes a workspace out of memory whose tenure has ended, and ends
// its streams. It does nothing to one that is not there.
func (e *Engine) Surrender(ctx context.Context, name string) error {
	w := e.opened(name)
	if w == nil {
		return nil
	}
	if err := w.surrender(ctx); err != nil {
		return fmt.Errorf("surrender %s: %w", name, err)
	}
	return nil
}

// tenure of a workspace, as it is now.
func (e *Engine) tenure(name string) uint64 {
	if e.o.Tenure == nil {
		return always
	}
	return e.o.Tenure(name)
}

// always is the tenure of an engine that shares its store with nobody.
const always = 1

// handles are those of all workspaces that have been asked for.
func (e *Engine) handles() []*Workspace {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Collect(maps.Values(e.workspaces))
}

// housekeep saves notes and checkpoints now and then, and evicts what is idle.
func (e *Engine) housekeep() {
	ticker := time.NewTicker(e.o.Housekeeping)
	defer ticker.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-ticker.C:
		}
		for _, w := range e.handles() {
			if err := w.housekeep(e.ctx); err != nil && e.ctx.Err() == nil {
				e.o.Logger.Error("housekeeping", "workspace", w.name, "err", err)
			}
		}
	}
}
