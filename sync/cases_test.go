package sync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	stdsync "sync"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// More behaviours that sync servers learned the hard way, against the whole
// engine. The numbers are those of docs/sync-cases.md; those about which rows
// a pull gives are in cases_pull_test.go.

func TestCase13WhatWasTakenAwayLeaksNowhere(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	w.MustWrite(boss, assign("f1"))
	w.MustWrite(boss, enginetest.Update("folder", "f1", 0, sync.Fields{"name": "secret"}))
	key := sync.Key{Kind: "folder", ID: "f1"}
	_, err := w.Get(t.Context(), ann, key)
	wantCode(t, err, fault.NotFound)
	_, err = w.History(t.Context(), ann, key, 0, 10)
	wantCode(t, err, fault.NotFound)
	for _, q := range []sync.ListRequest{{Kind: "folder"}, {Kind: "folder", Search: "secret"}} {
		list, err := w.List(t.Context(), ann, q)
		if err != nil || list.Total != 0 || len(list.Items) != 0 {
			t.Fatalf("list %+v, error %v", list, err)
		}
	}
	page, err := w.Workspace.Pull(t.Context(), ann, cursor, 0)
	if err != nil || len(page.Put) != 0 || !slices.Equal(page.Drop, []string{"folder:f1"}) {
		t.Fatalf("page %s, error %v", page.AppendJSON(nil), err)
	}
}

func TestCase17PullAfterAnAcknowledgedGrantHasIt(t *testing.T) {
	w := newWorld(t, sync.Options{})
	_, cursor := told(t, w, ann, "")
	for i := range 50 {
		id := fmt.Sprint("f", i)
		w.MustWrite(boss, folder(id, "ann"))
		var got []string
		got, cursor = told(t, w, ann, cursor)
		wantTold(t, got, "put folder/"+id)
	}
}

