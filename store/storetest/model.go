package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/internal/fold"
	"github.com/enroute-field/enroute/sync"
)

// model answers queries in the plainest way: it looks at every document.
type model struct {
	index sync.Indexer
	docs  map[string]sync.Version // live ones
}

// row is a document as the model looks at it.
type row struct {
	id      string
	entries []sync.Entry
	words   []string
}

// list gives the ids of all that meet the query, in order.
func (m model) list(t *rapid.T, q sync.Query) []string {
	var rows []row
	for id, v := range m.docs {
		entries, words, err := m.index.Index(v.Kind, v.Body)
		if err != nil {
			t.Fatal(err)
		}
		r := row{id, entries, words}
		if v.Kind == q.Kind && r.matches(q) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return compare(q.Sort, a, b) })
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.id)
	}
	return ids
}

func (r row) matches(q sync.Query) bool {
	for _, f := range q.Filters {
		if r.meets(f) == f.Not {
			return false
		}
	}
	for _, w := range q.Words {
		if !slices.ContainsFunc(r.words, func(have string) bool { return strings.HasPrefix(have, w) }) {
			return false
		}
	}
	return q.Visible == nil || q.Visible(r.id)
}

func (r row) meets(f sync.Filter) bool {
	for _, e := range r.entries {
		if e.Field != f.Field {
			continue
		}
		if f.Op == sync.Exists {
			return true
		}
		for _, v := range f.Values {
			switch {
			case f.Op == sync.Equal && e.Exact == v.Exact,
				f.Op == sync.AtLeast && e.Order >= v.Order,
				f.Op == sync.AtMost && e.Order <= v.Order,
				f.Op == sync.Prefix && strings.HasPrefix(e.Order, v.Order):
				return true
			}
		}
	}
	return false
}

// least value of a field; false when there is none.
func (r row) least(field string) (least string, ok bool) {
	for _, e := range r.entries {
		if e.Field == field && (!ok || e.Order < least) {
			least, ok = e.Order, true
		}
	}
	return least, ok
}

func compare(keys []sync.SortKey, a, b row) int {
	for _, k := range keys {
		av, aok := a.least(k.Field)
		bv, bok := b.least(k.Field)
		switch {
		case aok && !bok:
			return -1
		case !aok && bok:
			return 1
		case av != bv && k.Descending:
			return cmp.Compare(bv, av)
		case av != bv:
			return cmp.Compare(av, bv)
		}
	}
	if len(keys) > 0 && keys[0].Descending {
		return cmp.Compare(b.id, a.id)
	}
	return cmp.Compare(a.id, b.id)
}

// What documents and queries are drawn from: few values, so that they meet.
var (
	names  = []string{"Élan", "elan", "Élan Vert", "Bois", "bois-franc", "Zoé", "12", "a\u0301b", "œuf", ""}
	phones = []string{"(514) 738-1234", "5147381234", "738-1234", "", "poste 2"}
	dates  = []string{"2026-01-02", "2026-11-21", "2027-01-01"}
	tags   = []string{"A", "a", "b", "Ç", "c"}
	fields = []string{"name", "phone", "visits", "disabled", "since", "tags", "custom.color", "custom.size", "id", "nowhere"}
)

// change draws what one commit does, and does it to the model.
func (m model) change(t *rapid.T) []sync.Version {
	changes := map[string]sync.Version{}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		id := fmt.Sprint("c", rapid.IntRange(0, 20).Draw(t, "id"))
		v := doc(id, drawMembers(t))
		v.Deleted = rapid.IntRange(0, 4).Draw(t, "deletes") == 0
		changes[id] = v
		if v.Deleted {
			delete(m.docs, id)
		} else {
			m.docs[id] = v
		}
	}
	var out []sync.Version
	for _, v := range changes {
		out = append(out, v)
	}
	return out
}

func drawMembers(t *rapid.T) map[string]any {
	members := map[string]any{
		"name":     rapid.SampledFrom(names).Draw(t, "name"),
		"phone":    rapid.SampledFrom(phones).Draw(t, "phone"),
		"visits":   rapid.SampledFrom([]float64{-1.5, 0, 3, 3, 1e9}).Draw(t, "visits"),
		"disabled": rapid.Bool().Draw(t, "disabled"),
		"since":    rapid.SampledFrom(dates).Draw(t, "since"),
		"tags":     rapid.SliceOfN(rapid.SampledFrom(tags), 0, 3).Draw(t, "tags"),
		"custom": map[string]any{
			"color": rapid.SampledFrom([]any{"Rouge", "rouge", 12.0, "12", "9", true, nil}).Draw(t, "color"),
			"size":  rapid.SampledFrom([]any{1.0, 2.0, 10.0, "L"}).Draw(t, "size"),
		},
	}
	for name := range members {
		if rapid.IntRange(0, 3).Draw(t, "leave out "+name) == 0 {
			delete(members, name)
		}
	}
	return members
}

// drawQuery draws any query that may be asked of clients.
func drawQuery(t *rapid.T, index *sync.Registry) sync.Query {
	q := sync.Query{Kind: "client", Limit: rapid.SampledFrom([]int{1, 2, 3, 7, 100}).Draw(t, "limit")}
	for range rapid.IntRange(0, 2).Draw(t, "filters") {
		q.Filters = append(q.Filters, drawFilter(t, index))
	}
	for range rapid.IntRange(0, 2).Draw(t, "sort keys") {
		q.Sort = append(q.Sort, sync.SortKey{
			Field:      rapid.SampledFrom(fields).Draw(t, "sort"),
			Descending: rapid.Bool().Draw(t, "descending"),
		})
	}
	if rapid.IntRange(0, 3).Draw(t, "searches") == 0 {
		q.Words = fold.Words(rapid.SampledFrom([]string{"el", "elan v", "738", "5", "z", "1234 514"}).Draw(t, "q"))
	}
	if rapid.IntRange(0, 3).Draw(t, "hides") == 0 {
		q.Visible = func(id string) bool { return id[len(id)-1]%2 == 0 }
	}
	return q
}

func drawFilter(t *rapid.T, index *sync.Registry) sync.Filter {
	f := sync.Filter{
		Field: rapid.SampledFrom(fields).Draw(t, "filter"),
		Op:    sync.FilterOp(rapid.IntRange(int(sync.Equal), int(sync.Exists)).Draw(t, "op")),
		Not:   rapid.Bool().Draw(t, "not"),
	}
	if f.Op == sync.Exists {
		return f
	}
	texts := map[string][]string{
		"name": names, "phone": phones, "visits": {"-1.5", "0", "3", "7"}, "disabled": {"true", "false"},
		"since": dates, "tags": tags, "id": {"c1", "c10", "c2", "C2"},
	}[f.Field]
	if texts == nil {
		texts = []string{"Rouge", "r", "12", "9", "true", "L", "1"}
	}
	for _, text := range rapid.SliceOfN(rapid.SampledFrom(texts), 1, 3).Draw(t, "values") {
		e, err := sync.EntryFor(fieldOf(index, f.Field), f.Field, text)
		if err != nil {
			t.Fatal(err)
		}
		f.Values = append(f.Values, e)
	}
	return f
}

// fieldOf a path among the fields of clients.
func fieldOf(index *sync.Registry, path string) *sync.Field {
	name, _, _ := strings.Cut(path, ".")
	if f := index.Kind("client").Field(name); f != nil {
		return f
	}
	return &sync.Field{Name: name, Type: sync.Text}
}
