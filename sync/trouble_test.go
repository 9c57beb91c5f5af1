package sync_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// trouble is an engine over a store that fails as told, and counts.
type trouble struct {
	*sync.Workspace
	t     *testing.T
	e     *sync.Engine
	store *faulty.Store
	reg   *sync.Registry
	fail  atomic.Int64 // faulty.Kind of every append
}

func newTrouble(t *testing.T) *trouble {
	t.Helper()
	t.Parallel()
	x := &trouble{t: t}
	var err error
	if x.reg, err = sync.NewRegistry(kinds()...); err != nil {
		t.Fatal(err)
	}
	inner, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), x.reg, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x.store = faulty.New(inner, func(call string) faulty.Mode {
		if call == "Append" {
			return faulty.Mode{Kind: faulty.Kind(x.fail.Load())}
		}
		return faulty.Mode{}
	})
	x.e = sync.New(sync.Options{Store: x.store, Registry: x.reg})
	t.Cleanup(func() {
		if err := x.e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := x.store.Close(); err != nil {
			t.Error(err)
		}
	})
	x.Workspace = x.create("w")
	return x
}

func seed() sync.Write {
	return sync.Write{Mutations: []sync.Mutation{
		enginetest.Create("settings", "settings", sync.Fields{"zone": "UTC"}),
		enginetest.Create("profile", "closed", nil),
		enginetest.Create("user", "boss", sync.Fields{"role": "admin"}),
		enginetest.Create("user", "ann", sync.Fields{"role": "technician"}),
	}}
}

func (x *trouble) create(name string) *sync.Workspace {
	x.t.Helper()
	w, err := x.e.Create(x.t.Context(), name, seed())
	if err != nil {
		x.t.Fatal(err)
	}
	return w
}

func (x *trouble) write(m ...sync.Mutation) error {
	_, err := x.Write(x.t.Context(), boss, sync.Write{Mutations: m})
	return err
}

