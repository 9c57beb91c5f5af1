package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/internal/fold"
	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// otherIndexer is that of a program of another version.
type otherIndexer struct{ sync.Indexer }

func (otherIndexer) Version() string { return "another" }

// TestTwoVersions: while a program reads a list, one of another version throws
// the lists away that it reads from. It stops before any of its commands.
func TestTwoVersions(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for n, stops := int32(1), true; stops; n++ {
		history := fmt.Sprint("h", n)
		at, free, finished := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var count atomic.Int32
		count.Store(-1000)
		p := s.start(watched(t, s.uri, func(string) {
			if count.Add(1) == n {
				close(at)
				<-free
			}
		}, nothing))
		s.upto(p, history, uint64(len(s.story)))
		p.limits = listing.Limits{}
		var got sync.Listing
		var g errgroup.Group
		count.Store(0)
		g.Go(func() (err error) {
			defer close(finished)
			got, err = p.list(context.Background(), history, uint64(len(s.story)), byName)
			return err
		})
		select {
		case <-at:
		case <-finished:
			stops = false
		}
		s.upgrade(history)
		close(free)
		must(t, g.Wait())
		if want := s.want["by name, walked"]; !reflect.DeepEqual(any(got), want) {
			t.Errorf("stopped at command %d: %+v, want %+v", n, got, want)
		}
		p.close()
	}
}

var byName = sync.Query{Kind: "client", Limit: 10, Sort: []sync.SortKey{{Field: "name"}}}

// upgrade makes lists by another program and waits until those of this one are
// gone.
func (s *stage) upgrade(history string) {
	s.t.Helper()
	p, err := newProjections(s.db, otherIndexer{s.index}, s.journal, slog.New(slog.DiscardHandler))
	must(s.t, err)
	defer p.close()
	got, err := shown(s.t.Context(), p, history, uint64(len(s.story)))
	must(s.t, err)
	if !reflect.DeepEqual(got, s.want) {
		s.t.Errorf("the other program shows %+v, want %+v", got, s.want)
	}
	_, err = p.state.until(s.t.Context(), history, ofLists, func(tr *track) bool { return len(tr.old) == 0 })
	must(s.t, err)
	all, err := p.marks.of(s.t.Context(), history)
	if err != nil || len(all) != 2 {
		s.t.Errorf("marks after the upgrade: %+v, %v", all, err)
	}
	for _, of := range []string{"listed", "entries"} {
		n, err := s.db.Collection(of).CountDocuments(s.t.Context(), bson.D{{Key: "_id.m", Value: bson.D{{Key: "$nin", Value: s.makes()}}}})
		if err != nil || n != 0 {
			s.t.Errorf("%d rows of %s are of lists that are gone, %v", n, of, err)
		}
	}
}

// makes that have a mark.
func (s *stage) makes() []string {
	s.t.Helper()
	rows, err := findAll[mark](s.t.Context(), s.db, query{from: "marks", filter: bson.D{}, limit: 1000})
	must(s.t, err)
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Make)
	}
	return out
}

// TestNewestDocuments: what was appended is given at once, though nothing of
// it can be written; and when memory does not hold it, once it is written.
func TestNewestDocuments(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]int{"held": pendingBytes, "not held": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			var stuck atomic.Bool
			free := make(chan struct{})
			p := s.start(watched(t, s.uri, func(command string) {
				if command != "find" && stuck.Load() {
					<-free
				}
			}, nothing))
			defer p.close()
			p.state.most = room
			s.upto(p, "h", 1)
			stuck.Store(true)
			s.journal.set("h", s.story[:3])
			p.appended("h", s.story[1:3])
			if room == 0 {
				close(free)
			}
			key := sync.Key{Kind: "client", ID: "b"}
			got, err := p.documents(t.Context(), "h", []sync.Key{key})
			if err != nil || len(got) != 1 || got[0].Rev != 3 || !got[0].Deleted {
				t.Errorf("document b is %+v, %v", got, err)
			}
			if room > 0 {
				close(free)
			}
			if _, err := p.reach(t.Context(), "h", ofDocuments, 3); err != nil {
				t.Error(err)
			}
			if p.state.held != 0 {
				t.Errorf("%d bytes are held of nothing", p.state.held)
			}
		})
	}
}

