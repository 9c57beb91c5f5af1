package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/enroute-field/enroute/sync"
)

// seated is a workspace as the file has it.
type seated struct {
	ws, byName int64 // byName is what its name leads to
	name       string
	last       int64 // place of the last commit that is its own or of one before it
	dropped    bool
}

// heads reads where each workspace's journal ends. A workspace that is not to
// be found would be made anew as if there had never been one: so what a file
// with its pages in order always fulfils is checked here, once.
func (r *reader) heads(ctx context.Context) (map[int64]uint64, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT ws, name, dropped,
		(SELECT ws FROM workspaces AS n WHERE n.name = w.name),
		(SELECT max(place) FROM journal WHERE place < (w.ws + 1) << 40) FROM workspaces AS w ORDER BY ws`)
	all, err := collect(rows, err, func(r *sql.Rows) (s seated, err error) {
		var byName, last sql.NullInt64
		err = r.Scan(&s.ws, &s.name, &s.dropped, &byName, &last)
		s.byName, s.last = byName.Int64, last.Int64
		return s, err
	})
	if err != nil {
		return nil, err
	}
	heads := map[int64]uint64{}
	for i, s := range all {
		if err := s.check(int64(i + 1)); err != nil {
			return nil, err
		}
		if !s.dropped {
			heads[s.ws] = numberAt(s.last)
		}
	}
	var last int64
	if err := r.db.QueryRowContext(ctx, `SELECT coalesce(max(place), 0) FROM journal`).Scan(&last); err != nil {
		return nil, err
	}
	if last>>numberBits > int64(len(all)) {
		return nil, fmt.Errorf("there are %d workspaces, and a commit of number %d: %w", len(all), last>>numberBits, sync.ErrDamaged)
	}
	return heads, nil
}

// check a workspace that should be the one of this integer: they are given
// without gaps.
func (s *seated) check(ws int64) error {
	if s.ws != ws || s.byName != ws {
		return fmt.Errorf("workspace %s is number %d and %d, should be %d: %w", s.name, s.ws, s.byName, ws, sync.ErrDamaged)
	}
	if !s.dropped && s.last>>numberBits != ws {
		return fmt.Errorf("workspace %s has no commits: %w", s.name, sync.ErrDamaged)
	}
	return nil
}
