package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/enroute-field/enroute/sync"
)

// Revisions implements sync.Store.
func (s *Store) Revisions(ctx context.Context, workspace string, head uint64, key sync.Key, before uint64, limit int) ([]uint64, error) {
	ws, err := s.caughtUp(ctx, workspace, head)
	if err != nil || ws == 0 {
		return nil, err
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := s.reader.revisions.QueryContext(ctx, ws, key.Kind, key.ID, before, limit)
	found, err := collect(rows, err, func(r *sql.Rows) (rev uint64, err error) { return rev, r.Scan(&rev) })
	if err != nil {
		return nil, fmt.Errorf("list revisions of %s in %s: %w", key, workspace, err)
	}
	return found, nil
}

// Behind is how many commits lists and histories have yet to follow.
func (s *Store) Behind() uint64 { return s.projector.progress.behind() }

// caughtUp gives the workspace's integer once its projections show commit
// head; 0 when it has no commit.
func (s *Store) caughtUp(ctx context.Context, workspace string, head uint64) (int64, error) {
	ws, ok, err := s.reader.workspace(ctx, workspace)
	if err != nil || !ok {
		return 0, err
	}
	if err := s.projector.progress.reach(ctx, ws, head); err != nil {
		return 0, fmt.Errorf("workspace %s: %w", workspace, err)
	}
	return ws, nil
}

// List implements sync.Store.
func (s *Store) List(ctx context.Context, workspace string, head uint64, q sync.Query) (sync.Listing, error) {
	ws, err := s.caughtUp(ctx, workspace, head)
	if err != nil || ws == 0 {
		return sync.Listing{}, err
	}
	c, ok, err := s.reader.compile(ctx, ws, q)
	if err != nil || !ok {
		return sync.Listing{}, err
	}
	out, err := s.reader.run(ctx, c)
	if err != nil {
		return sync.Listing{}, fmt.Errorf("list %s of %s: %w", q.Kind, workspace, err)
	}
	return out, nil
}

// gatherLimits say up to how many candidates it is quicker to read them all
// and sort than to walk the list in order until a page is full.
type gatherLimits struct {
	counted int // when the total can be had from an index
	others  int // when the candidates must be read for the total anyway
}

func defaultLimits() gatherLimits { return gatherLimits{counted: 2000, others: 10000} }

// maxTotal is up to where totals are exact.
const maxTotal = 10000

// run the query in the way that reads least.
func (r *reader) run(ctx context.Context, q *query) (sync.Listing, error) {
	limit := r.gathers.others
	if q.countable() {
		limit = r.gathers.counted
	}
	src, n, err := r.narrowest(ctx, q, limit+1)
	if err != nil {
		return sync.Listing{}, err
	}
	if n <= limit {
		return r.gather(ctx, q, src)
	}
	hits, err := r.walk(ctx, q)
	if err != nil {
		return sync.Listing{}, err
	}
	out := q.page(hits)
	total, err := r.total(ctx, q, src)
	out.Total, out.More = min(total, maxTotal), total > maxTotal
	return out, err
}

// gather reads all candidates of a source.
func (r *reader) gather(ctx context.Context, q *query, src source) (sync.Listing, error) {
	var hits []hit
	err := r.candidates(ctx, q, src, func(id string, f *facts) bool {
		if q.matches(id, f) {
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
	out.Total, out.More = min(total, maxTotal), total > maxTotal
	return out, nil
}

// beyondPlace leaves out what comes before the page.
func (q *query) beyondPlace(hits []hit) []hit {
	place, ok := q.after()
	if !ok {
		return hits
	}
	i, found := slices.BinarySearchFunc(hits, place, q.compare)
	if found {
		i++
	}
	return hits[i:]
}

// errEnough ends a walk whose page is full.
var errEnough = errors.New("enough")

// walk reads the list in the order of its first key until the page is full.
// Documents that the first key does not tell apart are sorted as a run.
func (r *reader) walk(ctx context.Context, q *query) ([]hit, error) {
	w := &walker{q: q}
	place, placed := q.after()
	var err error
	if len(q.sort) > 0 && !(placed && place.keys[0].missing) {
		err = r.walkColumn(ctx, q, w)
	}
	if err == nil {
		err = r.walkMissing(ctx, q, w)
	}
	if err == nil || errors.Is(err, errEnough) {
		w.endRun()
		return w.page, nil
	}
	return nil, err
}

// walker collects a page.
type walker struct {
	q    *query
	page []hit
	run  []hit // with the same first key
}

// add the next document; errEnough when the page is full.
func (w *walker) add(id string, f *facts) error {
	if !w.q.matches(id, f) {
		return nil
	}
	h := w.q.hit(id, f)
	if len(w.run) > 0 && (len(h.keys) < 2 || h.keys[0] != w.run[0].keys[0]) {
		w.endRun()
	}
	if len(w.page) > w.q.Limit {
		return errEnough
	}
	w.run = append(w.run, h)
	return nil
}

func (w *walker) endRun() {
	slices.SortFunc(w.run, w.q.compare)
	w.page = append(w.page, w.q.beyondPlace(w.run)...)
	w.run = w.run[:0]
}

// walkColumn goes through the documents that have a value in the first key's
// column.
func (r *reader) walkColumn(ctx context.Context, q *query, w *walker) error {
	stmt, from, id := r.upColumn, "", ""
	if q.downward() {
		stmt, from = r.downColumn, top
	}
	if place, ok := q.after(); ok {
		from, id = place.keys[0].ord, place.id
		if len(q.sort) > 1 { // the whole run of the place is read again
			id = ""
			if q.downward() {
				id = top
			}
		}
	}
	rows, err := stmt.QueryContext(ctx, q.sort[0].column.id, from, id)
	return each(rows, err, w.add)
}

// walkMissing goes through the documents that have none; without a sort, that
// is all.
func (r *reader) walkMissing(ctx context.Context, q *query, w *walker) error {
	if len(q.sort) > 0 && q.sort[0].column.docs == q.size {
		return nil
	}
	stmt, from := r.upList, ""
	if q.downward() {
		stmt, from = r.downList, top
	}
	if place, ok := q.after(); ok && (len(q.sort) == 0 || len(q.sort) == 1 && place.keys[0].missing) {
		from = place.id
	}
	rows, err := stmt.QueryContext(ctx, q.list, from)
	return each(rows, err, func(id string, f *facts) error {
		if len(q.sort) > 0 && len(f.column(q.sort[0].column.id)) > 0 {
			return nil
		}
		return w.add(id, f)
	})
}

// each hands the rows (id, facts) on until an error.
func each(rows *sql.Rows, err error, yield func(id string, f *facts) error) error {
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
		f, err := readRow(id, packed)
		if err != nil {
			return fmt.Errorf("document %s: %w", id, err)
		}
		if err := yield(id, &f); err != nil {
			return err
		}
	}
	return rows.Err()
}
