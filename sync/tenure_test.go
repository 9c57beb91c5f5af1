package sync_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// node is one of two engines over a store; its tenure is what the test says.
type node struct {
	*sync.Workspace
	t       *testing.T
	e       *sync.Engine
	tenure  atomic.Uint64
	lost    atomic.Bool  // so it is written, though the node does not know
	handled atomic.Int64 // commits that its follower was given
}

// twoNodes share a store. The first holds the workspace.
func twoNodes(t *testing.T) (a, b *node, store *sqlite.Store) {
	t.Helper()
	t.Parallel()
	reg, err := sync.NewRegistry(kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), reg, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v, err := sync.Verify(context.Background(), store, reg, "w")
		if err != nil || len(v.Problems) > 0 {
			t.Errorf("problems %v, error %v", v.Problems, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	a, b = newNode(t, store, reg, 1), newNode(t, store, reg, 0)
	if a.Workspace, err = a.e.Create(t.Context(), "w", seed()); err != nil {
		t.Fatal(err)
	}
	if b.Workspace, err = b.e.Open(t.Context(), "w"); err != nil {
		t.Fatal(err)
	}
	return a, b, store
}

func newNode(t *testing.T, store sync.Store, reg *sync.Registry, tenure uint64) *node {
	t.Helper()
	n := &node{t: t}
	n.tenure.Store(tenure)
	n.e = sync.New(sync.Options{Store: store, Registry: reg, Tenure: func(string) uint64 { return n.tenure.Load() },
		Confirm: n.confirm, Housekeeping: time.Millisecond})
	n.e.Follow(sync.Follower{Name: "count", Handle: func(context.Context, *sync.Workspace, *sync.Commit) error {
		n.handled.Add(1)
		return nil
	}})
	t.Cleanup(func() {
		if err := n.e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) confirm(context.Context, string) (uint64, error) {
	if n.lost.Load() {
		return 0, nil
	}
	return n.tenure.Load(), nil
}

func (n *node) write(m ...sync.Mutation) error {
	_, err := n.Write(n.t.Context(), boss, sync.Write{Mutations: m})
	return err
}

func (n *node) must(m ...sync.Mutation) {
	n.t.Helper()
	if err := n.write(m...); err != nil {
		n.t.Fatal(err)
	}
}

// page pulls all that is new for ann in one page.
func (n *node) page(cursor string) *sync.Page {
	n.t.Helper()
	p, err := n.Pull(n.t.Context(), ann, cursor, 0)
	if err != nil || p.More {
		n.t.Fatalf("page %+v, error %v", p, err)
	}
	return p
}

// sees says whether ann's page brings a document.
func sees(p *sync.Page, id string) bool {
	for _, body := range p.Put {
		if strings.Contains(string(body), `"id":"`+id+`"`) {
			return true
		}
	}
	return false
}

// A node that does not hold the workspace shows what the holder has written,
// and writes nothing itself.
func TestOthersReadAndDoNotWrite(t *testing.T) {
	a, b, _ := twoNodes(t)
	cursor := b.page("").Cursor
	a.must(folder("f1", "ann"))
	p := b.page(cursor)
	if !sees(p, "f1") || p.Reset {
		t.Fatalf("the other node's page: %s", p.AppendJSON(nil))
	}
	wantCode(t, b.write(folder("f2", "ann")), fault.Unavailable)
	_, err := b.Push(t.Context(), ann, sync.PushRequest{Mutations: []sync.Mutation{folder("f3", "ann")}})
	wantCode(t, err, fault.Unavailable)
	_, err = b.Live(t.Context(), ann, "")
	wantCode(t, err, fault.Unavailable)
	a.must(folder("f4", "ann"))
	if p := b.page(p.Cursor); !sees(p, "f4") || sees(p, "f2") || sees(p, "f3") {
		t.Fatalf("the other node's page: %s", p.AppendJSON(nil))
	}
}

// Whoever begins to hold the workspace has all that was acknowledged, and
// whoever believes to hold it still does no harm.
func TestTwoHolders(t *testing.T) {
	a, b, store := twoNodes(t)
	a.must(folder("f1", "ann"))
	b.page("")
	b.tenure.Store(1)
	if !sees(b.page(""), "f1") {
		t.Fatal("the new holder lacks what the old one had acknowledged")
	}
	cursor := b.page("").Cursor
	a.must(folder("f2", "ann")) // it believes in itself: a conflict, and then on top
	b.must(folder("f3", "ann"))
	if p := b.page(cursor); !sees(p, "f2") || !sees(p, "f3") {
		t.Fatalf("page %s", p.AppendJSON(nil))
	}
	newest := b.page("")
	if p := a.page(newest.Cursor); p.Reset || p.Head < newest.Head {
		t.Fatalf("a device that has seen more than the node got %s", p.AppendJSON(nil))
	}
	var causes []string
	must(t, store.Journal(t.Context(), "w", 1, 0, func(c *sync.Commit) error {
		causes = append(causes, c.Cause.Ref)
		return nil
	}))
	if n := strings.Count(strings.Join(causes, " "), "tenure"); n != 1 {
		t.Fatalf("%d tenures began, of commits %q", n, causes)
	}
}

// A node whose tenure is over without its knowledge writes nothing on top of
// its successor: what that one answers from memory stays all there is.
func TestRobbedHolderDoesNotWriteOn(t *testing.T) {
	a, b, _ := twoNodes(t)
	a.must(folder("f1", "ann"))
	a.lost.Store(true)
	b.tenure.Store(7)
	before := b.page("")
	if err := a.write(folder("f2", "ann")); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("the robbed node answered %v", err)
	}
	if p := b.page(before.Cursor); p.Head != before.Head {
		t.Fatalf("the head went from %d to %d", before.Head, p.Head)
	}
	if p := a.page(before.Cursor); p.Reset || p.Head != before.Head {
		t.Fatalf("the robbed node read on to %s", p.AppendJSON(nil))
	}
}

// What another node has done already is told under a head that has it, also by
// a node that believes in its tenure.
func TestRepetitionTellsOfWhatOthersWrote(t *testing.T) {
	a, b, _ := twoNodes(t)
	a.page("") // it knows the head
	b.tenure.Store(7)
	m := folder("f1", "ann")
	m.ID = uuid.New()
	push := sync.PushRequest{Mutations: []sync.Mutation{m}}
	first, err := b.Push(t.Context(), boss, push)
	must(t, err)
	again, err := a.Push(t.Context(), boss, push)
	must(t, err)
	if r := again.Results[0]; !r.Duplicate || r.Rev != first.Results[0].Rev || again.Head < r.Rev {
		t.Fatalf("the repetition was answered %+v under head %d", r, again.Head)
	}
}

// An append of the old holder that comes after the new one has begun finds
// its place taken: what the new one answers from memory is all there is.
func TestLateAppendOfTheOldHolderConflicts(t *testing.T) {
	a, b, store := twoNodes(t)
	head, err := store.Head(t.Context(), "w")
	must(t, err)
	late := &sync.Commit{Number: head.Number + 1, Prev: head.Hash, Nonce: uuid.New(), At: head.At, Actor: sync.System("late")}
	late.Seal()
	a.tenure.Store(0)
	b.tenure.Store(7)
	b.page("")
	if err := store.Append(t.Context(), "w", []*sync.Commit{late}); !errors.Is(err, sync.ErrConflict) {
		t.Fatalf("the late append gave %v", err)
	}
}

// A tenure that ended and began again, while another node was writing, begins
// with a look at the store.
func TestTenureThatCameBack(t *testing.T) {
	a, b, _ := twoNodes(t)
	a.must(folder("f1", "ann"))
	a.tenure.Store(0)
	b.tenure.Store(1)
	b.must(folder("f2", "ann"))
	b.tenure.Store(0)
	a.tenure.Store(2)
	if !sees(a.page(""), "f2") {
		t.Fatal("the node answers as if it had never lost the workspace")
	}
}

// A workspace that is surrendered ends its streams, and is loaded anew by
// whoever asks, with all that others have written.
func TestSurrender(t *testing.T) {
	a, b, _ := twoNodes(t)
	s, err := a.Live(t.Context(), ann, a.page("").Cursor)
	must(t, err)
	defer s.Close()
	ended := make(chan error)
	go func() {
		_, err := s.Next(t.Context())
		ended <- err
	}()
	a.must(folder("f0")) // nothing of ann's: the stream has nothing to say
	a.tenure.Store(0)
	must(t, a.e.Surrender(t.Context(), "w"))
	if err := <-ended; err == nil {
		t.Fatal("the stream goes on")
	}
	b.tenure.Store(1)
	b.must(folder("f1", "ann"))
	a.tenure.Store(2)
	if !sees(a.page(""), "f1") {
		t.Fatal("the node has not loaded what the other wrote")
	}
	must(t, a.e.Surrender(t.Context(), "unknown"))
}

// Surrendering under load neither blocks nor answers from what is old.
func TestSurrenderUnderLoad(t *testing.T) {
	a, _, _ := twoNodes(t)
	var g stdsync.WaitGroup
	for i := range 4 {
		g.Go(func() {
			for j := range 25 {
				id := fmt.Sprintf("f%d-%d", i, j)
				err := a.write(folder(id, "ann"))
				if err != nil && !fault.Is(err, fault.Unavailable) {
					t.Errorf("write: %v", err)
				}
				p, bad := a.Pull(t.Context(), ann, "", 0)
				if err == nil && bad == nil && !sees(p, id) {
					t.Errorf("%s is acknowledged and not seen", id)
				}
			}
		})
	}
	for i := range uint64(20) {
		a.tenure.Store(0)
		must(t, a.e.Surrender(t.Context(), "w"))
		a.tenure.Store(2 + i)
	}
	g.Wait()
}

// Followers work at the node that holds the workspace, from where those of
// the last one got to.
func TestFollowersWorkWhereItIsHeld(t *testing.T) {
	a, b, _ := twoNodes(t)
	a.must(folder("f1", "ann"))
	b.page("")
	if n := b.handled.Load(); n != 0 {
		t.Fatalf("the follower of the other node was given %d commits", n)
	}
	a.tenure.Store(0)
	must(t, a.e.Surrender(t.Context(), "w"))
	b.tenure.Store(1)
	waitFor(t, func() bool { return b.handled.Load() > 0 })
}

// waitFor polls what gives no event of its own, for as long as the test may take.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it never came about")
		}
	}
}

