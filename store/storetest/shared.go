package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/sync"
)

// RunShared runs the part about stores that several processes have open at
// once: open is called twice with the same place.
func RunShared(t *testing.T, open Opener) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, *bench){"SharedListIsModel": testSharedListIsModel})
}

// testSharedListIsModel writes through one store and then the other, asks
// either for lists meanwhile, and compares the lists of both, their documents
// and histories with the model.
func testSharedListIsModel(t *testing.T, b *bench) {
	const most = 25 // worlds; each takes long
	other := *b
	other.Store = b.open(t, b.place, b.index)
	defer func() { must(t, other.Close()) }()
	both := []*bench{b, &other}
	worlds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if worlds++; worlds > most {
			return
		}
		w := &shared{m: model{index: b.index, docs: map[string]sync.Version{}}, c: newChain(fmt.Sprint("w", worlds)),
			last: map[string]sync.Version{}, revs: map[string][]uint64{}}
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			w.round(rt, both)
			for _, s := range both {
				w.m.check(rt, s, w.c, drawQuery(rt, b.index))
				w.checkDocuments(rt, s)
			}
		}
	})
}

// shared is a workspace that two stores write to.
type shared struct {
	m    model
	c    *chain
	last map[string]sync.Version // deleted ones too
	revs map[string][]uint64     // newest first
}

// round appends through either store while the other one is asked.
func (w *shared) round(rt *rapid.T, both []*bench) {
	var g errgroup.Group
	for range rapid.IntRange(1, 5).Draw(rt, "appends") {
		var commits []*sync.Commit
		for range rapid.IntRange(1, 4).Draw(rt, "commits") {
			commits = append(commits, w.next(rt))
		}
		i := rapid.IntRange(0, 1).Draw(rt, "store")
		if err := both[i].Append(context.Background(), w.c.workspace, commits); err != nil {
			rt.Fatal(err)
		}
		head, q := w.c.head.Number, drawQuery(rt, both[0].index)
		if rapid.Bool().Draw(rt, "asks") {
			g.Go(func() error {
				_, err := both[1-i].List(context.Background(), w.c.workspace, head, q)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		rt.Fatal(err)
	}
}

func (w *shared) next(rt *rapid.T) *sync.Commit {
	c := w.c.next(w.m.change(rt)...)
	for _, v := range c.Changes {
		w.last[v.ID] = v
		w.revs[v.ID] = append([]uint64{c.Number}, w.revs[v.ID]...)
	}
	return c
}

// checkDocuments through a store that has just been asked for a list, so that
// it knows of all that was appended.
func (w *shared) checkDocuments(rt *rapid.T, b *bench) {
	ctx := context.Background()
	var keys []sync.Key
	for id := range w.last {
		keys = append(keys, sync.Key{Kind: "client", ID: id})
	}
	found, err := b.Documents(ctx, w.c.workspace, keys)
	if err != nil || len(found) != len(keys) {
		rt.Fatalf("%d of %d documents, %v", len(found), len(keys), err)
	}
	for _, v := range found {
		if want := w.last[v.ID]; v.Rev != want.Rev || v.Deleted != want.Deleted || !bytes.Equal(v.Body, want.Body) {
			rt.Fatalf("document %s is of rev %d, want %d", v.ID, v.Rev, want.Rev)
		}
	}
	for id, want := range w.revs {
		got, err := b.Revisions(ctx, w.c.workspace, w.c.head.Number, sync.Key{Kind: "client", ID: id}, 0, 1000)
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("revisions of %s are %v, %v, want %v", id, got, err, want)
		}
		break // one of them tells
	}
}
