package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

func testUnknown(t *testing.T, b *bench) {
	ctx := t.Context()
	names, err := b.Workspaces(ctx)
	if err != nil || len(names) != 0 {
		t.Fatalf("an empty store has workspaces %q, %v", names, err)
	}
	head, err := b.Head(ctx, "nobody")
	if err != nil || head != (sync.Head{}) {
		t.Fatalf("head of an unknown workspace is %v, %v", head, err)
	}
	if got := b.journal("nobody", 1, 0); len(got) != 0 {
		t.Fatalf("journal of an unknown workspace has %d commits", len(got))
	}
	if got := b.documents("nobody", "c1"); len(got) != 0 {
		t.Fatalf("an unknown workspace has documents %v", got)
	}
	refs, err := b.Outcomes(ctx, "nobody", []uuid.UUID{uuid.New()})
	if err != nil || len(refs) != 0 {
		t.Fatalf("an unknown workspace has outcomes %v, %v", refs, err)
	}
	revs, err := b.Revisions(ctx, "nobody", 0, sync.Key{Kind: "client", ID: "c1"}, 0, 10)
	if err != nil || len(revs) != 0 {
		t.Fatalf("an unknown workspace has revisions %v, %v", revs, err)
	}
	if got := b.list(newChain("nobody"), sync.Query{}); len(got.IDs) != 0 || got.Total != 0 || got.Next != nil {
		t.Fatalf("list of an unknown workspace is %v", got)
	}
	// What lies beside the journal makes no workspace.
	must(t, b.SaveNotes(ctx, "nobody", map[string][]byte{"k": []byte("v")}))
	must(t, b.SaveCheckpoint(ctx, "nobody", sync.Head{}, [][]byte{[]byte("c")}))
	if names, err := b.Workspaces(ctx); err != nil || len(names) != 0 {
		t.Fatalf("notes made workspaces %q, %v", names, err)
	}
}

func testAppendedIsThere(t *testing.T, b *bench) {
	c := newChain("w")
	first := c.next(named("c1", "Un"), named("c2", "Deux"))
	second := c.next(named("c1", "Un bis"), gone(named("c2", "Deux")))
	third := c.next()
	must(t, b.Append(t.Context(), "w", []*sync.Commit{first, second, third}))
	b.isJournal("w", c.commits)
	got := b.documents("w", "c1", "c2", "c3")
	if len(got) != 2 {
		t.Fatalf("got documents %v", got)
	}
	for id, want := range map[string]sync.Version{"c1": second.Changes[0], "c2": second.Changes[1]} {
		v := got[id]
		if v.Key != want.Key || v.Rev != 2 || v.Scope != want.Scope || v.Deleted != want.Deleted ||
			string(v.Body) != string(want.Body) || string(v.Marks) != string(want.Marks) {
			t.Errorf("document %s is %v, want %v", id, v, want)
		}
	}
	hasOutcomes(t, b, "w", first, second)
}

// hasOutcomes checks that the outcomes of these commits, and no others of
// theirs, are found.
func hasOutcomes(t *testing.T, b *bench, workspace string, commits ...*sync.Commit) {
	t.Helper()
	want := map[uuid.UUID]sync.OutcomeRef{}
	ids := []uuid.UUID{uuid.New()}
	for _, c := range commits {
		for _, o := range c.Outcomes {
			want[o.ID] = sync.OutcomeRef{ID: o.ID, Digest: o.Digest, Commit: c.Number}
			ids = append(ids, o.ID)
		}
	}
	refs, err := b.Outcomes(t.Context(), workspace, ids)
	must(t, err)
	if len(refs) != len(want) {
		t.Fatalf("found %d outcomes, want %d", len(refs), len(want))
	}
	for _, ref := range refs {
		if ref != want[ref.ID] {
			t.Fatalf("outcome is %v, want %v", ref, want[ref.ID])
		}
	}
}

func testJournalBounds(t *testing.T, b *bench) {
	c := newChain("w")
	for i := range 20 {
		c.add(b, named(fmt.Sprint("c", i), "x"))
	}
	for _, bounds := range []struct{ from, to, first, last uint64 }{
		{0, 0, 1, 20}, {1, 0, 1, 20}, {1, 20, 1, 20}, {1, 99, 1, 20}, {5, 5, 5, 5}, {7, 12, 7, 12},
		{20, 0, 20, 20}, {21, 0, 0, 0}, {9, 8, 0, 0},
	} {
		var want, got []uint64
		for n := bounds.first; n > 0 && n <= bounds.last; n++ {
			want = append(want, n)
		}
		for _, c := range b.journal("w", bounds.from, bounds.to) {
			got = append(got, c.Number)
		}
		if !slices.Equal(got, want) {
			t.Errorf("journal from %d to %d gives %v, want %v", bounds.from, bounds.to, got, want)
		}
	}
}

