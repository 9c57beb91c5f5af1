package mongo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	stdsync "sync"
	"sync/atomic"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// memory is journals by history, as far as they are let be seen.
type memory struct {
	mu stdsync.Mutex
	of map[string][]*sync.Commit
}

func (m *memory) set(history string, commits []*sync.Commit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[history] = commits
}

func (m *memory) commits(_ context.Context, history string, from, to uint64, yield func(*sync.Commit) error) error {
	m.mu.Lock()
	all := m.of[history]
	m.mu.Unlock()
	for _, c := range all {
		if c.Number < from || c.Number > to {
			continue
		}
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) head(_ context.Context, history string) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.of[history])), nil
}

// fields of the clients of these tests.
func fields(t testing.TB) *sync.Registry {
	t.Helper()
	r, err := sync.NewRegistry(&sync.Kind{
		Name:  "client",
		Scope: func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "client:" + id, nil },
		Fields: []sync.Field{
			{Name: "name", Type: sync.Text, Filter: true, Search: true},
			{Name: "visits", Type: sync.Number, Filter: true},
			{Name: "tags", Type: sync.Texts, Filter: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func client(id, name string, visits int, tags ...string) sync.Version {
	body, err := json.Marshal(map[string]any{"kind": "client", "id": id, "name": name, "visits": visits, "tags": tags})
	if err != nil {
		panic(err) // a mistake in the test
	}
	return sync.Version{Key: sync.Key{Kind: "client", ID: id}, Scope: "client:" + id, Body: body}
}

func removed(v sync.Version) sync.Version {
	v.Deleted = true
	return v
}

// story is commits in which facts come, go and come again.
func story() []*sync.Commit {
	var out []*sync.Commit
	for _, changes := range [][]sync.Version{
		{client("a", "Élan", 1, "x", "y"), client("b", "Bois", 2), client("c", "Zoé", 3, "x"), client("e", "Est", 3)},
		{client("a", "Orme", 1, "y"), client("b", "Bois vert", 3)},
		{client("a", "Élan", 2, "x"), removed(client("b", "Bois vert", 3)), client("d", "Bois", 1, "z")},
		{client("c", "Orme", 3, "x", "z"), client("d", "Élan", 1), removed(client("e", "Est", 3))},
		{client("a", "Orme", 1, "y"), client("b", "Bois", 2, "y"), client("d", "Bois", 1, "z"), client("e", "Est", 4)},
	} {
		c := &sync.Commit{Number: uint64(len(out)) + 1, Changes: changes}
		for i := range changes {
			changes[i].Rev = c.Number
		}
		out = append(out, c)
	}
	return out
}

// shown is what projections show of the story's documents at a head.
func shown(ctx context.Context, p *projections, history string, head uint64) (map[string]any, error) {
	out := map[string]any{}
	equal := func(field, exact, order string) []sync.Filter {
		return []sync.Filter{{Field: field, Values: []sync.Entry{{Field: field, Exact: exact, Order: order}}}}
	}
	for name, q := range map[string]sync.Query{
		"all": {}, "by name": {Sort: []sync.SortKey{{Field: "name"}}}, "by tags": {Sort: []sync.SortKey{{Field: "tags", Descending: true}}},
		"Élan": {Filters: equal("name", "Élan", "elan")}, "Orme": {Filters: equal("name", "Orme", "orme")},
		"x": {Filters: equal("tags", "x", "x")}, "y": {Filters: equal("tags", "y", "y")}, "z": {Filters: equal("tags", "z", "z")},
		"bois": {Words: []string{"bo"}}, "elan": {Words: []string{"elan"}}, "vert": {Words: []string{"vert"}},
	} {
		q.Kind, q.Limit = "client", 10
		for way, limits := range map[string]listing.Limits{"gathered": listing.DefaultLimits(), "walked": {}} {
			if way == "walked" && q.Sort == nil {
				continue // what walks finds by no filter
			}
			p.limits = limits
			l, err := p.list(ctx, history, head, q)
			if err != nil {
				return nil, err
			}
			out[name+", "+way] = l
		}
	}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		key := sync.Key{Kind: "client", ID: id}
		revs, err := p.revisions(ctx, history, head, key, 0, 10)
		if err != nil {
			return nil, err
		}
		docs, err := p.documents(ctx, history, []sync.Key{key})
		if err != nil {
			return nil, err
		}
		out[id] = revs
		for _, v := range docs {
			out[id+" itself"] = fmt.Sprint(v.Rev, v.Deleted, string(v.Body))
		}
	}
	return out, nil
}

// stage is a database on which projectors meet, and the journals they follow.
type stage struct {
	t       *testing.T
	uri     string
	db      *driver.Database
	index   *sync.Registry
	journal *memory
	story   []*sync.Commit
	want    map[string]any // of the whole story
}

func newStage(t *testing.T) *stage {
	t.Helper()
	uri := mongotest.Database(t)
	s := &stage{t: t, uri: uri, db: watched(t, uri, nothing, nothing), index: fields(t), journal: &memory{of: map[string][]*sync.Commit{}}, story: story()}
	s.journal.set("oracle", s.story)
	s.want = s.end(s.start(s.db), "oracle")
	return s
}

func (s *stage) start(db *driver.Database) *projections {
	s.t.Helper()
	p, err := newProjections(db, s.index, s.journal, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// upto lets the first commits be seen and projects them.
func (s *stage) upto(p *projections, history string, head uint64) map[string]any {
	s.t.Helper()
	s.journal.set(history, s.story[:head])
	out, err := shown(s.t.Context(), p, history, head)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// end projects all and closes.
func (s *stage) end(p *projections, history string) map[string]any {
	s.t.Helper()
	defer p.close()
	return s.upto(p, history, uint64(len(s.story)))
}

// isWhole checks what a new projector shows of the whole story, and that each
// fact has its entry.
func (s *stage) isWhole(what, history string) {
	s.t.Helper()
	p := s.start(s.db)
	got := s.end(p, history)
	for name, want := range s.want {
		if !reflect.DeepEqual(got[name], want) {
			s.t.Errorf("%s: %s shows %+v, want %+v", what, name, got[name], want)
		}
	}
	m, err := p.marks.meet(s.t.Context(), history)
	if err != nil {
		s.t.Fatal(err)
	}
	rows, err := findAll[listedRow](s.t.Context(), s.db, query{from: "listed", filter: under("k", "m", m.make), limit: 100})
	if err != nil || len(rows) != 5 {
		s.t.Fatalf("%s: %d rows, %v", what, len(rows), err)
	}
	for i := range rows {
		f, err := rows[i].facts()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, term := range terms(&f) {
			e, err := one[entryRow](p.lists.entries.FindOne(s.t.Context(), among([]entryID{entryOf(rows[i].ID, term)})))
			if err != nil || e == nil {
				s.t.Errorf("%s: %s has lost its entry %q (%v)", what, rows[i].ID.ID, term, err)
			}
		}
	}
}

// TestLateProjector: a projector stops before any of its commands, goes on when
// others have gone further, and spoils nothing. Two stop like that, of
// different commits.
func TestLateProjector(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for n, stops := int32(1), true; stops; n++ {
		history := fmt.Sprint("late", n)
		first := s.start(s.db)
		s.upto(first, history, 1)
		first.close()
		var late [2]*laggard
		stops = false
		for i := range late {
			late[i] = s.lag(history, uint64(i)+2, n)
			stops = late[i].stopped() || stops
		}
		s.isWhole(fmt.Sprintf("%d commands, then nothing", n-1), history)
		for _, l := range late {
			l.goOn()
		}
		s.isWhole(fmt.Sprintf("%d commands, then late", n-1), history)
	}
}

// laggard is a projector that stops before its n-th command that writes.
type laggard struct {
	p        *projections
	at       chan struct{} // closed when it has stopped
	free     chan struct{} // closed to let it go on
	finished chan struct{}
	asked    errgroup.Group
}

func (s *stage) lag(history string, head uint64, n int32) *laggard {
	s.t.Helper()
	l := &laggard{at: make(chan struct{}), free: make(chan struct{}), finished: make(chan struct{})}
	var count atomic.Int32
	l.p = s.start(watched(s.t, s.uri, func(command string) {
		if command == "find" {
			return
		}
		if count.Add(1) == n {
			close(l.at)
			<-l.free
		}
	}, nothing))
	s.journal.set(history, s.story[:head])
	l.asked.Go(func() error {
		defer close(l.finished)
		if _, err := l.p.reach(context.Background(), history, ofLists, head); err != nil {
			return err
		}
		_, err := l.p.reach(context.Background(), history, ofDocuments, head)
		return err
	})
	return l
}

// stopped waits until it has; false when it has come to its end.
func (l *laggard) stopped() bool {
	select {
	case <-l.at:
		return true
	case <-l.finished:
		return false
	}
}

func (l *laggard) goOn() {
	close(l.free)
	_ = l.asked.Wait() // what it comes to is seen in the database
	l.p.close()
}

// TestProjectorEnds: a projector ends before or after any of its commands; the
// next one goes on from there.
func TestProjectorEnds(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, after := range []bool{false, true} {
		for n, ends := int32(1), true; ends; n++ {
			history := fmt.Sprint("ends", after, n)
			first := s.start(s.db)
			s.upto(first, history, 1)
			first.close()
			ends = s.die(history, n, after)
			s.isWhole(fmt.Sprintf("end at command %d (after it: %v)", n, after), history)
		}
	}
}

// die projects the story up to commit 3, with a projector that ends at its
// n-th command that writes; false when it does not come so far.
func (s *stage) die(history string, n int32, after bool) bool {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var p *projections
	var count atomic.Int32
	strike := func(command string) {
		if command != "find" && count.Add(1) == n {
			p.cancel()
			cancel()
		}
	}
	before, behind := strike, nothing
	if after {
		before, behind = nothing, strike
	}
	p = s.start(watched(s.t, s.uri, before, behind))
	defer p.close()
	s.journal.set(history, s.story[:3])
	for side := range sides {
		_, _ = p.reach(ctx, history, side, 3) // it may end meanwhile
	}
	return count.Load() >= n
}