// A grant made at any moment around the wake-up of a waiting stream arrives.
func TestCase18WaitingStreamHearsEveryGrant(t *testing.T) {
	w := newWorld(t, sync.Options{})
	_, cursor := told(t, w, ann, "")
	s, err := w.Workspace.Live(t.Context(), ann, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const grants = 100
	var g stdsync.WaitGroup
	defer g.Wait()
	g.Go(func() {
		for i := range grants {
			if err := w.Write(boss, folder(fmt.Sprint("f", i), "ann")); err != nil {
				t.Error(err)
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for heard := 0; heard < grants; {
		page, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d grants: %v", heard, grants, err)
		}
		heard += len(page.Put)
	}
}

// A consumer that does not read has no backlog on the server: when it reads
// again it gets the difference.
func TestCase21SlowConsumerGetsTheDifference(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	s, err := w.Workspace.Live(t.Context(), ann, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 300 {
		w.MustWrite(boss, enginetest.Update("folder", "f1", 0, sync.Fields{"name": fmt.Sprint("n", i)}))
	}
	page, err := s.Next(t.Context())
	if err != nil || len(page.Put) != 1 || page.More {
		t.Fatalf("page %+v, error %v", page, err)
	}
}

// A body cache of no size, so that every body comes from the store, gives the
// same as one that holds everything.
func TestCase22WithoutACacheTheSame(t *testing.T) {
	w := newWorld(t, sync.Options{BodyCache: 1})
	for i := range 20 {
		w.MustWrite(boss, folder(fmt.Sprintf("f%02d", i), "ann"))
	}
	got, cursor := told(t, w, ann, "")
	if len(got) != 20 {
		t.Fatalf("told %q", got)
	}
	w.MustWrite(boss, enginetest.Update("folder", "f07", 0, sync.Fields{"name": "x"}))
	got, _ = told(t, w, ann, cursor)
	wantTold(t, got, "put folder/f07")
	if name := w.View(ann)[sync.Key{Kind: "folder", ID: "f07"}]["name"]; name != "x" {
		t.Fatalf("name %v", name)
	}
}

// While documents change under a running scan, no page holds a body that is
// not the newest one its head knows, and the whole adds up.
func TestCase22ChangesUnderAScan(t *testing.T) {
	w := newWorld(t, sync.Options{BodyCache: 4 << 10})
	for i := range 30 {
		w.MustWrite(boss, folder(fmt.Sprint("f", i), "ann"))
	}
	stop := make(chan struct{})
	var g stdsync.WaitGroup
	defer g.Wait()
	defer close(stop)
	g.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if err := w.Write(boss, enginetest.Update("folder", fmt.Sprint("f", i%30), 0, sync.Fields{"name": fmt.Sprint(i)})); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 20 {
		cursor := ""
		for range 40 {
			page, err := w.Workspace.Pull(t.Context(), ann, cursor, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range page.Put {
				var h struct{ Rev uint64 }
				if err := json.Unmarshal(b, &h); err != nil || h.Rev > page.Head {
					t.Fatalf("body of commit %d in a page of head %d, error %v", h.Rev, page.Head, err)
				}
			}
			cursor = page.Cursor
		}
	}
}

// Numbers are given inside the append: what fails or is refused leaves no gap.
func TestCase23RefusedWritesLeaveNoGap(t *testing.T) {
	w := newWorld(t, sync.Options{})
	before, _ := w.Head(t.Context())
	wantCode(t, w.Write(boss, enginetest.Update("folder", "none", 0, sync.Fields{"name": "x"})), fault.NotFound)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Workspace.Write(cancelled, boss, sync.Write{Mutations: []sync.Mutation{folder("f1")}}); err == nil {
		t.Fatal("a cancelled request was served")
	}
	w.MustWrite(boss, folder("f2"))
	after, _ := w.Head(t.Context())
	if after.Number != before.Number+1 || w.Has("folder", "f1") {
		t.Fatalf("head %d, was %d", after.Number, before.Number)
	}
}

// A restored backup is noticed by every device that knew more, also when the
// journal has grown past what it knew.
func TestCase34RestoredBackupResets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openFiles(t, filepath.Join(dir, "a.db"), true)
	first.write(folder("f1", "ann"))
	known := first.pull("")
	first.close()
	copyFile(t, filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db"))

	lost := openFiles(t, filepath.Join(dir, "a.db"), false)
	lost.write(folder("f2", "ann"))
	ahead := lost.pull(known.Cursor)
	lost.close()

	restored := openFiles(t, filepath.Join(dir, "b.db"), false)
	defer restored.close()
	if p := restored.pull(known.Cursor); p.Reset {
		t.Fatal("a cursor from before the backup was reset")
	}
	if p := restored.pull(ahead.Cursor); !p.Reset || len(p.Put) == 0 {
		t.Fatalf("a cursor from the lost history: %+v", p)
	}
	restored.write(folder("f3", "ann"))
	restored.write(folder("f4", "ann"))
	if p := restored.pull(ahead.Cursor); !p.Reset {
		t.Fatal("a cursor from the lost history, after others have taken its numbers, was not reset")
	}
}

// files is an engine over a database file that outlives it.
type files struct {
	t     *testing.T
	store *sqlite.Store
	e     *sync.Engine
	w     *sync.Workspace
}

func openFiles(t *testing.T, path string, create bool) *files {
	t.Helper()
	reg, err := sync.NewRegistry(kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), path, reg, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &files{t: t, store: st, e: sync.New(sync.Options{Store: st, Registry: reg})}
	if create {
		f.w, err = f.e.Create(t.Context(), "w", sync.Write{Mutations: []sync.Mutation{
			enginetest.Create("settings", "settings", sync.Fields{"zone": "UTC"}),
			enginetest.Create("profile", "closed", nil),
			enginetest.Create("user", "boss", sync.Fields{"role": "admin"}),
			enginetest.Create("user", "ann", sync.Fields{"role": "technician"}),
		}})
	} else {
		f.w, err = f.e.Open(t.Context(), "w")
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *files) write(m ...sync.Mutation) {
	f.t.Helper()
	if _, err := f.w.Write(f.t.Context(), boss, sync.Write{Mutations: m}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) pull(cursor string) *sync.Page {
	f.t.Helper()
	p, err := f.w.Pull(f.t.Context(), ann, cursor, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *files) close() {
	f.t.Helper()
	if err := errors.Join(f.e.Close(context.Background()), f.store.Close()); err != nil {
		f.t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCase24ClosedStreamsLeaveNothing(t *testing.T) {
	w := newWorld(t, sync.Options{})
	_, cursor := told(t, w, ann, "")
	for range 10 {
		s, err := w.Workspace.Live(t.Context(), ann, cursor)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Next(ctx); err == nil {
			t.Fatal("a cancelled wait gave a page")
		}
		s.Close()
		s.Close()
	}
	if n := w.Streams(); n != 0 {
		t.Fatalf("%d streams are left", n)
	}
	if err := w.Evict(t.Context()); err != nil { // only a workspace nobody uses can be evicted
		t.Fatal(err)
	}
}

func TestCase26And28OneRefusedRecordStopsNothingAndIsKept(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"), folder("f2", "ann"), folder("f3"))
	told(t, w, ann, mustCursor(t, w, ann, ""))
	results := w.Push(ann,
		enginetest.Update("folder", "f1", 99, sync.Fields{"name": "one"}),
		enginetest.Update("folder", "f1", 99, sync.Fields{"name": 7.0}),
		enginetest.Update("folder", "f3", 99, sync.Fields{"name": "not mine"}),
		enginetest.Update("unheard", "x", 0, sync.Fields{"name": "x"}),
		enginetest.Update("folder", "f2", 99, sync.Fields{"name": "two"}),
	)
	want := []sync.Status{sync.Applied, sync.Rejected, sync.Rejected, sync.Rejected, sync.Applied}
	for i, r := range results {
		if r.Status != want[i] {
			t.Errorf("mutation %d: %s, should be %s", i, r.Status, want[i])
		}
	}
	if n := len(w.All("rejection")); n != 3 {
		t.Fatalf("%d rejections are kept, should be 3", n)
	}
	for id, f := range w.All("rejection") {
		if f["mutation"] == nil || f["code"] == nil || !w.Sees(boss, "rejection", id) || w.Sees(ann, "rejection", id) {
			t.Errorf("rejection %s: %v", id, f)
		}
	}
}

func TestCase27RefusalsDoNotBlockPulls(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	w.MustWrite(boss, assign("f1"))
	if r := w.PushOne(ann, enginetest.Update("folder", "nowhere", 0, sync.Fields{"name": "x"})); r.Status != sync.Rejected {
		t.Fatalf("result %+v", r)
	}
	got, _ := told(t, w, ann, cursor)
	wantTold(t, got, "drop folder:f1")
}

func TestCase29DeletedAndEdited(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	rev := w.RevOf("folder", "f1")
	w.MustWrite(boss, enginetest.Delete("folder", "f1", 0))
	r := w.PushOne(ann, enginetest.Update("folder", "f1", rev, sync.Fields{"name": "edited"}))
	if r.Status != sync.Merged || !w.Has("folder", "f1") || len(w.All("conflict")) != 1 {
		t.Fatalf("result %+v, conflicts %v", r, w.All("conflict"))
	}
	// The deletion took the scope away and the revival gave it back: renewed.
	got, _ := told(t, w, ann, cursor)
	wantTold(t, got, "drop folder:f1", "put folder/f1")
}

func TestCase30PullAfterOwnPushNeverShowsTheOldValue(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	for i := range 30 {
		r := w.PushOne(ann, enginetest.Update("folder", "f1", w.RevOf("folder", "f1"), sync.Fields{"name": fmt.Sprint(i)}))
		page, err := w.Workspace.Pull(t.Context(), ann, cursor, 0)
		if err != nil || page.Head < r.Rev {
			t.Fatalf("head %d after a push at %d, error %v", page.Head, r.Rev, err)
		}
		cursor = page.Cursor
	}
}

// Two phones, one a day ahead, one a year behind, both by an hour's old work:
// what was done later wins the field, and the journal has the order of receipt.
func TestCase31ClocksDecideNoOrder(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann", "bob"))
	rev := w.RevOf("folder", "f1")
	w.Clock.Advance(2 * time.Hour)
	push := func(a sync.Actor, skew, ago time.Duration, name string) sync.Result {
		clock := w.Clock.Now().Add(skew)
		at := clock.Add(-ago)
		m := enginetest.Update("folder", "f1", rev, sync.Fields{"name": name})
		m.At = &at
		out, err := w.Workspace.Push(t.Context(), a, sync.PushRequest{SentAt: clock, Mutations: []sync.Mutation{m}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Results[0]
	}
	behind := push(ann, -365*24*time.Hour, 10*time.Minute, "later, by the clock a year behind")
	ahead := push(bob, 24*time.Hour, 30*time.Minute, "earlier, by the clock a day ahead")
	if behind.Status != sync.Applied || ahead.Status != sync.Merged || ahead.Rev <= behind.Rev {
		t.Fatalf("results %+v, %+v", behind, ahead)
	}
	if got := w.Fields("folder", "f1")["name"]; got != "later, by the clock a year behind" {
		t.Fatalf("name %v", got)
	}
	if len(ahead.Conflicts) != 1 || ahead.Conflicts[0].Discarded != "earlier, by the clock a day ahead" {
		t.Fatalf("conflicts %+v", ahead.Conflicts)
	}
}

func TestCase35TwoPhonesOfOneTechnician(t *testing.T) {
	w := newWorld(t, sync.Options{})
	second := sync.Actor{User: "ann", Device: "tablet"}
	w.MustWrite(boss, folder("f1", "ann"))
	_, one := told(t, w, ann, "")
	w.PushOne(ann, enginetest.Update("folder", "f1", w.RevOf("folder", "f1"), sync.Fields{"name": "by phone"}))
	got, two := told(t, w, second, "")
	wantTold(t, got, "put folder/f1")
	w.MustWrite(boss, assign("f1"))
	got, _ = told(t, w, ann, one)
	wantTold(t, got, "drop folder:f1")
	got, _ = told(t, w, second, two)
	wantTold(t, got, "drop folder:f1")
}

func TestCase14RemoveAndPutInOnePageIsAnUpdate(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"), folder("f2", "ann"),
		enginetest.Create("paper", "p1", sync.Fields{"folder": "f1"}))
	_, cursor := told(t, w, ann, "")
	w.MustWrite(boss, enginetest.Update("paper", "p1", 0, sync.Fields{"folder": "f2"}))
	page, err := w.Workspace.Pull(t.Context(), ann, cursor, 0)
	if err != nil || len(page.Remove) != 0 || len(page.Put) != 1 {
		t.Fatalf("page %s, error %v", page.AppendJSON(nil), err)
	}
}

// What follows a document comes back to it when it is revived.
func TestRevivalBringsItsConflictsBack(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	told(t, w, ann, mustCursor(t, w, ann, ""))
	rev := w.RevOf("folder", "f1")
	w.MustWrite(boss, enginetest.Update("folder", "f1", 0, sync.Fields{"name": "office"}))
	w.PushOne(ann, enginetest.Update("folder", "f1", rev, sync.Fields{"name": "field"}))
	w.MustWrite(boss, enginetest.Delete("folder", "f1", 0))
	for id := range w.All("conflict") {
		w.MustWrite(boss, enginetest.Update("conflict", id, 0, sync.Fields{"resolved": true}))
		if w.Sees(ann, "conflict", id) {
			t.Fatal("the conflict of a deleted document is seen in the field")
		}
	}
	w.PushOne(ann, enginetest.Update("folder", "f1", rev, sync.Fields{"name": "late"}))
	for id := range w.All("conflict") {
		if !w.Sees(ann, "conflict", id) {
			t.Errorf("conflict %s did not come back", id)
		}
	}
}

// Refused work is kept for 90 days, and no longer.
func TestRejectionsAreKeptNinetyDays(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.PushOne(ann, enginetest.Update("folder", "nowhere", 0, sync.Fields{"name": "x"}))
	for _, c := range []struct {
		days, left int
	}{{89, 1}, {2, 0}} {
		w.Clock.Advance(time.Duration(c.days) * 24 * time.Hour)
		if _, err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(w.All("rejection")); n != c.left {
			t.Errorf("%d rejections are left, should be %d", n, c.left)
		}
	}
}
