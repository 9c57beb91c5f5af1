package sync_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// verified is a store with a workspace whose views, lists and history have
// seen something of everything.
func verified(t *testing.T, faults sync.Faults) (*sqlite.Store, *sync.Registry, *sync.Engine) {
	t.Helper()
	reg, err := sync.NewRegistry(uniquelyNamed()...)
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "v.db"), reg, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	e := sync.New(sync.Options{Store: store, Registry: reg, Faults: faults})
	t.Cleanup(func() { must(t, e.Close(context.Background())) })
	w, err := e.Create(t.Context(), "w", seed())
	must(t, err)
	for _, m := range []sync.Mutation{
		folder("f1", "ann"), folder("f2", "ann"), folder("f3"), folder("f4"),
		enginetest.Create("paper", "p1", sync.Fields{"folder": "f1"}),
		enginetest.Update("paper", "p1", 0, sync.Fields{"folder": "f2"}), // leaves a scope
		assign("f1"), assign("f3", "ann"), enginetest.Update("folder", "f4", 0, sync.Fields{"name": "Zoé"}),
		enginetest.Delete("paper", "p1", 0),
	} {
		res, err := w.Push(t.Context(), enginetest.Phone("boss"), sync.PushRequest{SentAt: time.Now(), Mutations: []sync.Mutation{m}})
		must(t, err)
		if res.Results[0].Status == sync.Rejected {
			t.Fatalf("%s: %+v", m.Key(), res.Results[0])
		}
	}
	return store, reg, e
}

// uniquelyNamed are the suite's kinds; no two folders have one name.
func uniquelyNamed() []*sync.Kind {
	all := kinds()
	for _, k := range all {
		if k.Name == "folder" {
			k.Unique = []sync.Unique{{Field: "name", Fold: strings.ToLower}}
		}
	}
	return all
}

func verify(t *testing.T, store sync.Store, reg *sync.Registry) *sync.Verification {
	t.Helper()
	v, err := sync.Verify(t.Context(), store, reg, "w")
	must(t, err)
	return v
}

// finds checks that verifying finds something, and that it says this.
func finds(t *testing.T, store sync.Store, reg *sync.Registry, what string) {
	t.Helper()
	v := verify(t, store, reg)
	if !slices.ContainsFunc(v.Problems, func(p string) bool { return strings.Contains(p, what) }) {
		t.Errorf("problems are %q, should be of %q", v.Problems, what)
	}
}

// lying is a store that answers wrongly in one way.
type lying struct {
	sync.Store
	documents func([]sync.Version) []sync.Version
	outcomes  func([]sync.OutcomeRef) []sync.OutcomeRef
	revisions func(sync.Key, []uint64) []uint64
	list      func(sync.Query, []string) []string
}

func (l lying) Documents(ctx context.Context, w string, keys []sync.Key) ([]sync.Version, error) {
	out, err := l.Store.Documents(ctx, w, keys)
	if l.documents != nil {
		out = l.documents(out)
	}
	return out, err
}

func (l lying) Outcomes(ctx context.Context, w string, ids []uuid.UUID) ([]sync.OutcomeRef, error) {
	out, err := l.Store.Outcomes(ctx, w, ids)
	if l.outcomes != nil {
		out = l.outcomes(out)
	}
	return out, err
}

func (l lying) Revisions(ctx context.Context, w string, head uint64, k sync.Key, before uint64, limit int) ([]uint64, error) {
	out, err := l.Store.Revisions(ctx, w, head, k, before, limit)
	if l.revisions != nil {
		out = l.revisions(k, out)
	}
	return out, err
}

func (l lying) List(ctx context.Context, w string, head uint64, q sync.Query) (sync.Listing, error) {
	out, err := l.Store.List(ctx, w, head, q)
	if l.list != nil {
		out.IDs = l.list(q, out.IDs)
	}
	return out, err
}

