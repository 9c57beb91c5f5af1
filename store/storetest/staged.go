package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

// staged is the name of the suite's staged history.
const staged = sync.StagedPrefix + "restore/w"

// beside saves a note and a checkpoint of one chunk that tell whose they are.
func (b *bench) beside(c *chain, whose string) {
	b.t.Helper()
	must(b.t, b.SaveNotes(b.t.Context(), c.workspace, map[string][]byte{"whose": []byte(whose), "of " + whose: {}}))
	must(b.t, b.SaveCheckpoint(b.t.Context(), c.workspace, c.head, [][]byte{[]byte(whose)}))
}

// isBeside checks that exactly what beside saved is there.
func (b *bench) isBeside(workspace string, head sync.Head, whose string) {
	b.t.Helper()
	notes, err := b.Notes(b.t.Context(), workspace, "")
	must(b.t, err)
	if len(notes) != 2 || string(notes["whose"]) != whose {
		b.t.Fatalf("notes of %s are %q, want those of %s", workspace, notes, whose)
	}
	got, chunks, err := b.LoadCheckpoint(b.t.Context(), workspace)
	if err != nil || got != head || len(chunks) != 1 || string(chunks[0]) != whose {
		b.t.Fatalf("checkpoint of %s is %v, %q, %v, want that of %s", workspace, got, chunks, err, whose)
	}
}

// isNothing checks that nothing at all is found under a name.
func (b *bench) isNothing(name string, gone *chain) {
	b.t.Helper()
	ctx := b.t.Context()
	if head, err := b.Head(ctx, name); err != nil || head.Number != 0 {
		b.t.Fatalf("head of %s is %v, %v", name, head, err)
	}
	if got := b.journal(name, 1, 0); len(got) != 0 {
		b.t.Fatalf("journal of %s has %d commits", name, len(got))
	}
	if got := b.documents(name, "c1", "c2"); len(got) != 0 {
		b.t.Fatalf("documents of %s are %v", name, got)
	}
	for _, c := range gone.commits {
		if refs, err := b.Outcomes(ctx, name, ids(c.Outcomes...)); err != nil || len(refs) != 0 {
			b.t.Fatalf("outcomes of %s are %v, %v", name, refs, err)
		}
	}
	if notes, err := b.Notes(ctx, name, ""); err != nil || len(notes) != 0 {
		b.t.Fatalf("notes of %s are %q, %v", name, notes, err)
	}
	if _, _, err := b.LoadCheckpoint(ctx, name); !errors.Is(err, sync.ErrMissing) {
		b.t.Fatalf("loading the checkpoint of %s gave %v", name, err)
	}
}

// ids of mutations.
func ids(outcomes ...sync.Outcome) []uuid.UUID {
	var out []uuid.UUID
	for i := range outcomes {
		out = append(out, outcomes[i].ID)
	}
	return out
}

func (b *bench) isWorkspaces(want ...string) {
	b.t.Helper()
	if names, err := b.Workspaces(b.t.Context()); err != nil || !slices.Equal(names, want) {
		b.t.Fatalf("workspaces are %q, %v, want %q", names, err, want)
	}
}

// isChain checks that all of a history is found under its name: commits,
// current documents, outcomes, revisions, list and search.
func (b *bench) isChain(c *chain) {
	b.t.Helper()
	b.isJournal(c.workspace, c.commits)
	hasOutcomes(b.t, b, c.workspace, c.commits...)
	current, revs := map[string]sync.Version{}, map[string][]uint64{}
	for _, commit := range c.commits {
		for _, v := range commit.Changes {
			current[v.ID] = v
			revs[v.ID] = slices.Insert(revs[v.ID], 0, commit.Number)
		}
	}
	var live []string
	for id, want := range current {
		if got := b.documents(c.workspace, id)[id]; got.Rev != want.Rev || got.Deleted != want.Deleted || string(got.Body) != string(want.Body) {
			b.t.Fatalf("document %s of %s is %v, want %v", id, c.workspace, got, want)
		}
		if !want.Deleted {
			live = append(live, id)
		}
		got, err := b.Revisions(b.t.Context(), c.workspace, c.head.Number, want.Key, 0, 100)
		if err != nil || !slices.Equal(got, revs[id]) {
			b.t.Fatalf("revisions of %s in %s are %v, %v, want %v", id, c.workspace, got, err, revs[id])
		}
	}
	slices.Sort(live)
	b.isList(c, sync.Query{}, live...)
	b.isList(c, sync.Query{Words: []string{"x"}}, live...)
}

