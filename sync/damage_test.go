package sync_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// A checkpoint that has been changed in any place, or that cannot be read, is
// left aside: the state is that of the journal.
func TestDamagedCheckpointIsLeftAside(t *testing.T) {
	x := newTrouble(t)
	for i := range 10 {
		if err := x.write(folder(fmt.Sprint("f", i), "ann")); err != nil {
			t.Fatal(err)
		}
	}
	want, err := x.StateHash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	head, chunks, err := x.store.LoadCheckpoint(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(chunks...)
	for at := 0; at < len(whole); at += 1 + len(whole)/100 {
		spoiled := slices.Clone(whole)
		spoiled[at] ^= 0x10
		x.loads(head, [][]byte{spoiled}, want)
		x.loads(head, [][]byte{whole[:at]}, want)
	}
}

// loads says whether an engine comes to the state from this checkpoint.
func (x *trouble) loads(head sync.Head, chunks [][]byte, want sync.Hash) {
	x.t.Helper()
	if err := x.store.SaveCheckpoint(x.t.Context(), "w", head, chunks); err != nil {
		x.t.Fatal(err)
	}
	x.comesTo(x.store, want)
}

func (x *trouble) comesTo(store sync.Store, want sync.Hash) {
	x.t.Helper()
	e := sync.New(sync.Options{Store: store, Registry: x.reg, Logger: slog.New(slog.DiscardHandler)})
	defer e.Abandon()
	w, err := e.Open(x.t.Context(), "w")
	if err != nil {
		x.t.Fatal(err)
	}
	if got, err := w.StateHash(x.t.Context()); err != nil || got != want {
		x.t.Errorf("state %x, should be %x, error %v", got, want, err)
	}
}

func TestUnreadableCheckpointIsLeftAside(t *testing.T) {
	x := newTrouble(t)
	want, err := x.StateHash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.comesTo(faulty.New(x.store, func(call string) faulty.Mode {
		if call == "LoadCheckpoint" {
			return faulty.Mode{Kind: faulty.FailBefore}
		}
		return faulty.Mode{}
	}), want)
}

// An outcome that is said to be in a commit, and is not there, is no sign that
// the mutation is new.
func TestLostOutcomeIsNotForgotten(t *testing.T) {
	x := newTrouble(t)
	m := folder("f1", "ann")
	if _, err := x.Push(t.Context(), boss, sync.PushRequest{Mutations: []sync.Mutation{m}}); err != nil {
		t.Fatal(err)
	}
	x.e.Abandon()
	lying := misplaced{x.store}
	x.e = sync.New(sync.Options{Store: lying, Registry: x.reg, Logger: slog.New(slog.DiscardHandler)})
	w, err := x.e.Open(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	update := enginetest.Update("folder", "f1", 0, sync.Fields{"name": "again"})
	update.ID = m.ID
	if out, err := w.Push(t.Context(), boss, sync.PushRequest{Mutations: []sync.Mutation{update}}); err == nil {
		t.Fatalf("pushed: %+v", out.Results[0])
	}
}

// misplaced finds every outcome in the first commit.
type misplaced struct{ sync.Store }

func (m misplaced) Outcomes(ctx context.Context, workspace string, ids []uuid.UUID) ([]sync.OutcomeRef, error) {
	refs, err := m.Store.Outcomes(ctx, workspace, ids)
	for i := range refs {
		refs[i].Commit = 1
	}
	return refs, err
}

// A journal that ends before its checkpoint has lost commits: it is not gone
// on with.
func TestLostEndIsNoticed(t *testing.T) {
	x := newTrouble(t)
	if err := x.write(folder("f1", "ann")); err != nil {
		t.Fatal(err)
	}
	if err := x.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := sync.New(sync.Options{Store: shortened{x.store}, Registry: x.reg, Logger: slog.New(slog.DiscardHandler)})
	defer e.Abandon()
	w, err := e.Open(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Head(t.Context()); !errors.Is(err, sync.ErrDamaged) {
		t.Fatalf("error %v", err)
	}
}

// shortened has lost all commits but the first.
type shortened struct{ sync.Store }

func (s shortened) Head(ctx context.Context, workspace string) (head sync.Head, err error) {
	err = s.Store.Journal(ctx, workspace, 1, 1, func(c *sync.Commit) error {
		head = sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
		return nil
	})
	return head, err
}

func (s shortened) Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error {
	if from > 1 {
		return nil
	}
	return s.Store.Journal(ctx, workspace, 1, 1, yield)
}

// Documents that the store has damaged, or takes for others, are read from
// the journal.
func TestDamagedDocumentsAreReadFromTheJournal(t *testing.T) {
	for name, wrap := range map[string]func(sync.Store) sync.Store{
		"torn":    func(s sync.Store) sync.Store { return torn{s} },
		"swapped": func(s sync.Store) sync.Store { return swapped{s} },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrouble(t)
			if err := x.write(folder("f1", "ann"), folder("f2", "ann")); err != nil {
				t.Fatal(err)
			}
			want := x.pull("")
			e := sync.New(sync.Options{Store: wrap(x.store), Registry: x.reg, Logger: slog.New(slog.DiscardHandler)})
			defer e.Abandon()
			w, err := e.Open(t.Context(), "w")
			if err != nil {
				t.Fatal(err)
			}
			if d, err := w.Document(t.Context(), sync.Key{Kind: "folder", ID: "f1"}); err != nil || d.ID != "f1" {
				t.Fatalf("document %+v, error %v", d, err)
			}
			p, err := w.Pull(t.Context(), ann, "", 0)
			if err != nil || len(p.Put) < 3 || !reflect.DeepEqual(p.Put, want.Put) {
				t.Fatalf("page %+v, should be %+v, error %v", p, want, err)
			}
		})
	}
}

// torn has no document whole.
type torn struct{ sync.Store }

func (torn) Documents(context.Context, string, []sync.Key) ([]sync.Version, error) {
	return nil, sync.ErrDamaged
}

// swapped gives another document than the one asked for.
type swapped struct{ sync.Store }

func (s swapped) Documents(ctx context.Context, workspace string, _ []sync.Key) ([]sync.Version, error) {
	return s.Store.Documents(ctx, workspace, []sync.Key{{Kind: "folder", ID: "f2"}})
}
