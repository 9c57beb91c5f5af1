package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

// testCancelledAppend: who stops waiting cannot know, but what stands is whole.
func testCancelledAppend(t *testing.T, b *bench) {
	c := newChain("w")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	commit := c.next(named("c1", "1"))
	if err := b.Append(ctx, "w", []*sync.Commit{commit}); err == nil {
		return // it came through: allowed
	}
	head, err := b.Head(t.Context(), "w")
	must(t, err)
	if head.Number == 0 {
		must(t, b.Append(t.Context(), "w", []*sync.Commit{commit}))
	}
	must(t, b.Append(t.Context(), "w", []*sync.Commit{commit})) // standing now
	b.isJournal("w", c.commits)
}

func testResultsBelongToYou(t *testing.T, b *bench) {
	c := newChain("w")
	c.add(b, named("c1", "Un"))
	must(t, b.SaveNotes(t.Context(), "w", map[string][]byte{"k": []byte("value")}))
	scribble := func(p []byte) {
		for i := range p {
			p[i] = 'X'
		}
	}
	scribble(b.documents("w", "c1")["c1"].Body)
	scribble(b.journal("w", 1, 0)[0].Changes[0].Body)
	notes, err := b.Notes(t.Context(), "w", "")
	must(t, err)
	scribble(notes["k"])
	b.isJournal("w", c.commits)
	if got := b.documents("w", "c1")["c1"]; string(got.Body) != string(c.commits[0].Changes[0].Body) {
		t.Fatal("a caller's change reached the store")
	}
	if notes, err := b.Notes(t.Context(), "w", ""); err != nil || string(notes["k"]) != "value" {
		t.Fatalf("notes are %q, %v", notes, err)
	}
}

func testReopenKeeps(t *testing.T, b *bench) {
	ctx := t.Context()
	c := newChain("w")
	for i := range 30 {
		c.add(b, named(fmt.Sprint("c", i%10), fmt.Sprint("Nom ", i)), docOf("note", fmt.Sprint("n", i), nil))
	}
	c.add(b, gone(named("c3", "Nom 23")))
	must(t, b.SaveNotes(ctx, "w", map[string][]byte{"k": []byte("v")}))
	must(t, b.SaveCheckpoint(ctx, "w", c.head, [][]byte{[]byte("a"), []byte("b")}))
	b.reopen()
	b.isJournal("w", c.commits)
	if got := b.documents("w", "c3", "c4"); !got["c3"].Deleted || got["c4"].Rev != 25 {
		t.Fatalf("documents are %v", got)
	}
	hasOutcomes(t, b, "w", c.commits...)
	if got := b.list(c, sync.Query{}); got.Total != 9 {
		t.Fatalf("list is %v", got)
	}
	notes, err := b.Notes(ctx, "w", "")
	if err != nil || string(notes["k"]) != "v" {
		t.Fatalf("notes are %q, %v", notes, err)
	}
	head, chunks, err := b.LoadCheckpoint(ctx, "w")
	if err != nil || head != c.head || len(chunks) != 2 {
		t.Fatalf("checkpoint is %v, %q, %v", head, chunks, err)
	}
	c.add(b, named("c3", "Encore")) // revived, after the reopening
	b.isList(c, sync.Query{Words: []string{"encore"}}, "c3")
	must(t, b.Append(ctx, "w", c.commits)) // all of it stands
}

func testClosedRefuses(t *testing.T, b *bench) {
	c := newChain("w")
	c.add(b, named("c1", "Un"))
	must(t, b.Close())
	if err := b.Append(t.Context(), "w", []*sync.Commit{c.next()}); err == nil {
		t.Error("append to a closed store succeeded")
	}
	if _, err := b.Head(t.Context(), "w"); err == nil {
		t.Error("a closed store gave a head")
	}
	if _, err := b.List(t.Context(), "w", 1, sync.Query{Kind: "client", Limit: 1}); err == nil {
		t.Error("a closed store gave a list")
	}
	must(t, b.Close()) // again, without effect
	b.Store = b.open(t, b.place, b.index)
	b.isJournal("w", c.commits[:1])
}

// stuckIndexer says when it is asked, and then waits to be let go.
type stuckIndexer struct {
	sync.Indexer
	asked, release chan struct{}
}

func (s stuckIndexer) Index(kind string, body []byte) ([]sync.Entry, []string, error) {
	s.asked <- struct{}{}
	<-s.release
	return s.Indexer.Index(kind, body)
}

// testCloseFreesWhoWaits: who waits for a list to be brought to head gets an
// error when the store closes.
func testCloseFreesWhoWaits(t *testing.T, b *bench) {
	must(t, b.Close())
	stuck := stuckIndexer{b.index, make(chan struct{}, 1), make(chan struct{})}
	b.Store = b.open(t, b.place, stuck)
	c := newChain("w")
	c.add(b, named("c1", "Un"))
	var g errgroup.Group
	g.Go(func() error {
		_, err := b.List(t.Context(), "w", 1, sync.Query{Kind: "client", Limit: 1})
		if err == nil {
			return errors.New("the list was answered")
		}
		return nil
	})
	<-stuck.asked
	g.Go(b.Close)
	g.Go(func() error { // the indexer is let go only once nobody waits for it
		defer close(stuck.release)
		_, err := b.List(t.Context(), "w", 1, sync.Query{Kind: "client", Limit: 1})
		if err == nil {
			return errors.New("the list was answered")
		}
		return nil
	})
	must(t, g.Wait())
}
