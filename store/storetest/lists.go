package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/sync"
)

// testListIsModel compares lists with the model, for random documents and
// queries, every page of them.
func testListIsModel(t *testing.T, b *bench) {
	worlds := 0
	rapid.Check(t, func(rt *rapid.T) {
		worlds++
		m := model{index: b.index, docs: map[string]sync.Version{}}
		c := newChain(fmt.Sprint("w", worlds))
		for range rapid.IntRange(1, 3).Draw(rt, "rounds") {
			var commits []*sync.Commit
			for range rapid.IntRange(1, 8).Draw(rt, "commits") {
				commits = append(commits, c.next(m.change(rt)...))
			}
			if err := b.Append(t.Context(), c.workspace, commits); err != nil {
				rt.Fatal(err)
			}
			for range 3 {
				m.check(rt, b, c, drawQuery(rt, b.index))
			}
		}
	})
}

// check follows a query through all its pages.
func (m model) check(rt *rapid.T, b *bench, c *chain, q sync.Query) {
	want := m.list(rt, q)
	for page := 0; ; page++ {
		got, err := b.List(context.Background(), c.workspace, c.head.Number, q)
		if err != nil {
			rt.Fatal(err)
		}
		part := want[min(page*q.Limit, len(want)):min((page+1)*q.Limit, len(want))]
		if !slices.Equal(got.IDs, part) {
			rt.Fatalf("page %d of %+v gives %q, want %q", page, q, got.IDs, part)
		}
		if got.Total != len(want) || got.More {
			rt.Fatalf("page %d of %+v has total %d (%v), want %d", page, q, got.Total, got.More, len(want))
		}
		if last := (page+1)*q.Limit >= len(want); last != (got.Next == nil) {
			rt.Fatalf("page %d of %+v: next is %v, last is %v", page, q, got.Next, last)
		}
		if got.Next == nil {
			return
		}
		q.After = got.Next
	}
}

func testListReadsYourWrites(t *testing.T, b *bench) {
	var g errgroup.Group
	for w := range 4 {
		g.Go(func() error {
			c := newChain(fmt.Sprint("w", w))
			for i := range 40 {
				id := fmt.Sprintf("c%02d", i)
				if err := b.Append(t.Context(), c.workspace, []*sync.Commit{c.next(named(id, "Nom"))}); err != nil {
					return err
				}
				got, err := b.List(t.Context(), c.workspace, c.head.Number, sync.Query{
					Kind: "client", Sort: []sync.SortKey{{Field: "id", Descending: true}}, Limit: 1,
				})
				if err != nil {
					return err
				}
				if len(got.IDs) != 1 || got.IDs[0] != id || got.Total != i+1 {
					return fmt.Errorf("after %s the list gives %v", id, got)
				}
			}
			return nil
		})
	}
	must(t, g.Wait())
}