func testStagedIsCitizen(t *testing.T, b *bench) {
	live, next := newChain("w"), newChain(staged)
	live.add(b, named("c1", "x live"))
	next.add(b, named("c1", "x staged"), named("c2", "x staged"))
	next.add(b, named("c1", "x staged again"), gone(named("c2", "")))
	b.beside(live, "live")
	b.beside(next, "staged")
	b.isChain(live)
	b.isChain(next)
	b.isWorkspaces("w")
	b.reopen()
	b.isChain(next)
	b.isBeside("w", live.head, "live")
	b.isBeside(staged, next.head, "staged")
	b.isWorkspaces("w")
}

func testPromote(t *testing.T, b *bench) {
	old, next, other := newChain("w"), newChain(staged), newChain("other")
	other.add(b, named("c1", "x other"))
	for i := range 20 {
		old.add(b, named("c1", fmt.Sprint("x old ", i)), named("only-old", "x old"))
	}
	next.add(b, named("c1", "x new"), named("c2", "x new"))
	next.add(b, gone(named("c2", "")))
	b.beside(old, "old")
	b.beside(next, "new")
	b.isChain(old)
	must(t, b.Promote(t.Context(), staged, "w", old.head))
	next.workspace = "w"
	check := func() {
		b.isNothing(staged, next)
		b.isChain(next)
		b.isBeside("w", next.head, "new")
		b.isChain(other)
		b.isWorkspaces("other", "w")
		if got := b.documents("w", "only-old"); len(got) != 0 {
			t.Fatalf("documents of the old history are found: %v", got)
		}
		if err := b.Append(t.Context(), "w", []*sync.Commit{old.next(named("c1", "late"))}); !errors.Is(err, sync.ErrConflict) {
			t.Fatalf("an append to the old history gave %v", err)
		}
		refs, err := b.Outcomes(t.Context(), "w", ids(old.commits[0].Outcomes...))
		if err != nil || len(refs) != 0 {
			t.Fatalf("outcomes of the old history are found: %v, %v", refs, err)
		}
	}
	check()
	b.reopen()
	check()
	next.add(b, named("c3", "x more"))
	b.isChain(next)
	// The name is free for another.
	second := newChain(staged)
	second.add(b, named("c9", "x second"))
	b.isChain(second)
	must(t, b.Promote(t.Context(), staged, "w", next.head))
	second.workspace = "w"
	b.isChain(second)
}

func testPromoteToNothing(t *testing.T, b *bench) {
	next := newChain(staged)
	next.add(b, named("c1", "x"))
	b.beside(next, "new")
	b.beside(newChain("w"), "what lay there")
	must(t, b.Promote(t.Context(), staged, "w", sync.Head{}))
	next.workspace = "w"
	b.isChain(next)
	b.isBeside("w", next.head, "new")
	b.isWorkspaces("w")
}

func testPromoteRefuses(t *testing.T, b *bench) {
	live, next := newChain("w"), newChain(staged)
	live.add(b, named("c1", "x"))
	before := live.head
	live.add(b, named("c1", "x again"))
	next.add(b, named("c1", "x new"))
	b.beside(live, "live")
	forged := live.head
	forged.Hash[0]++
	for name, was := range map[string]sync.Head{"moved": before, "nothing": {}, "another chain": forged} {
		if err := b.Promote(t.Context(), staged, "w", was); !errors.Is(err, sync.ErrConflict) {
			t.Errorf("%s: promote gave %v, want a conflict", name, err)
		}
	}
	for _, names := range [][2]string{{"w", "v"}, {staged, staged + "2"}, {"w", staged}} {
		if err := b.Promote(t.Context(), names[0], names[1], live.head); err == nil {
			t.Errorf("%s was promoted to %s", names[0], names[1])
		}
	}
	if err := b.Drop(t.Context(), "w"); err == nil {
		t.Error("a workspace was dropped")
	}
	live.add(b, named("c2", "x")) // goes on
	b.isChain(live)
	b.isChain(next)
	notes, err := b.Notes(t.Context(), "w", "")
	if err != nil || len(notes) != 2 {
		t.Fatalf("notes are %q, %v", notes, err)
	}
}

