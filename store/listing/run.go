package listing

import (
	"context"
	"errors"
	"slices"

	"github.com/enroute-field/enroute/sync"
)

// Index is what a store keeps of one list, to be asked by one query. What it
// hands on is as the document stands: its facts, not what a row of the index
// says of them. An error of yield ends the reading and is given back.
type Index[C Column] interface {
	// Count the rows of a source, up to limit: a document may have several.
	// Those of the whole list are the documents.
	Count(ctx context.Context, s Source[C], limit int) (int, error)
	// Candidates are the documents of a source, in any order; one may come
	// several times.
	Candidates(ctx context.Context, s Source[C], yield Yield[C]) error
	// InOrder are the documents that have an entry in the column, by their
	// least entry's order and then by id, both downward or both upward, all
	// beyond the place (order, id).
	InOrder(ctx context.Context, col C, down bool, order, id string, yield Yield[C]) error
	// Without are the documents that have none in the column, by id, beyond
	// id; nil is all documents.
	Without(ctx context.Context, col *C, down bool, id string, yield Yield[C]) error
}

// Yield takes a document.
type Yield[C Column] = func(id string, f *Facts[C]) error

// MaxTotal is up to where totals are exact.
const MaxTotal = 10000

// Limits say up to how many candidates it is quicker to read them all and sort
// than to walk the list in order until a page is full.
type Limits struct {
	Counted int // when the total can be had from an index
	Others  int // when the candidates must be read for the total anyway
}

// DefaultLimits were measured with 100,000 documents.
func DefaultLimits() Limits { return Limits{Counted: 2000, Others: MaxTotal} }

// errEnough ends a reading that has what it wanted.
var errEnough = errors.New("enough")

// Run answers the query in the way that reads least.
func Run[C Column](ctx context.Context, q *Query[C], index Index[C], limits Limits) (sync.Listing, error) {
	r := runner[C]{q, index}
	limit := limits.Others
	if q.countable() {
		limit = limits.Counted
	}
	src, n, err := r.narrowest(ctx, limit+1)
	if err != nil {
		return sync.Listing{}, err
	}
	if n <= limit {
		return r.gather(ctx, src)
	}
	hits, err := r.walk(ctx)
	if err != nil {
		return sync.Listing{}, err
	}
	out := q.page(hits)
	total, err := r.total(ctx, src)
	out.Total, out.More = min(total, MaxTotal), total > MaxTotal
	return out, err
}

// runner is one query under way.
type runner[C Column] struct {
	q     *Query[C]
	index Index[C]
}

// gather reads all candidates of a source.
func (r *runner[C]) gather(ctx context.Context, src Source[C]) (sync.Listing, error) {
	q := r.q
	var hits []hit
	err := r.candidates(ctx, src, func(id string, f *Facts[C]) bool {
		if q.Matches(id, f) {
			hits = append(hits, q.hit(id, f))
		}
		return true
	})
	if err != nil {
		return sync.Listing{}, err
	}
	slices.SortFunc(hits, q.compare)
	total := len(hits)
	out := q.page(q.beyondPlace(hits))
	out.Total, out.More = min(total, MaxTotal), total > MaxTotal
	return out, nil
}

// candidates hands each document of a source on, once, until yield is false.
func (r *runner[C]) candidates(ctx context.Context, s Source[C], yield func(id string, f *Facts[C]) bool) error {
	next := func(id string, f *Facts[C]) error {
		if !yield(id, f) {
			return errEnough
		}
		return nil
	}
	if r.q.repeats(s) {
		next = once(next)
	}
	err := r.index.Candidates(ctx, s, next)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func once[C Column](next Yield[C]) Yield[C] {
	seen := map[string]struct{}{}
	return func(id string, f *Facts[C]) error {
		if _, again := seen[id]; again {
			return nil
		}
		seen[id] = struct{}{}
		return next(id, f)
	}
}