// TestVerifyFindsWhatIsWrong: each projection, wrong in one place.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	store, reg, e := verified(t, sync.Faults{})
	must(t, e.Close(t.Context())) // and with it a checkpoint
	v := verify(t, store, reg)
	if len(v.Problems) > 0 || v.Checkpoint != v.Commits || v.Meanwhile > 0 || v.Documents != 8 || v.Deleted != 1 {
		t.Fatalf("found %+v", v)
	}
	f4 := sync.Key{Kind: "folder", ID: "f4"}
	change := func(what func(*sync.Version)) func([]sync.Version) []sync.Version {
		return func(all []sync.Version) []sync.Version {
			for i := range all {
				if all[i].Key == f4 {
					what(&all[i])
				}
			}
			return all
		}
	}
	for name, c := range map[string]struct {
		store lying
		want  string
	}{
		"document lacks": {lying{documents: func(all []sync.Version) []sync.Version {
			return slices.DeleteFunc(all, func(v sync.Version) bool { return v.Key == f4 })
		}}, "folder/f4: the current"},
		"body":       {lying{documents: change(func(v *sync.Version) { v.Body[len(v.Body)-2]++ })}, "folder/f4: the current"},
		"scope":      {lying{documents: change(func(v *sync.Version) { v.Scope += "x" })}, "folder/f4: the current"},
		"marks":      {lying{documents: change(func(v *sync.Version) { v.Marks = nil })}, "folder/f4: the current"},
		"older":      {lying{documents: change(func(v *sync.Version) { v.Rev-- })}, "folder/f4: the current"},
		"newer":      {lying{documents: change(func(v *sync.Version) { v.Rev = 99 })}, "folder/f4: the current"},
		"gone":       {lying{documents: change(func(v *sync.Version) { v.Deleted = true })}, "folder/f4: the current"},
		"no outcome": {lying{outcomes: func(all []sync.OutcomeRef) []sync.OutcomeRef { return all[1:] }}, "its outcome is not"},
		"history": {lying{revisions: func(k sync.Key, revs []uint64) []uint64 {
			if k == f4 {
				return revs[1:]
			}
			return revs
		}}, "folder/f4: the history index"},
		"list lacks": {lying{list: func(q sync.Query, ids []string) []string {
			return slices.DeleteFunc(ids, func(id string) bool { return len(q.Words) == 0 && id == "f4" })
		}}, "list of folder by id: has 3, the journal 4"},
		"order": {lying{list: func(q sync.Query, ids []string) []string {
			if len(q.Sort) > 0 && q.Sort[0].Field == "name" {
				slices.Reverse(ids)
			}
			return ids
		}}, "list of folder by name: f4 is out of place"},
		"search lacks": {lying{list: func(q sync.Query, ids []string) []string {
			return slices.DeleteFunc(ids, func(id string) bool { return len(q.Words) > 0 && id == "f4" })
		}}, `search of folder for "zoe"`},
		"search finds another": {lying{list: func(q sync.Query, ids []string) []string {
			if len(q.Words) > 0 && len(ids) > 0 {
				ids[0] = "f9"
			}
			return ids
		}}, `search of folder for "zoe": f9`},
	} {
		t.Run(name, func(t *testing.T) {
			c.store.Store = store
			finds(t, c.store, reg, c.want)
		})
	}
}

// TestVerifyComparesViews: a checkpoint that lacks what leads devices to
// forget something is found.
func TestVerifyComparesViews(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]sync.Faults{
		"departures": {ForgetDepartures: true}, "moves": {ForgetMoves: true}, "intervals": {ForgetIntervals: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, reg, e := verified(t, faults)
			must(t, e.Close(t.Context()))
			finds(t, store, reg, "do not give the state of the journal")
		})
	}
}

// TestVerifyFindsTwins: two documents with a value that only one may have.
func TestVerifyFindsTwins(t *testing.T) {
	t.Parallel()
	store, reg, e := verified(t, sync.Faults{})
	must(t, e.Close(t.Context()))
	head, err := store.Head(t.Context(), "w")
	must(t, err)
	body := `{"kind":"folder","id":"f9","scope":"folder:f9","name":"F1","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}`
	c := &sync.Commit{Number: head.Number + 1, Prev: head.Hash, At: head.At, Changes: []sync.Version{
		{Key: sync.Key{Kind: "folder", ID: "f9"}, Rev: head.Number + 1, Scope: "folder:f9", Body: []byte(body)}}}
	c.Seal()
	must(t, store.Append(t.Context(), "w", []*sync.Commit{c}))
	finds(t, store, reg, "has the same name")
}

