package faulty_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/store/storetest"
	"github.com/enroute-field/enroute/sync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inner is a real store in a file of its own.
func inner(t *testing.T, place string, idx sync.Indexer) sync.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(place, "enroute.db"), idx, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func registry(t *testing.T) *sync.Registry {
	t.Helper()
	r, err := sync.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func commit(head sync.Head) *sync.Commit {
	c := &sync.Commit{Number: head.Number + 1, Prev: head.Hash, Nonce: uuid.New()}
	c.Seal()
	return c
}

// TestWithoutFaults: a wrapped store is a store.
func TestWithoutFaults(t *testing.T) {
	t.Parallel()
	storetest.RunCore(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
		t.Helper()
		return faulty.New(inner(t, place, idx), nil)
	})
}

func TestKinds(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	close(closed)
	for _, test := range []struct {
		mode faulty.Mode
		err  error
		head uint64
	}{
		{faulty.Mode{Kind: faulty.Pass}, nil, 1},
		{faulty.Mode{Kind: faulty.FailBefore}, faulty.ErrInjected, 0},
		{faulty.Mode{Kind: faulty.FailAfter}, faulty.ErrInjected, 1},
		{faulty.Mode{Kind: faulty.UnknownUndone}, sync.ErrUnknownOutcome, 0},
		{faulty.Mode{Kind: faulty.UnknownDone}, sync.ErrUnknownOutcome, 1},
		{faulty.Mode{Kind: faulty.Delay, Until: closed}, nil, 1},
	} {
		t.Run(test.mode.Kind.String(), func(t *testing.T) {
			t.Parallel()
			s := faulty.New(inner(t, t.TempDir(), registry(t)), func(call string) faulty.Mode {
				if call == "Append" {
					return test.mode
				}
				return faulty.Mode{}
			})
			defer closeStore(t, s)
			if err := s.Append(t.Context(), "w", []*sync.Commit{commit(sync.Head{})}); !errors.Is(err, test.err) {
				t.Errorf("append gave %v, want %v", err, test.err)
			}
			isHead(t, s, test.head)
			want := map[faulty.Kind]int{}
			if test.mode.Kind != faulty.Pass {
				want[test.mode.Kind] = 1
			}
			if got := s.Faults(); !maps.Equal(got, want) {
				t.Errorf("faults are %v, want %v", got, want)
			}
			if got := s.Calls(); !maps.Equal(got, map[string]int{"Append": 1, "Head": 1}) {
				t.Errorf("calls are %v", got)
			}
		})
	}
}

// TestLate: the effect comes after the caller has given up, and not at all
// when the store closes before.
func TestLate(t *testing.T) {
	t.Parallel()
	place, release := t.TempDir(), make(chan struct{})
	late := faulty.Mode{Kind: faulty.Late, Until: release}
	s := faulty.New(inner(t, place, registry(t)), onAppend(late))
	first := commit(sync.Head{})
	if err := s.Append(t.Context(), "w", []*sync.Commit{first}); !errors.Is(err, sync.ErrUnknownOutcome) {
		t.Fatalf("append gave %v", err)
	}
	isHead(t, s, 0)
	closeStore(t, s)

	s = faulty.New(inner(t, place, registry(t)), onAppend(late))
	if err := s.Append(t.Context(), "w", []*sync.Commit{first}); !errors.Is(err, sync.ErrUnknownOutcome) {
		t.Fatalf("append gave %v", err)
	}
	close(release)
	for head := (sync.Head{}); head.Number == 0; {
		var err error
		if head, err = s.Head(t.Context(), "w"); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
}

// TestDelayEndsWithContext: who waits no longer has had no effect.
func TestDelayEndsWithContext(t *testing.T) {
	t.Parallel()
	s := faulty.New(inner(t, t.TempDir(), registry(t)), onAppend(faulty.Mode{Kind: faulty.Delay, Until: make(chan struct{})}))
	defer closeStore(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, "w", []*sync.Commit{commit(sync.Head{})}); !errors.Is(err, context.Canceled) {
		t.Errorf("append gave %v", err)
	}
	isHead(t, s, 0)
}

// TestSeeded: every kind occurs, the same ones for the same seed, and only in
// the method that is named.
func TestSeeded(t *testing.T) {
	t.Parallel()
	kinds := []faulty.Kind{faulty.FailBefore, faulty.FailAfter, faulty.UnknownDone, faulty.UnknownUndone}
	draw := func(seed uint64) (drawn []faulty.Kind) {
		plan := faulty.Seeded(seed, 0.5, "Append", kinds...)
		for range 200 {
			if m := plan("Head"); m.Kind != faulty.Pass {
				t.Fatalf("Head was to %v", m.Kind)
			}
			drawn = append(drawn, plan("Append").Kind)
		}
		return drawn
	}
	one, again := draw(7), draw(7)
	seen := map[faulty.Kind]int{}
	for i := range one {
		if one[i] != again[i] {
			t.Fatalf("call %d was to %v, then to %v", i, one[i], again[i])
		}
		seen[one[i]]++
	}
	for _, k := range append(kinds, faulty.Pass) {
		if seen[k] == 0 {
			t.Errorf("%v never occurred", k)
		}
	}
}

func onAppend(m faulty.Mode) faulty.Plan {
	return func(call string) faulty.Mode {
		if call == "Append" {
			return m
		}
		return faulty.Mode{}
	}
}

func isHead(t *testing.T, s sync.Store, want uint64) {
	t.Helper()
	head, err := s.Head(t.Context(), "w")
	if err != nil || head.Number != want {
		t.Errorf("head is %d, %v, want %d", head.Number, err, want)
	}
}

func closeStore(t *testing.T, s sync.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
