package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"

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
	out, err := s.reader.answer(ctx, ws, q)
	if err != nil {
		return sync.Listing{}, fmt.Errorf("list %s of %s: %w", q.Kind, workspace, err)
	}
	return out, nil
}
