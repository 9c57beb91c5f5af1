package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// query is a sync.Query with the integers of its list and columns.
type query struct {
	sync.Query
	list    int64
	size    int // documents in the list
	filters []filter
	sort    []sortKey
}

// filter is a condition on a column.
type filter struct {
	column column
	ranges []span
	not    bool
}

// column of a list; the zero column, of a field that no document has, is empty.
type column struct {
	id   int64
	many bool // some document has, or had, several entries in it
	docs int  // that have an entry in it
}

// span is a range of entries: by ord, both ends included, and of those with
// this exact value, unless it is NULL.
type span struct {
	from, to string
	exact    sql.NullString
}

type sortKey struct {
	column     column
	descending bool
}

// top is greater than every ord.
const top = "\xff"

// spans of a filter: it matches what lies in one of them.
func spans(f sync.Filter) []span {
	if f.Op == sync.Exists {
		return []span{{from: "", to: top}}
	}
	var out []span
	for _, v := range f.Values {
		var s span
		switch f.Op {
		case sync.AtLeast:
			s = span{from: v.Order, to: top}
		case sync.AtMost:
			s = span{from: "", to: v.Order}
		case sync.Prefix:
			s = span{from: v.Order, to: beyond(v.Order)}
		default:
			s = span{from: v.Order, to: v.Order, exact: sql.NullString{String: v.Exact, Valid: true}}
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (s span) holds(e entry) bool {
	return e.ord >= s.from && e.ord <= s.to && (!s.exact.Valid || s.exact.String == e.exact)
}

// compile looks up the integers; false when the workspace has no such list.
func (r *reader) compile(ctx context.Context, ws int64, q sync.Query) (*query, bool, error) {
	if err := check(q); err != nil {
		return nil, false, err
	}
	c := &query{Query: q}
	err := r.findList.QueryRowContext(ctx, ws, q.Kind).Scan(&c.list, &c.size)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find the list: %w", err)
	}
	for _, f := range q.Filters {
		col, err := r.column(ctx, c.list, f.Field)
		if err != nil {
			return nil, false, err
		}
		c.filters = append(c.filters, filter{col, spans(f), f.Not})
	}
	for _, k := range q.Sort {
		col, err := r.column(ctx, c.list, k.Field)
		if err != nil {
			return nil, false, err
		}
		c.sort = append(c.sort, sortKey{col, k.Descending})
	}
	return c, true, nil
}

func check(q sync.Query) error {
	if q.Limit < 1 {
		return fmt.Errorf("list with limit %d", q.Limit)
	}
	if q.After != nil && (len(q.After.Order) != len(q.Sort) || len(q.After.Missing) != len(q.Sort)) {
		return errors.New("list after the place of another sort")
	}
	return nil
}

func (r *reader) column(ctx context.Context, list int64, field string) (c column, err error) {
	err = r.findColumn.QueryRowContext(ctx, list, field).Scan(&c.id, &c.many, &c.docs)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("find column %s: %w", field, err)
	}
	return c, nil
}

// matches says whether a document meets all conditions.
func (q *query) matches(id string, f *facts) bool {
	for i := range q.filters {
		if !q.filters[i].matches(f) {
			return false
		}
	}
	if !f.hasPrefixes(q.Words) {
		return false
	}
	return q.Visible == nil || q.Visible(id)
}

func (c *filter) matches(f *facts) bool {
	for _, e := range f.column(c.column.id) {
		for _, s := range c.ranges {
			if s.holds(e) {
				return !c.not
			}
		}
	}
	return c.not
}

// hit is a document of the answer, with what it sorts by.
type hit struct {
	id   string
	keys []key
}

// key is a document's value in one column of the sort.
type key struct {
	ord     string
	missing bool
}

func (q *query) hit(id string, f *facts) hit {
	h := hit{id, make([]key, len(q.sort))}
	for i, s := range q.sort {
		if entries := f.column(s.column.id); len(entries) > 0 {
			h.keys[i].ord = strings.Clone(entries[0].ord) // keeps no hold of the whole row
		} else {
			h.keys[i].missing = true
		}
	}
	return h
}

// compare puts what has no value last; documents that sort alike come by id,
// in the direction of the first key.
func (q *query) compare(a, b hit) int {
	for i, s := range q.sort {
		if c := a.keys[i].compare(b.keys[i], s.descending); c != 0 {
			return c
		}
	}
	if q.downward() {
		return strings.Compare(b.id, a.id)
	}
	return strings.Compare(a.id, b.id)
}

func (k key) compare(o key, descending bool) int {
	switch {
	case k.missing != o.missing && k.missing:
		return 1
	case k.missing != o.missing:
		return -1
	case descending:
		return cmp.Compare(o.ord, k.ord)
	}
	return cmp.Compare(k.ord, o.ord)
}

// downward says whether the first key sorts descending.
func (q *query) downward() bool { return len(q.sort) > 0 && q.sort[0].descending }

// after is the place to continue from as a hit; false at the start.
func (q *query) after() (hit, bool) {
	if q.After == nil {
		return hit{}, false
	}
	h := hit{q.After.ID, make([]key, len(q.sort))}
	for i := range h.keys {
		h.keys[i] = key{q.After.Order[i], q.After.Missing[i]}
	}
	return h, true
}

// page makes the listing of hits that are in order and all after the place;
// one more than the limit tells that there is a next page.
func (q *query) page(hits []hit) sync.Listing {
	var out sync.Listing
	for i, h := range hits {
		if i == q.Limit {
			out.Next = hits[i-1].place()
			break
		}
		out.IDs = append(out.IDs, h.id)
	}
	return out
}

func (h hit) place() *sync.ListPlace {
	p := &sync.ListPlace{ID: h.id, Order: make([]string, len(h.keys)), Missing: make([]bool, len(h.keys))}
	for i, k := range h.keys {
		p.Order[i], p.Missing[i] = k.ord, k.missing
	}
	return p
}