// busy is a store to which somebody writes before each of Verify's calls.
type busy struct {
	sync.Store
	write func()
}

func (b busy) Documents(ctx context.Context, w string, keys []sync.Key) ([]sync.Version, error) {
	b.write()
	return b.Store.Documents(ctx, w, keys)
}

func (b busy) Revisions(ctx context.Context, w string, head uint64, k sync.Key, before uint64, limit int) ([]uint64, error) {
	b.write()
	return b.Store.Revisions(ctx, w, head, k, before, limit)
}

func (b busy) List(ctx context.Context, w string, head uint64, q sync.Query) (sync.Listing, error) {
	b.write()
	q.Limit = min(q.Limit, 2) // more pages, between which somebody writes
	return b.Store.List(ctx, w, head, q)
}

func (b busy) LoadCheckpoint(ctx context.Context, w string) (sync.Head, [][]byte, error) {
	b.write()
	return b.Store.LoadCheckpoint(ctx, w)
}

// TestVerifyWhileOthersWrite: what somebody writes meanwhile is no problem, and
// what is wrong is found all the same.
func TestVerifyWhileOthersWrite(t *testing.T) {
	t.Parallel()
	store, reg, e := verified(t, sync.Faults{})
	w, err := e.Open(t.Context(), "w")
	must(t, err)
	turns := make(chan int, 1)
	turns <- 0
	write := func() {
		n := <-turns
		defer func() { turns <- n + 1 }()
		m := []sync.Mutation{enginetest.Update("folder", "f3", 0, sync.Fields{"name": fmt.Sprint("Name ", n), "holders": []any{"ann"}})}
		if n%2 == 0 {
			m = append(m, folder(fmt.Sprint("late", n), "ann"))
		} else {
			m = append(m, enginetest.Delete("folder", fmt.Sprint("late", n-1), 0))
		}
		if _, err := w.Write(t.Context(), boss, sync.Write{Mutations: m}); err != nil {
			t.Error(err)
		}
		if n%5 == 0 {
			if err := w.Evict(t.Context()); err != nil { // and saves a checkpoint
				t.Error(err)
			}
		}
	}
	v := verify(t, busy{store, write}, reg)
	if len(v.Problems) > 0 || v.Meanwhile < 10 || v.Checkpoint <= v.Commits {
		t.Fatalf("found %+v", v)
	}
	wrong := lying{Store: store, list: func(q sync.Query, ids []string) []string {
		return slices.DeleteFunc(ids, func(id string) bool { return len(q.Words) > 0 && id == "f4" })
	}}
	finds(t, busy{wrong, write}, reg, `search of folder for "zoe"`)
}

// TestVerifyTheChain: a journal that ends elsewhere than its head says.
func TestVerifyTheChain(t *testing.T) {
	t.Parallel()
	store, reg, e := verified(t, sync.Faults{})
	must(t, e.Close(t.Context()))
	finds(t, tampered{store, func(c *sync.Commit) { c.Changes[0].Marks = nil }}, reg, "commit 3: the hash chain is broken")
	finds(t, tampered{store, func(c *sync.Commit) { c.At = c.At.Add(-time.Hour) }}, reg, "commit 3: is older")
	_, err := sync.Verify(t.Context(), tampered{store, func(c *sync.Commit) { c.Number++ }}, reg, "w")
	if !errors.Is(err, sync.ErrDamaged) {
		t.Errorf("a gap gave %v", err)
	}
}

// tampered is a store whose third commit is another.
type tampered struct {
	sync.Store
	change func(*sync.Commit)
}

func (s tampered) Journal(ctx context.Context, w string, from, to uint64, yield func(*sync.Commit) error) error {
	return s.Store.Journal(ctx, w, from, to, func(c *sync.Commit) error {
		if c.Number == 3 {
			s.change(c)
		}
		return yield(c)
	})
}
