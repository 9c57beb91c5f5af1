package listing

import "context"

// Source is a filter of a query, or all its words, as a supply of candidates;
// the zero Source supplies the whole list.
type Source[C Column] struct {
	Filter *Filter[C] // its spans; whether it is negated does not matter
	Words  bool
}

// sources are the conditions that an index serves. A negated one is none.
func (q *Query[C]) sources() []Source[C] {
	var out []Source[C]
	for i := range q.Filters {
		if !q.Filters[i].Not {
			out = append(out, Source[C]{Filter: &q.Filters[i]})
		}
	}
	if len(q.Words) > 0 {
		out = append(out, Source[C]{Words: true})
	}
	return out
}

// supplies says whether a source supplies a document with these facts.
func (q *Query[C]) supplies(s Source[C], f *Facts[C]) bool {
	if s.Words {
		return f.HasPrefixes(q.Words)
	}
	return s.Filter == nil || s.Filter.matches(f)
}

// repeats says whether a document may come more than once.
func (q *Query[C]) repeats(s Source[C]) bool {
	if s == (Source[C]{}) {
		return false
	}
	return q.Loose || s.Filter != nil && !s.Filter.onceEach()
}

// narrowest finds the source with the fewest candidates, and how many, up to
// limit.
func (r *runner[C]) narrowest(ctx context.Context, limit int) (Source[C], int, error) {
	var best Source[C]
	least, err := r.index.Count(ctx, best, limit)
	if err != nil {
		return best, 0, err
	}
	for _, s := range r.q.sources() {
		n, err := r.index.Count(ctx, s, least)
		if err != nil {
			return best, 0, err
		}
		if n < least || n == least && best == (Source[C]{}) {
			best, least = s, n
		}
	}
	return best, least, nil
}

// countable says whether counting rows of indexes gives the total: at most one
// condition of each sort, and no document counted twice.
func (q *Query[C]) countable() bool {
	if q.Visible != nil {
		return false
	}
	positive, negative := min(len(q.Words), 1), 0
	for i := range q.Filters {
		f := &q.Filters[i]
		if !q.Loose && !f.onceEach() {
			return false
		}
		if f.Not {
			negative++
		} else {
			positive++
		}
	}
	if q.Loose && positive > 0 { // its rows are not to be counted, those of the whole list are
		return false
	}
	return positive <= 1 && negative <= 1
}

// total counts the answer, up to one above MaxTotal. src supplies candidates
// when indexes alone cannot tell.
func (r *runner[C]) total(ctx context.Context, src Source[C]) (int, error) {
	if r.q.countable() {
		n, ok, err := r.countIndexed(ctx)
		if ok || err != nil {
			return n, err
		}
	}
	total := 0
	err := r.candidates(ctx, src, func(id string, f *Facts[C]) bool {
		if r.q.Matches(id, f) {
			total++
		}
		return total <= MaxTotal
	})
	return total, err
}

// maxRefused is how many documents are read to count what a negated condition
// takes away.
const maxRefused = 2000

// countIndexed counts what meets the positive condition, and takes away what
// the negated one refuses. When it refuses much, that is no gain: false.
func (r *runner[C]) countIndexed(ctx context.Context) (int, bool, error) {
	positive, refuse := Source[C]{Words: len(r.q.Words) > 0}, Source[C]{}
	for i := range r.q.Filters {
		f := &r.q.Filters[i]
		if f.Not {
			refuse.Filter = &Filter[C]{f.Column, f.Spans, false}
		} else {
			positive.Filter = f
		}
	}
	refused, err := r.countBoth(ctx, positive, refuse)
	if err != nil || refused > maxRefused {
		return 0, false, err
	}
	n, err := r.index.Count(ctx, positive, refused+MaxTotal+1)
	return n - refused, true, err
}

// countBoth counts the documents of b that are of a too; more than
// maxRefused when b has so many.
func (r *runner[C]) countBoth(ctx context.Context, a, b Source[C]) (int, error) {
	if b.Filter == nil {
		return 0, nil
	}
	n, err := r.index.Count(ctx, b, maxRefused+1)
	if err != nil || n > maxRefused || a == (Source[C]{}) && !r.q.Loose {
		return n, err
	}
	n = 0
	err = r.candidates(ctx, b, func(_ string, f *Facts[C]) bool {
		if b.Filter.matches(f) && r.q.supplies(a, f) {
			n++
		}
		return true
	})
	return n, err
}
