package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// Columns are integers here; the zero column, of a field that no document has,
// is empty.
type (
	facts  = listing.Facts[int64]
	entry  = listing.Entry[int64]
	source = listing.Source[int64]
	yield  = listing.Yield[int64]
)

// lookup is the index of one list, for one query.
type lookup struct {
	r     *reader
	list  int64
	size  int // documents in the list
	words []string
	docs  map[int64]int // how many have an entry in a column of the query
}

var _ listing.Index[int64] = (*lookup)(nil)

// answer a query of a workspace.
func (r *reader) answer(ctx context.Context, ws int64, q sync.Query) (sync.Listing, error) {
	l := &lookup{r: r, words: q.Words, docs: map[int64]int{}}
	err := r.findList.QueryRowContext(ctx, ws, q.Kind).Scan(&l.list, &l.size)
	known := !errors.Is(err, sql.ErrNoRows)
	if known && err != nil {
		return sync.Listing{}, fmt.Errorf("find the list: %w", err)
	}
	c, err := listing.Compile(q, func(name string) (listing.Field[int64], error) { return l.field(ctx, name) })
	if err != nil || !known {
		return sync.Listing{}, err
	}
	return listing.Run(ctx, c, l, r.gathers)
}

func (l *lookup) field(ctx context.Context, name string) (f listing.Field[int64], err error) {
	var docs int
	err = l.r.findColumn.QueryRowContext(ctx, l.list, name).Scan(&f.Column, &f.Many, &docs)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return f, fmt.Errorf("find column %s: %w", name, err)
	}
	l.docs[f.Column] = docs
	return f, nil
}

// Count implements listing.Index.
func (l *lookup) Count(ctx context.Context, s source, limit int) (total int, err error) {
	switch {
	case s.Words:
		err = l.r.countWords.QueryRowContext(ctx, matching(l.list, l.words), limit).Scan(&total)
	case s.Filter == nil:
		total = min(l.size, limit)
	default:
		for _, sp := range s.Filter.Spans {
			var n int
			err = l.r.countSpan.QueryRowContext(ctx, s.Filter.Column.Column, sp.From, sp.To, exact(sp), limit-total).Scan(&n)
			if total += n; err != nil || total >= limit {
				break
			}
		}
	}
	return total, err
}

// exact value of a span; NULL when it has none.
func exact(s listing.Span) sql.NullString { return sql.NullString{String: s.Exact, Valid: s.IsExact} }

// Candidates implements listing.Index.
func (l *lookup) Candidates(ctx context.Context, s source, next yield) error {
	switch {
	case s.Words:
		rows, err := l.r.withWords.QueryContext(ctx, matching(l.list, l.words))
		return each(rows, err, next)
	case s.Filter == nil:
		rows, err := l.r.upList.QueryContext(ctx, l.list, "")
		return each(rows, err, next)
	}
	for _, sp := range s.Filter.Spans {
		rows, err := l.r.inSpan.QueryContext(ctx, s.Filter.Column.Column, sp.From, sp.To, exact(sp))
		if err := each(rows, err, next); err != nil {
			return err
		}
	}
	return nil
}

// InOrder implements listing.Index.
func (l *lookup) InOrder(ctx context.Context, col int64, down bool, order, id string, next yield) error {
	stmt := l.r.upColumn
	if down {
		stmt = l.r.downColumn
	}
	rows, err := stmt.QueryContext(ctx, col, order, id)
	return each(rows, err, next)
}

// Without implements listing.Index.
func (l *lookup) Without(ctx context.Context, col *int64, down bool, id string, next yield) error {
	if col != nil && l.docs[*col] == l.size {
		return nil
	}
	stmt := l.r.upList
	if down {
		stmt = l.r.downList
	}
	rows, err := stmt.QueryContext(ctx, l.list, id)
	return each(rows, err, func(id string, f *facts) error {
		if col != nil && len(f.Column(*col)) > 0 {
			return nil
		}
		return next(id, f)
	})
}

// each hands the rows (id, facts) on until an error.
func each(rows *sql.Rows, err error, next yield) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is in rows.Err
	for rows.Next() {
		var id string
		var packed sql.RawBytes
		if err := rows.Scan(&id, &packed); err != nil {
			return err
		}
		f, err := listing.ReadRow[int64](id, packed)
		if err != nil {
			return fmt.Errorf("document %s: %w", id, err)
		}
		if err := next(id, &f); err != nil {
			return err
		}
	}
	return rows.Err()
}
