package listing

import (
	"errors"
	"fmt"
	"slices"

	"github.com/enroute-field/enroute/sync"
)

// Query is a sync.Query with the columns of its fields.
type Query[C Column] struct {
	sync.Query
	Filters []Filter[C]
	Sort    []SortKey[C]
	// Loose: the index may have rows for what a document no longer has, and
	// several for one document. So rows are not counted in place of documents.
	Loose bool
}

// Filter is a condition on a column: an entry lies in one of the spans, or
// none does.
type Filter[C Column] struct {
	Column Field[C]
	Spans  []Span
	Not    bool
}

// Field is a column, and whether some document has, or had, several entries
// in it.
type Field[C Column] struct {
	Column C
	Many   bool
}

// SortKey is a column to sort by.
type SortKey[C Column] struct {
	Column     C
	Descending bool
}

// Span is a range of entries: by order, both ends included, and of those with
// this exact value when IsExact is set.
type Span struct {
	From, To string
	Exact    string
	IsExact  bool
}

// Top is greater than every order: 0xff occurs in no UTF-8.
const Top = "\xff"

// Beyond is the least text, byte for byte, after all that start with prefix.
func Beyond(prefix string) string { return prefix + Top }

// Compile gives each field of a query its column.
func Compile[C Column](q sync.Query, field func(name string) (Field[C], error)) (*Query[C], error) {
	if err := check(q); err != nil {
		return nil, err
	}
	c := &Query[C]{Query: q}
	for _, f := range q.Filters {
		col, err := field(f.Field)
		if err != nil {
			return nil, err
		}
		c.Filters = append(c.Filters, Filter[C]{col, spans(f), f.Not})
	}
	for _, k := range q.Sort {
		col, err := field(k.Field)
		if err != nil {
			return nil, err
		}
		c.Sort = append(c.Sort, SortKey[C]{col.Column, k.Descending})
	}
	return c, nil
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

// spans of a filter: it matches what lies in one of them.
func spans(f sync.Filter) []Span {
	if f.Op == sync.Exists {
		return []Span{{From: "", To: Top}}
	}
	var out []Span
	for _, v := range f.Values {
		var s Span
		switch f.Op {
		case sync.AtLeast:
			s = Span{From: v.Order, To: Top}
		case sync.AtMost:
			s = Span{From: "", To: v.Order}
		case sync.Prefix:
			s = Span{From: v.Order, To: Beyond(v.Order)}
		default:
			s = Span{From: v.Order, To: v.Order, Exact: v.Exact, IsExact: true}
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Matches says whether a document meets all conditions.
func (q *Query[C]) Matches(id string, f *Facts[C]) bool {
	for i := range q.Filters {
		if !q.Filters[i].matches(f) {
			return false
		}
	}
	if !f.HasPrefixes(q.Words) {
		return false
	}
	return q.Visible == nil || q.Visible(id)
}

func (c *Filter[C]) matches(f *Facts[C]) bool {
	for _, e := range f.Column(c.Column.Column) {
		for i := range c.Spans {
			if c.Spans[i].holds(e.Order, e.Exact) {
				return !c.Not
			}
		}
	}
	return c.Not
}

func (s *Span) holds(order, exact string) bool {
	return order >= s.From && order <= s.To && (!s.IsExact || s.Exact == exact)
}

// onceEach says whether a document has but one row of the index in the spans.
func (c *Filter[C]) onceEach() bool {
	if c.Column.Many {
		return len(c.Spans) == 1 && c.Spans[0].IsExact
	}
	for i := range c.Spans { // exact ones do not overlap
		if !c.Spans[i].IsExact && len(c.Spans) > 1 {
			return false
		}
	}
	return true
}