// testListPagesUnderWrites: what stands still while pages are read comes
// exactly once, whatever happens around it.
func testListPagesUnderWrites(t *testing.T, b *bench) {
	const still = 60
	c := newChain("w")
	var want []string
	for i := range still {
		id := fmt.Sprintf("still%02d", i)
		want = append(want, id)
		c.add(b, doc(id, map[string]any{"name": fmt.Sprintf("m%02d", i/3), "visits": i}))
	}
	known := *c // the readers' head; the writer goes on
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error {
		for i := 0; ctx.Err() == nil; i++ {
			moving := doc(fmt.Sprint("moving", i%7), map[string]any{"name": fmt.Sprintf("m%02d", i*5%still), "visits": i * 7 % still})
			moving.Deleted = i%5 == 0
			if err := b.Append(t.Context(), "w", []*sync.Commit{c.next(moving)}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, sort := range [][]sync.SortKey{
		nil, {{Field: "name"}}, {{Field: "name", Descending: true}}, {{Field: "name"}, {Field: "visits", Descending: true}},
	} {
		for range 5 {
			var got []string
			for q := (sync.Query{Limit: 7, Sort: sort}); ; {
				page := b.list(&known, q)
				for _, id := range page.IDs {
					if strings.HasPrefix(id, "still") {
						got = append(got, id)
					}
				}
				if q.After = page.Next; q.After == nil {
					break
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("sorted by %v: the pages hold %d documents, want %d: %q", sort, len(got), len(want), got)
			}
		}
	}
	cancel()
	must(t, g.Wait())
}

// testListHeadNotThere: a head that the store has not is an error, not a wait.
func testListHeadNotThere(t *testing.T, b *bench) {
	c := newChain("w")
	c.add(b, named("c1", "Un"))
	if _, err := b.List(t.Context(), "w", 2, sync.Query{Kind: "client", Limit: 1}); err == nil {
		t.Error("a list under a head to come succeeded")
	}
	b.isList(c, sync.Query{}, "c1")
}

// testListTotals: exact up to 10,000, beyond it a lower bound, by whatever
// way the list is read.
func testListTotals(t *testing.T, b *bench) {
	const all, hidden = 10100, 60
	c := newChain("w")
	var changes []sync.Version
	for i := range all {
		changes = append(changes, doc(fmt.Sprintf("c%05d", i), map[string]any{"disabled": i < hidden, "visits": i % 4}))
	}
	for part := range slices.Chunk(changes, 2000) {
		c.add(b, part...)
	}
	notHidden := b.equal("disabled", "true")
	notHidden.Not = true
	two := b.equal("visits", "1")
	two.Values = append(two.Values, b.entry("visits", "2"))
	seen := func(id string) bool { return id >= "c00100" }
	for name, want := range map[string]struct {
		q     sync.Query
		total int
		more  bool
	}{
		"all":               {sync.Query{}, 10000, true},
		"all but hidden":    {sync.Query{Filters: []sync.Filter{notHidden}}, 10000, true},
		"hidden":            {sync.Query{Filters: []sync.Filter{b.equal("disabled", "true")}}, hidden, false},
		"quarter":           {sync.Query{Filters: []sync.Filter{b.equal("visits", "3")}}, all / 4, false},
		"quarter shown":     {sync.Query{Filters: []sync.Filter{b.equal("visits", "3"), notHidden}}, (all - hidden) / 4, false},
		"half":              {sync.Query{Filters: []sync.Filter{two}}, all / 2, false},
		"visible":           {sync.Query{Visible: seen}, all - 100, false},
		"visible, filtered": {sync.Query{Visible: seen, Filters: []sync.Filter{b.equal("visits", "0"), notHidden}}, (all - 100) / 4, false},
	} {
		want.q.Sort = []sync.SortKey{{Field: "visits", Descending: true}}
		got := b.list(c, want.q)
		if got.Total != want.total || got.More != want.more {
			t.Errorf("%s: total %d (more %v), want %d (%v)", name, got.Total, got.More, want.total, want.more)
		}
		if n := min(100, want.total); len(got.IDs) != n {
			t.Errorf("%s: %d documents on the page, want %d", name, len(got.IDs), n)
		}
	}
}

func testSearch(t *testing.T, b *bench) {
	c := newChain("w")
	c.add(b,
		doc("c1", map[string]any{"name": "Dépanneur Élan", "phone": "(514) 738-1234"}),
		doc("c2", map[string]any{"name": "Cœur de Ville", "note": "Porte arrière, sonner 2 fois"}),
		doc("c3", map[string]any{"name": "PLOMBERIE TREMBLAY", "phone": "418.555.0199 poste 22"}),
	)
	for words, want := range map[string][]string{
		"depanneur":  {"c1"},
		"elan dep":   {"c1"},
		"elan coeur": nil,
		"coeur":      {"c2"},
		"arriere 2":  {"c2"},
		"trem":       {"c3"},
		"remblay":    nil, // no word starts so
		"738 1234":   {"c1"},
		"7381234":    {"c1"},
		"514738":     {"c1"},
		"5550199":    {"c3"},
		"d":          {"c1", "c2"},
		"":           {"c1", "c2", "c3"},
	} {
		b.isList(c, sync.Query{Words: strings.Fields(words)}, want...)
	}
	c.add(b, doc("c1", map[string]any{"name": "Autre nom"}), gone(named("c3", "PLOMBERIE TREMBLAY")))
	b.isList(c, sync.Query{Words: []string{"elan"}})
	b.isList(c, sync.Query{Words: []string{"trem"}})
	b.isList(c, sync.Query{Words: []string{"autre"}}, "c1")
}

// testNewIndexer: lists follow the fields that are declared now, also for
// documents that nobody has changed since.
func testNewIndexer(t *testing.T, b *bench) {
	c := newChain("w")
	for i := range 150 {
		c.add(b, doc(fmt.Sprintf("c%03d", i), map[string]any{"name": "Nom", "city": fmt.Sprint("Ville ", i%3)}))
	}
	c.add(b, gone(named("c002", "Nom")))
	must(t, b.Close())
	b.index = kinds(t, sync.Field{Name: "city", Type: sync.Text, Filter: true, Search: true})
	b.Store = b.open(t, b.place, b.index)
	q := sync.Query{Filters: []sync.Filter{b.equal("city", "Ville 2")}}
	if got := b.list(c, q); got.Total != 49 {
		t.Fatalf("by the new field %d documents are found, want 49", got.Total)
	}
	b.isList(c, sync.Query{Words: []string{"nom"}})
	if got := b.list(c, sync.Query{Words: []string{"ville"}}); got.Total != 149 {
		t.Fatalf("by the new words %d documents are found, want 149", got.Total)
	}
	c.add(b, doc("c000", map[string]any{"city": "Ville 2"}))
	if got := b.list(c, q); got.Total != 50 {
		t.Fatalf("after a change %d documents are found, want 50", got.Total)
	}
}

// errIndex is what a brokenIndexer gives.
var errIndex = errors.New("cannot index this")

// brokenIndexer fails on documents of kind "broken".
type brokenIndexer struct{ sync.Indexer }

func (b brokenIndexer) Index(kind string, body []byte) ([]sync.Entry, []string, error) {
	if kind == "broken" {
		return nil, nil, errIndex
	}
	return b.Indexer.Index(kind, body)
}

// testIndexerFails: a document that cannot be indexed is told to whoever asks
// for lists of its workspace, and keeps no other workspace from its own.
func testIndexerFails(t *testing.T, b *bench) {
	must(t, b.Close())
	b.Store = b.open(t, b.place, brokenIndexer{b.index})
	bad, good := newChain("bad"), newChain("good")
	bad.add(b, docOf("broken", "x", nil))
	good.add(b, named("c1", "Un"))
	for range 2 {
		_, err := b.List(t.Context(), "bad", 1, sync.Query{Kind: "client", Limit: 1})
		if !errors.Is(err, errIndex) {
			t.Fatalf("list of the bad workspace gave %v", err)
		}
	}
	b.isList(good, sync.Query{}, "c1")
	good.add(b, named("c2", "Deux"))
	b.isList(good, sync.Query{}, "c1", "c2")
}