// testPromoteUnderAppends lets a writer append while others promote: what was
// acknowledged before a promotion succeeded is what it was made for.
func testPromoteUnderAppends(t *testing.T, b *bench) {
	live, next := newChain("w"), newChain(staged)
	live.add(b, named("c1", "x"))
	next.add(b, named("c1", "x new"))
	var g errgroup.Group
	acknowledged := live.head
	g.Go(func() error {
		for {
			c := live.next(named("c1", "x"))
			if err := b.Append(t.Context(), "w", []*sync.Commit{c}); errors.Is(err, sync.ErrConflict) {
				return nil
			} else if err != nil {
				return err
			}
			acknowledged = sync.Head{Number: c.Number, Hash: c.Hash}
		}
	})
	var was sync.Head
	g.Go(func() error {
		for {
			var err error
			if was, err = b.Head(t.Context(), "w"); err != nil {
				return err
			}
			if err = b.Promote(t.Context(), staged, "w", was); !errors.Is(err, sync.ErrConflict) {
				return err
			}
		}
	})
	must(t, g.Wait())
	if was.Number != acknowledged.Number || was.Hash != acknowledged.Hash {
		t.Fatalf("promoted over head %d, commit %d had been acknowledged", was.Number, acknowledged.Number)
	}
	next.workspace = "w"
	b.isChain(next)
}

// testPromoteAgain: one of two wins, and whoever comes again hears that the
// staged history is not there.
func testPromoteAgain(t *testing.T, b *bench) {
	old, next := newChain("w"), newChain(staged)
	old.add(b, named("c1", "x old"))
	next.add(b, named("c1", "x new"))
	errs := make(chan error, 4)
	var g errgroup.Group
	for range cap(errs) {
		g.Go(func() error {
			errs <- b.Promote(t.Context(), staged, "w", old.head)
			return nil
		})
	}
	must(t, g.Wait())
	close(errs)
	won := false
	for err := range errs {
		if err == nil {
			won = true
		} else if !errors.Is(err, sync.ErrMissing) && !errors.Is(err, sync.ErrConflict) {
			t.Errorf("a rival got %v", err)
		}
	}
	if !won {
		t.Fatal("nobody promoted it")
	}
	for range 2 {
		if err := b.Promote(t.Context(), staged, "w", old.head); !errors.Is(err, sync.ErrMissing) {
			t.Fatalf("promoting again gave %v", err)
		}
	}
	next.workspace = "w"
	b.isChain(next)
}

func testDrop(t *testing.T, b *bench) {
	live, first := newChain("w"), newChain(staged)
	live.add(b, named("c1", "x live"))
	for i := range 10 {
		first.add(b, named("c1", fmt.Sprint("x ", i)), named("c2", "x"))
	}
	b.isChain(first)
	b.beside(first, "first")
	must(t, b.Drop(t.Context(), staged))
	b.isNothing(staged, first)
	if err := b.Append(t.Context(), staged, []*sync.Commit{first.next()}); !errors.Is(err, sync.ErrConflict) {
		t.Fatalf("an append to what was dropped gave %v", err)
	}
	must(t, b.Drop(t.Context(), staged)) // nothing is there
	second := newChain(staged)
	second.add(b, named("c3", "x second"))
	b.isChain(second)
	b.reopen()
	b.isChain(second)
	b.isChain(live)
	b.isWorkspaces("w")
	must(t, b.SaveNotes(t.Context(), staged+"2", map[string][]byte{"k": []byte("v")}))
	must(t, b.Drop(t.Context(), staged+"2"))
	b.isNothing(staged+"2", first)
}