// TestDamagedProjections: rows that somebody has changed are told.
func TestDamagedProjections(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for name, c := range map[string]struct {
		of  string
		set bson.D
	}{
		"body":          {"documents", bson.D{{Key: "b", Value: []byte(`{"id":"a"}`)}}},
		"rev":           {"documents", bson.D{{Key: "r", Value: int64(77)}}},
		"deleted":       {"documents", bson.D{{Key: "d", Value: true}}},
		"facts":         {"listed", bson.D{{Key: "f", Value: []byte("xxxxxxxxxxxxxxxxx")}}},
		"rev of listed": {"listed", bson.D{{Key: "r", Value: int64(77)}}},
	} {
		p := s.start(s.db)
		s.upto(p, name, 5)
		filter := bson.D{{Key: "_id.h", Value: name}}
		if c.of == "listed" {
			m, err := p.marks.meet(t.Context(), name)
			must(t, err)
			filter = bson.D{{Key: "_id.m", Value: m.make}}
		}
		_, err := s.db.Collection(c.of).UpdateMany(t.Context(), filter, bson.D{{Key: "$set", Value: c.set}})
		must(t, err)
		if _, err := shown(t.Context(), p, name, 5); !errors.Is(err, sync.ErrDamaged) {
			t.Errorf("%s: changed behind the store's back, and it says %v", name, err)
		}
		p.close()
	}
}

// TestAnyText: documents are found by their words, and sorted by their names,
// whatever stands in them.
func TestAnyText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	names := []string{
		"a", "A\u0301b", "\x00", "\x00\x01 x", "a\x00b", "x\ufffd", "\U0010ffff", "x\U0010ffff\U0010ffff", "\ud7ff", "\ue000", "$gt", "a.b",
		strings.Repeat("é ", 300), "\U0001F6A7 chantier", "ſ ﬁ ﬀ",
	}
	c := &sync.Commit{Number: 1}
	for i, name := range names {
		c.Changes = append(c.Changes, client(fmt.Sprintf("c%02d", i), name, i))
		c.Changes[i].Rev = 1
	}
	s.journal.set("any", []*sync.Commit{c})
	p := s.start(s.db)
	defer p.close()
	for i, name := range names {
		e, err := sync.EntryFor(s.index.Kind("client").Field("name"), "name", name)
		must(t, err)
		queries := []sync.Query{
			{Filters: []sync.Filter{{Field: "name", Op: sync.Equal, Values: []sync.Entry{e}}}},
			{Filters: []sync.Filter{{Field: "name", Op: sync.Prefix, Values: []sync.Entry{e}}}},
			{Filters: []sync.Filter{{Field: "name", Op: sync.AtMost, Values: []sync.Entry{e}}, {Field: "name", Op: sync.AtLeast, Values: []sync.Entry{e}}}},
			{Words: fold.Words(name)},
		}
		for k, q := range queries {
			q.Kind, q.Limit = "client", 100
			got, err := p.list(t.Context(), "any", 1, q)
			if id := c.Changes[i].ID; err != nil || !strings.Contains(fmt.Sprint(got.IDs), id) {
				t.Errorf("%q is not found by query %d: %v, %v", name, k, got.IDs, err)
			}
		}
	}
	p.limits = listing.Limits{}
	got, err := p.list(t.Context(), "any", 1, sync.Query{Kind: "client", Limit: 100, Sort: byName.Sort})
	if err != nil || len(got.IDs) != len(names) {
		t.Errorf("sorted by name: %v, %v", got.IDs, err)
	}
	p.limits = listing.DefaultLimits()
	if same, err := p.list(t.Context(), "any", 1, sync.Query{Kind: "client", Limit: 100, Sort: byName.Sort}); err != nil || !reflect.DeepEqual(same, got) {
		t.Errorf("walked %v, gathered %v, %v", got.IDs, same.IDs, err)
	}
}

// TestCleanTexts: what a text of the database may begin with.
func TestCleanTexts(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"a\xffb": "a", "\xff": "", "x\ufffd": "x\ufffd", "é": "é"} {
		if got := clean(s); got != want || !utf8.ValidString(got) {
			t.Errorf("clean %q is %q, want %q", s, got, want)
		}
	}
}