func testJournalYieldError(t *testing.T, b *bench) {
	c := newChain("w")
	for range 5 {
		c.add(b, named("c1", "x"))
	}
	stop := errors.New("stop")
	calls := 0
	err := b.Journal(t.Context(), "w", 1, 0, func(got *sync.Commit) error {
		calls++
		// The reader may use the store meanwhile.
		if _, err := b.Head(t.Context(), "w"); err != nil {
			return err
		}
		if got.Number == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 3 {
		t.Fatalf("journal gave %v after %d commits", err, calls)
	}
}

func testConflict(t *testing.T, b *bench) {
	c := newChain("w")
	c.add(b, named("c1", "Un"))
	c.add(b, named("c1", "Un bis"))
	fork := func(number uint64, prev sync.Hash) *sync.Commit {
		other := &chain{workspace: "w", head: sync.Head{Number: number - 1, Hash: prev}}
		return other.next(named("c1", "Autre"), named("c9", "Neuf"))
	}
	for name, bad := range map[string][]*sync.Commit{
		"gap":             {fork(4, c.head.Hash)},
		"other history":   {fork(3, sync.Hash{1})},
		"past":            {fork(2, c.commits[0].Hash)},
		"first again":     {fork(1, sync.Hash{})},
		"standing + more": {c.commits[1], fork(3, c.commits[1].Hash)},
	} {
		err := b.Append(t.Context(), "w", bad)
		if !errors.Is(err, sync.ErrConflict) {
			t.Errorf("%s: append gave %v, want a conflict", name, err)
		}
		refs, err := b.Outcomes(t.Context(), "w", []uuid.UUID{bad[len(bad)-1].Outcomes[0].ID})
		if err != nil || len(refs) != 0 {
			t.Errorf("%s: refused, and left outcomes %v, %v", name, refs, err)
		}
	}
	other := newChain("empty")
	other.next()
	if err := b.Append(t.Context(), "empty", []*sync.Commit{other.next()}); !errors.Is(err, sync.ErrConflict) {
		t.Errorf("commit 2 of an empty workspace: %v, want a conflict", err)
	}
	b.isJournal("w", c.commits)
	if got := b.documents("w", "c1", "c9"); len(got) != 1 || got["c1"].Rev != 2 {
		t.Errorf("refused appends left documents %v", got)
	}
	if names, err := b.Workspaces(t.Context()); err != nil || !slices.Equal(names, []string{"w"}) {
		t.Errorf("workspaces are %q, %v", names, err)
	}
}

func testRepeat(t *testing.T, b *bench) {
	c := newChain("w")
	three := []*sync.Commit{c.next(named("c1", "1")), c.next(named("c1", "2")), c.next(named("c2", "3"))}
	must(t, b.Append(t.Context(), "w", three))
	must(t, b.Append(t.Context(), "w", three))
	must(t, b.Append(t.Context(), "w", three[:2]))
	must(t, b.Append(t.Context(), "w", three[1:2]))
	c.add(b, named("c1", "4"))
	must(t, b.Append(t.Context(), "w", three)) // standing below the head
	b.isJournal("w", c.commits)
	if got := b.documents("w", "c1"); got["c1"].Rev != 4 {
		t.Fatalf("a repeated append brought back %v", got["c1"])
	}
	revs, err := b.Revisions(t.Context(), "w", 4, sync.Key{Kind: "client", ID: "c1"}, 0, 10)
	if err != nil || !slices.Equal(revs, []uint64{4, 2, 1}) {
		t.Fatalf("revisions are %v, %v", revs, err)
	}
	must(t, b.Append(t.Context(), "w", nil)) // nothing is there already
}

func testConsecutive(t *testing.T, b *bench) {
	c := newChain("w")
	first, second := c.next(named("c1", "1")), c.next(named("c1", "2"))
	third := c.next(named("c1", "3"))
	for name, bad := range map[string][]*sync.Commit{
		"gap":        {first, third},
		"backwards":  {second, first},
		"twice":      {first, first},
		"wrong link": {first, (&chain{head: sync.Head{Number: 1}}).next()},
	} {
		if err := b.Append(t.Context(), "w", bad); err == nil {
			t.Errorf("%s: append of commits that do not follow one another succeeded", name)
		}
	}
	if head, err := b.Head(t.Context(), "w"); err != nil || head.Number != 0 {
		t.Fatalf("head is %v, %v", head, err)
	}
}

func testFirstOutcomeStays(t *testing.T, b *bench) {
	c := newChain("w")
	first := c.add(b, named("c1", "1"))
	second := c.next(named("c1", "2"))
	second.Outcomes[0].ID = first.Outcomes[0].ID
	second.Seal()
	must(t, b.Append(t.Context(), "w", []*sync.Commit{second}))
	hasOutcomes(t, b, "w", first)
}

// testRivals lets many append at each head: exactly one wins.
func testRivals(t *testing.T, b *bench) {
	const rivals, rounds = 8, 15
	c := newChain("w")
	for range rounds {
		var won atomic.Pointer[sync.Commit]
		var wins atomic.Int32
		var g errgroup.Group
		for i := range rivals {
			mine := (&chain{workspace: "w", head: c.head}).next(named("c1", fmt.Sprint(i)))
			g.Go(func() error {
				err := b.Append(t.Context(), "w", []*sync.Commit{mine})
				if err == nil {
					wins.Add(1)
					won.Store(mine)
				}
				if errors.Is(err, sync.ErrConflict) {
					return nil
				}
				return err
			})
		}
		must(t, g.Wait())
		if wins.Load() != 1 {
			t.Fatalf("%d rivals won", wins.Load())
		}
		w := won.Load()
		c.commits = append(c.commits, w)
		c.head = sync.Head{Number: w.Number, Hash: w.Hash, At: w.At}
	}
	b.isJournal("w", c.commits)
	if got := b.documents("w", "c1")["c1"]; string(got.Body) != string(c.commits[rounds-1].Changes[0].Body) {
		t.Fatal("the document is a loser's")
	}
}

// testNeighbours lets many workspaces append at once, some of them wrongly:
// a refused append does not harm the others.
func testNeighbours(t *testing.T, b *bench) {
	const workspaces, commits = 8, 20
	chains := make([]*chain, workspaces)
	var g errgroup.Group
	for i := range chains {
		c := newChain(fmt.Sprintf("w%d", i))
		chains[i] = c
		g.Go(func() error {
			for n := range commits {
				if n%3 == i%3 {
					bad := (&chain{head: sync.Head{Number: c.head.Number + 1}}).next(named("bad", "x"))
					if err := b.Append(t.Context(), c.workspace, []*sync.Commit{bad}); !errors.Is(err, sync.ErrConflict) {
						return fmt.Errorf("a gap gave %w", err)
					}
				}
				if err := b.Append(t.Context(), c.workspace, []*sync.Commit{c.next(named(fmt.Sprint("c", n), c.workspace))}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, g.Wait())
	for _, c := range chains {
		b.isJournal(c.workspace, c.commits)
		if got := b.documents(c.workspace, "c0", "bad"); len(got) != 1 {
			t.Fatalf("documents of %s are %v", c.workspace, got)
		}
	}
}

func testIsolation(t *testing.T, b *bench) {
	one, two := newChain("zwei"), newChain("eins")
	one.add(b, named("c1", "Un"))
	one.add(b, named("c2", "Deux"))
	two.add(b, named("c1", "Autre"))
	names, err := b.Workspaces(t.Context())
	if err != nil || !slices.Equal(names, []string{"eins", "zwei"}) {
		t.Fatalf("workspaces are %q, %v", names, err)
	}
	if got := b.documents("eins", "c1", "c2"); len(got) != 1 || string(got["c1"].Body) != string(two.commits[0].Changes[0].Body) {
		t.Fatalf("documents of eins are %v", got)
	}
	hasOutcomes(t, b, "eins", two.commits[0])
	ids := []uuid.UUID{one.commits[0].Outcomes[0].ID}
	if refs, err := b.Outcomes(t.Context(), "eins", ids); err != nil || len(refs) != 0 {
		t.Fatalf("eins has the outcomes of zwei: %v, %v", refs, err)
	}
	b.isList(two, sync.Query{}, "c1")
	b.isList(one, sync.Query{}, "c1", "c2")
	b.isList(one, sync.Query{Kind: "note"})
	revs, err := b.Revisions(t.Context(), "eins", 1, sync.Key{Kind: "client", ID: "c2"}, 0, 10)
	if err != nil || len(revs) != 0 {
		t.Fatalf("eins has revisions of zwei: %v, %v", revs, err)
	}
}

// testLargeCommit appends what the engine allows at most.
func testLargeCommit(t *testing.T, b *bench) {
	c := newChain("w")
	var changes []sync.Version
	for i := range sync.MaxCommitBytes / (200 << 10) {
		changes = append(changes, doc(fmt.Sprint("c", i), map[string]any{"name": "Grand", "pad": strings.Repeat("é", 100<<10)}))
	}
	c.add(b, changes...)
	c.add(b, named("c0", "Petit"))
	b.isJournal("w", c.commits)
	b.isList(c, sync.Query{Words: []string{"petit"}}, "c0")
	if got := b.list(c, sync.Query{}); got.Total != len(changes) {
		t.Fatalf("list has %d documents, want %d", got.Total, len(changes))
	}
}