func (x *trouble) pull(cursor string) *sync.Page {
	x.t.Helper()
	p, err := x.Pull(x.t.Context(), ann, cursor, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	return p
}

// An append that took effect although the store never said so is seen by the
// next pull and by open streams, without anybody writing again.
func TestAppendThatNobodyKnewOfIsSeen(t *testing.T) {
	x := newTrouble(t)
	if err := x.write(folder("f1", "ann")); err != nil {
		t.Fatal(err)
	}
	cursor := x.pull("").Cursor
	s, err := x.Live(t.Context(), ann, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	heard := make(chan *sync.Page, 1)
	go func() {
		page, err := s.Next(t.Context())
		if err != nil {
			t.Error(err)
		}
		heard <- page
	}()
	x.fail.Store(int64(faulty.UnknownDone))
	wantCode(t, x.write(enginetest.Update("folder", "f1", 0, sync.Fields{"name": "new"})), fault.Unavailable)
	x.fail.Store(int64(faulty.Pass))
	if p := x.pull(cursor); p.More || len(p.Put) != 1 {
		t.Fatalf("page %s", p.AppendJSON(nil))
	}
	if p := <-heard; p == nil || len(p.Put) != 1 {
		t.Fatalf("the stream heard %+v", p)
	}
}

// A push that is sent again reads the commit with its outcomes once, not once
// for each.
func TestRepeatedPushReadsItsCommitOnce(t *testing.T) {
	x := newTrouble(t)
	req := sync.PushRequest{SentAt: time.Now()}
	for i := range 50 {
		req.Mutations = append(req.Mutations, folder(fmt.Sprintf("f%d", i), "ann"))
	}
	push := func() *sync.PushResponse {
		out, err := x.Push(t.Context(), boss, req)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	push()
	before := x.store.Calls()["Journal"]
	for _, r := range push().Results {
		if !r.Duplicate || r.Status != sync.Applied {
			t.Fatalf("result %+v", r)
		}
	}
	if n := x.store.Calls()["Journal"] - before; n > 1 {
		t.Fatalf("the journal was read %d times", n)
	}
}

// After a crash the commits that had to be replayed are in the checkpoint
// that the next orderly end writes, even if nothing else happened.
func TestReplayedCommitsComeIntoACheckpoint(t *testing.T) {
	x := newTrouble(t)
	if err := x.write(folder("f1", "ann")); err != nil {
		t.Fatal(err)
	}
	head, err := x.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x.e.Abandon()
	x.e = sync.New(sync.Options{Store: x.store, Registry: x.reg})
	w, err := x.e.Open(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	saved, _, err := x.store.LoadCheckpoint(t.Context(), "w")
	if err != nil || saved.Number < head.Number {
		t.Fatalf("checkpoint at %d, head %d, error %v", saved.Number, head.Number, err)
	}
}

// Of several who create the same workspace one succeeds, and his is the one
// that everybody gets.
func TestCreateAtTheSameTime(t *testing.T) {
	x := newTrouble(t)
	made := make(chan *sync.Workspace, 8)
	var g stdsync.WaitGroup
	for range cap(made) {
		g.Go(func() {
			w, err := x.e.Create(t.Context(), "same", seed())
			if err == nil {
				made <- w
			} else if !fault.Is(err, fault.ValueTaken) {
				t.Errorf("error %v", err)
			}
		})
	}
	g.Wait()
	close(made)
	all := slices.Collect(func(yield func(*sync.Workspace) bool) {
		for w := range made {
			if !yield(w) {
				return
			}
		}
	})
	if w, err := x.e.Open(t.Context(), "same"); err != nil || len(all) != 1 || all[0] != w {
		t.Fatalf("%d made, opened %p, error %v", len(all), w, err)
	}
}

// Rules that panic fail the request that met them, leave nothing of it, and
// disturb no other.
func TestPanicOfRulesFailsOneRequest(t *testing.T) {
	t.Parallel()
	traps := &sync.Kind{
		Name:  "trap",
		Scope: func(sync.Reader, string, sync.Fields) (string, error) { return sync.ScopeWorkspace, nil },
		Rules: func(tx *sync.Tx, ch *sync.Change) error {
			if err := tx.Create(sync.Key{Kind: "folder", ID: "half"}, nil); err != nil {
				return err
			}
			panic(ch.Key.ID)
		},
	}
	w := enginetest.New(t, enginetest.Options{Kinds: append(kinds(), traps), Seed: seed().Mutations})
	system := sync.System("test")
	for range 2 {
		wantCode(t, w.Write(system, folder("before"), enginetest.Create("trap", "x", nil)), fault.Internal)
	}
	w.MustWrite(system, folder("after"))
	if w.Has("folder", "before") || w.Has("folder", "half") || !w.Has("folder", "after") {
		t.Fatalf("folders %v", w.All("folder"))
	}
}

// What a live stream has sent may not have arrived: until the device shows the
// cursor, it counts as not having been told.
func TestStreamedPagesAreNotPresented(t *testing.T) {
	var mu stdsync.Mutex
	var shown []uint64
	w := newWorld(t, sync.Options{Presented: func(_ string, _ sync.Actor, n uint64) {
		mu.Lock()
		defer mu.Unlock()
		shown = append(shown, n)
	}})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	s, err := w.Workspace.Live(t.Context(), ann, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began, err := w.Presented(t.Context(), ann)
	if err != nil || began == 0 {
		t.Fatalf("presented %d, error %v", began, err)
	}
	w.MustWrite(boss, assign("f1"))
	page, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	quiet, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(quiet); err == nil { // asks on from what was sent
		t.Fatal("a page after the last")
	}
	if n, err := w.Presented(t.Context(), ann); err != nil || n != began {
		t.Fatalf("presented %d, should be %d, error %v", n, began, err)
	}
	if r := w.PushOne(ann, enginetest.Update("folder", "f1", 0, sync.Fields{"name": "mine"})); r.Status == sync.Rejected {
		t.Fatalf("work done before the loss was heard of: %v", r.Error)
	}
	told(t, w, ann, page.Cursor)
	if r := w.PushOne(ann, enginetest.Update("folder", "f1", 0, sync.Fields{"name": "late"})); r.Status != sync.Rejected {
		t.Fatalf("work done after it: %+v", r)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.IsSorted(shown) || len(shown) != 2 {
		t.Fatalf("shown %v", shown)
	}
}