// After a restore every device starts over, also one that has seen nothing of
// what was lost, and once.
func TestRestoredCommitBeginsAnEpoch(t *testing.T) {
	a, _, store := twoNodes(t)
	a.must(folder("f1", "ann"))
	old := a.page("").Cursor
	a.tenure.Store(0)
	must(t, a.e.Surrender(t.Context(), "w"))
	head, err := store.Head(t.Context(), "w")
	must(t, err)
	must(t, store.Append(t.Context(), "w", []*sync.Commit{sync.RestoredCommit(head, head.At)}))
	a.tenure.Store(2)
	p := a.page(old)
	if !p.Reset || !sees(p, "f1") {
		t.Fatalf("page %s", p.AppendJSON(nil))
	}
	a.must(folder("f2", "ann"))
	must(t, a.e.Surrender(t.Context(), "w")) // and from a replay as well
	if p := a.page(p.Cursor); p.Reset || !sees(p, "f2") || sees(p, "f1") {
		t.Fatalf("page %s", p.AppendJSON(nil))
	}
}

// measured notes how large appends are.
type measured struct {
	sync.Store
	most atomic.Int64 // bytes of the largest
}

func (m *measured) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	size := int64(0)
	for _, c := range commits {
		size += int64(len(c.Encode()))
	}
	for most := m.most.Load(); size > most && !m.most.CompareAndSwap(most, size); most = m.most.Load() {
		continue
	}
	return m.Store.Append(ctx, workspace, commits)
}

// What waits together is appended in as many steps as a store's records need.
func TestAppendsAreBounded(t *testing.T) {
	x := newTrouble(t)
	store := &measured{Store: x.store}
	e := sync.New(sync.Options{Store: store, Registry: x.reg})
	defer func() { must(t, e.Close(context.Background())) }()
	w, err := e.Create(t.Context(), "large", seed())
	must(t, err)
	var g stdsync.WaitGroup
	for i := range 30 {
		g.Go(func() {
			req := sync.PushRequest{SentAt: time.Now()}
			for j := range 8 {
				m := folder(fmt.Sprintf("f%d-%d", i, j), "ann")
				m.Set["name"] = strings.Repeat("x", 120<<10)
				req.Mutations = append(req.Mutations, m)
			}
			if _, err := w.Push(t.Context(), boss, req); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if most := store.most.Load(); most < sync.MaxAppendBytes/3 || most > sync.MaxAppendBytes {
		t.Fatalf("the largest append had %d bytes", most)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
