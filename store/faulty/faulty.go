// Package faulty wraps a store so that its calls fail as a plan tells: before
// they had an effect, after it, late, or without anybody knowing. It also
// counts calls and faults, for tests that say how many there must be.
package faulty

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

// ErrInjected is the error of calls that were made to fail.
var ErrInjected = errors.New("injected failure")

// Kind is a way to fail.
type Kind int

// The kinds.
const (
	Pass          Kind = iota // do not fail
	FailBefore                // ErrInjected, without effect
	FailAfter                 // ErrInjected, the effect is there
	UnknownUndone             // sync.ErrUnknownOutcome, without effect
	UnknownDone               // sync.ErrUnknownOutcome, the effect is there
	Delay                     // waits for Mode.Until, then passes
	Late                      // sync.ErrUnknownOutcome at once, the effect comes after Mode.Until
)

// String names the kind.
func (k Kind) String() string {
	names := []string{"pass", "fail before", "fail after", "unknown undone", "unknown done", "delay", "late"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return names[k]
}

// Mode is what becomes of one call.
type Mode struct {
	Kind  Kind
	Until <-chan struct{} // for Delay and Late: closed when the time has come
}

// Plan decides about each call, by the name of its method. It is called by
// many goroutines at once.
type Plan func(call string) Mode

// Store is a sync.Store that fails as planned.
type Store struct {
	inner   sync.Store
	plan    Plan
	tally   tally
	closing chan struct{}
}

var _ sync.Store = (*Store)(nil)

// New wraps inner. A nil plan never fails, and counts only.
func New(inner sync.Store, plan Plan) *Store {
	if plan == nil {
		plan = func(string) Mode { return Mode{} }
	}
	return &Store{inner: inner, plan: plan, tally: newTally(), closing: make(chan struct{})}
}

// Calls is how often each method was called, by name.
func (s *Store) Calls() map[string]int { return s.tally.callsNow() }

// Faults is how often each kind occurred.
func (s *Store) Faults() map[Kind]int { return s.tally.faultsNow() }

// nothing is the result of calls that have none but an error.
type nothing struct{}

// do makes a call as planned.
func do[T any](ctx context.Context, s *Store, call string, fn func(context.Context) (T, error)) (T, error) {
	mode := s.plan(call)
	s.tally.count(call, mode.Kind)
	var none T
	switch mode.Kind {
	case FailBefore:
		return none, fmt.Errorf("%s: %w", call, ErrInjected)
	case UnknownUndone:
		return none, fmt.Errorf("%s: %w", call, sync.ErrUnknownOutcome)
	case FailAfter, UnknownDone:
		if _, err := fn(ctx); err != nil {
			return none, err
		}
		return none, fmt.Errorf("%s: %w", call, after(mode.Kind))
	case Late:
		s.later(ctx, mode.Until, func(ctx context.Context) { _, _ = fn(ctx) }) // nobody is there to hear
		return none, fmt.Errorf("%s: %w", call, sync.ErrUnknownOutcome)
	case Delay:
		select {
		case <-mode.Until:
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	return fn(ctx)
}

func after(k Kind) error {
	if k == UnknownDone {
		return sync.ErrUnknownOutcome
	}
	return ErrInjected
}

// later does a call when its time has come, unless the store closes before.
func (s *Store) later(ctx context.Context, until <-chan struct{}, fn func(context.Context)) {
	ctx = context.WithoutCancel(ctx)
	s.tally.background(func() {
		select {
		case <-until:
			fn(ctx)
		case <-s.closing:
		}
	})
}

// Workspaces implements sync.Store.
func (s *Store) Workspaces(ctx context.Context) ([]string, error) {
	return do(ctx, s, "Workspaces", s.inner.Workspaces)
}

// Head implements sync.Store.
func (s *Store) Head(ctx context.Context, workspace string) (sync.Head, error) {
	return do(ctx, s, "Head", func(ctx context.Context) (sync.Head, error) { return s.inner.Head(ctx, workspace) })
}

// Append implements sync.Store.
func (s *Store) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	return s.act(ctx, "Append", func(ctx context.Context) error { return s.inner.Append(ctx, workspace, commits) })
}

// Journal implements sync.Store. When it fails after its effect, all commits
// have been yielded.
func (s *Store) Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error {
	return s.act(ctx, "Journal", func(ctx context.Context) error {
		return s.inner.Journal(ctx, workspace, from, to, yield)
	})
}

// Documents implements sync.Store.
func (s *Store) Documents(ctx context.Context, workspace string, keys []sync.Key) ([]sync.Version, error) {
	return do(ctx, s, "Documents", func(ctx context.Context) ([]sync.Version, error) {
		return s.inner.Documents(ctx, workspace, keys)
	})
}

// Outcomes implements sync.Store.
func (s *Store) Outcomes(ctx context.Context, workspace string, ids []uuid.UUID) ([]sync.OutcomeRef, error) {
	return do(ctx, s, "Outcomes", func(ctx context.Context) ([]sync.OutcomeRef, error) {
		return s.inner.Outcomes(ctx, workspace, ids)
	})
}

// Revisions implements sync.Store.
func (s *Store) Revisions(ctx context.Context, workspace string, head uint64, key sync.Key, before uint64, limit int) ([]uint64, error) {
	return do(ctx, s, "Revisions", func(ctx context.Context) ([]uint64, error) {
		return s.inner.Revisions(ctx, workspace, head, key, before, limit)
	})
}

// List implements sync.Store.
func (s *Store) List(ctx context.Context, workspace string, head uint64, q sync.Query) (sync.Listing, error) {
	return do(ctx, s, "List", func(ctx context.Context) (sync.Listing, error) {
		return s.inner.List(ctx, workspace, head, q)
	})
}

// SaveCheckpoint implements sync.Store.
func (s *Store) SaveCheckpoint(ctx context.Context, workspace string, head sync.Head, chunks [][]byte) error {
	return s.act(ctx, "SaveCheckpoint", func(ctx context.Context) error {
		return s.inner.SaveCheckpoint(ctx, workspace, head, chunks)
	})
}

// LoadCheckpoint implements sync.Store.
func (s *Store) LoadCheckpoint(ctx context.Context, workspace string) (sync.Head, [][]byte, error) {
	type checkpoint struct {
		head   sync.Head
		chunks [][]byte
	}
	c, err := do(ctx, s, "LoadCheckpoint", func(ctx context.Context) (c checkpoint, err error) {
		c.head, c.chunks, err = s.inner.LoadCheckpoint(ctx, workspace)
		return c, err
	})
	return c.head, c.chunks, err
}

// SaveNotes implements sync.Store.
func (s *Store) SaveNotes(ctx context.Context, workspace string, notes map[string][]byte) error {
	return s.act(ctx, "SaveNotes", func(ctx context.Context) error { return s.inner.SaveNotes(ctx, workspace, notes) })
}

// Notes implements sync.Store.
func (s *Store) Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error) {
	return do(ctx, s, "Notes", func(ctx context.Context) (map[string][]byte, error) {
		return s.inner.Notes(ctx, workspace, prefix)
	})
}

// Promote implements sync.Store.
func (s *Store) Promote(ctx context.Context, staged, workspace string, was sync.Head) error {
	return s.act(ctx, "Promote", func(ctx context.Context) error { return s.inner.Promote(ctx, staged, workspace, was) })
}

// Drop implements sync.Store.
func (s *Store) Drop(ctx context.Context, staged string) error {
	return s.act(ctx, "Drop", func(ctx context.Context) error { return s.inner.Drop(ctx, staged) })
}

// Close gives up the late calls that have not come yet and closes the inner
// store. It never fails by plan: a test must be able to end.
func (s *Store) Close() error {
	if s.tally.closeOnce() {
		close(s.closing)
	}
	s.tally.wait()
	return s.inner.Close()
}

// act makes a call that gives nothing but an error.
func (s *Store) act(ctx context.Context, call string, fn func(context.Context) error) error {
	_, err := do(ctx, s, call, func(ctx context.Context) (nothing, error) { return nothing{}, fn(ctx) })
	return err
}
