package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// source is a filter of a query, or all its words, as a supply of candidates;
// the zero source supplies the whole list.
type source struct {
	filter *filter
	words  bool
}

// sources are the conditions that an index serves. A negated one is none.
func (q *query) sources() []source {
	var out []source
	for i := range q.filters {
		if !q.filters[i].not {
			out = append(out, source{filter: &q.filters[i]})
		}
	}
	if len(q.Words) > 0 {
		out = append(out, source{words: true})
	}
	return out
}

// supplies says whether a source supplies a document with these facts.
func (q *query) supplies(s source, f *facts) bool {
	if s.words {
		return f.hasPrefixes(q.Words)
	}
	return s.filter == nil || s.filter.matches(f)
}

// narrowest finds the source with the fewest candidates, and how many, up to
// limit.
func (r *reader) narrowest(ctx context.Context, q *query, limit int) (source, int, error) {
	best, least := source{}, min(q.size, limit)
	for _, s := range q.sources() {
		n, err := r.count(ctx, q, s, least)
		if err != nil {
			return source{}, 0, err
		}
		if n < least || n == least && best == (source{}) {
			best, least = s, n
		}
	}
	return best, least, nil
}

// count the rows of a source, up to limit. A document may have several.
func (r *reader) count(ctx context.Context, q *query, s source, limit int) (total int, err error) {
	switch {
	case s.words:
		err = r.countWords.QueryRowContext(ctx, matching(q.list, q.Words), limit).Scan(&total)
	case s.filter == nil:
		total = min(q.size, limit)
	default:
		for _, sp := range s.filter.ranges {
			var n int
			err = r.countSpan.QueryRowContext(ctx, s.filter.column.id, sp.from, sp.to, sp.exact, limit-total).Scan(&n)
			if total += n; err != nil || total >= limit {
				break
			}
		}
	}
	return total, err
}

// candidates hands each document of a source on, once, until yield is false.
func (r *reader) candidates(ctx context.Context, q *query, s source, yield func(id string, f *facts) bool) error {
	next := func(id string, f *facts) error {
		if !yield(id, f) {
			return errEnough
		}
		return nil
	}
	if s.repeats() {
		next = once(next)
	}
	err := r.rows(ctx, q, s, next)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// repeats says whether a document may come more than once.
func (s source) repeats() bool { return s.filter != nil && !s.filter.onceEach() }

func once(next func(string, *facts) error) func(string, *facts) error {
	seen := map[string]struct{}{}
	return func(id string, f *facts) error {
		if _, again := seen[id]; again {
			return nil
		}
		seen[id] = struct{}{}
		return next(id, f)
	}
}

func (r *reader) rows(ctx context.Context, q *query, s source, next func(string, *facts) error) error {
	var rows *sql.Rows
	var err error
	switch {
	case s.words:
		rows, err = r.withWords.QueryContext(ctx, matching(q.list, q.Words))
	case s.filter == nil:
		rows, err = r.upList.QueryContext(ctx, q.list, "")
	default:
		for _, sp := range s.filter.ranges {
			rows, err := r.inSpan.QueryContext(ctx, s.filter.column.id, sp.from, sp.to, sp.exact)
			if err := each(rows, err, next); err != nil {
				return err
			}
		}
		return nil
	}
	return each(rows, err, next)
}

// onceEach says whether a document has but one entry in the ranges.
func (c *filter) onceEach() bool {
	if c.column.many {
		return len(c.ranges) == 1 && c.ranges[0].exact.Valid
	}
	for _, r := range c.ranges { // exact ones do not overlap
		if !r.exact.Valid && len(c.ranges) > 1 {
			return false
		}
	}
	return true
}

// countable says whether counting rows of indexes gives the total: at most one
// condition of each sort, and no document counted twice.
func (q *query) countable() bool {
	if q.Visible != nil {
		return false
	}
	positive, negative := min(len(q.Words), 1), 0
	for i := range q.filters {
		f := &q.filters[i]
		if !f.onceEach() {
			return false
		}
		if f.not {
			negative++
		} else {
			positive++
		}
	}
	return positive <= 1 && negative <= 1
}

// total counts the answer, up to one above maxTotal. src supplies candidates
// when indexes alone cannot tell.
func (r *reader) total(ctx context.Context, q *query, src source) (int, error) {
	if q.countable() {
		n, ok, err := r.countIndexed(ctx, q)
		if ok || err != nil {
			return n, err
		}
	}
	total := 0
	err := r.candidates(ctx, q, src, func(id string, f *facts) bool {
		if q.matches(id, f) {
			total++
		}
		return total <= maxTotal
	})
	return total, err
}

// maxRefused is how many documents are read to count what a negated condition
// takes away.
const maxRefused = 2000

// countIndexed counts what meets the positive condition, and takes away what
// the negated one refuses. When it refuses much, that is no gain: false.
func (r *reader) countIndexed(ctx context.Context, q *query) (int, bool, error) {
	positive, refuse := source{words: len(q.Words) > 0}, source{}
	for i := range q.filters {
		f := &q.filters[i]
		if f.not {
			refuse.filter = &filter{f.column, f.ranges, false}
		} else {
			positive.filter = f
		}
	}
	refused, err := r.countBoth(ctx, q, positive, refuse)
	if err != nil || refused > maxRefused {
		return 0, false, err
	}
	n, err := r.count(ctx, q, positive, refused+maxTotal+1)
	return n - refused, true, err
}

// countBoth counts the documents of b that are of a too; more than
// maxRefused when b has so many.
func (r *reader) countBoth(ctx context.Context, q *query, a, b source) (int, error) {
	if b.filter == nil {
		return 0, nil
	}
	n, err := r.count(ctx, q, b, maxRefused+1)
	if err != nil || n > maxRefused || a == (source{}) {
		return n, err
	}
	n = 0
	err = r.candidates(ctx, q, b, func(_ string, f *facts) bool {
		if q.supplies(a, f) {
			n++
		}
		return true
	})
	return n, err
}
