package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/sync"
)

// Promote implements sync.Store. The names change in one transaction; the rows
// of the old history go afterwards, in steps, or at the next opening.
func (s *Store) Promote(ctx context.Context, staged, workspace string, was sync.Head) error {
	if !sync.IsStaged(staged) || sync.IsStaged(workspace) {
		return fmt.Errorf("promote %s to %s: not a staged history and a workspace", staged, workspace)
	}
	err := s.rename(ctx, func(ctx context.Context, tx *sql.Tx) error {
		next, err := s.appender.stored(ctx, tx, staged)
		if err != nil {
			return err
		}
		if next.ws == 0 {
			return sync.ErrMissing
		}
		old, err := s.appender.stored(ctx, tx, workspace)
		if err != nil {
			return err
		}
		if old.head.Number != was.Number || old.head.Hash != was.Hash {
			return sync.ErrConflict
		}
		if err := forsake(ctx, tx, workspace); err != nil {
			return err
		}
		return takeName(ctx, tx, staged, workspace)
	})
	if err != nil {
		return fmt.Errorf("promote %s to %s: %w", staged, workspace, err)
	}
	return nil
}

// Drop implements sync.Store.
func (s *Store) Drop(ctx context.Context, staged string) error {
	if !sync.IsStaged(staged) {
		return fmt.Errorf("drop %s: not a staged history", staged)
	}
	err := s.rename(ctx, func(ctx context.Context, tx *sql.Tx) error { return forsake(ctx, tx, staged) })
	if err != nil {
		return fmt.Errorf("drop %s: %w", staged, err)
	}
	return nil
}

// rename runs a transaction that changes what names lead to, between appends,
// and then removes what no name leads to any more.
func (s *Store) rename(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	var gone []int64
	err := s.appender.between(ctx, func(ctx context.Context) error {
		defer s.reader.ws.forget()
		err := s.writer.durable(ctx, fn)
		if errors.Is(err, errCommit) {
			err = fmt.Errorf("%w: %w", sync.ErrUnknownOutcome, err)
		}
		if err != nil {
			return err
		}
		gone, err = droppedOf(ctx, s.writer.db)
		s.projector.progress.dropped(gone)
		return err
	})
	if err != nil {
		return err
	}
	return s.writer.sweep(ctx, gone)
}

// between has fn done between two groups of appends.
func (a *appender) between(ctx context.Context, fn func(context.Context) error) error {
	done := make(chan error, 1)
	select {
	case a.alone <- func(ctx context.Context) { done <- fn(ctx) }:
		return <-done
	case <-a.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forsake makes a name lead to nothing, and removes what lies beside it.
func forsake(ctx context.Context, tx *sql.Tx, name string) error {
	for _, text := range []string{
		`UPDATE workspaces SET dropped = 1, name = '~dropped/' || ws WHERE name = ? AND NOT dropped`,
		`DELETE FROM notes WHERE workspace = ?`,
		`DELETE FROM checkpoints WHERE workspace = ?`,
		`DELETE FROM chunks WHERE workspace = ?`,
	} {
		if _, err := tx.ExecContext(ctx, text, name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// takeName gives what has a name another one, which nothing has.
func takeName(ctx context.Context, tx *sql.Tx, from, to string) error {
	for _, text := range []string{
		`UPDATE workspaces SET name = ? WHERE name = ? AND NOT dropped`,
		`UPDATE notes SET workspace = ? WHERE workspace = ?`,
		`UPDATE checkpoints SET workspace = ? WHERE workspace = ?`,
		`UPDATE chunks SET workspace = ? WHERE workspace = ?`,
	} {
		if _, err := tx.ExecContext(ctx, text, to, from); err != nil {
			return fmt.Errorf("rename %s: %w", from, err)
		}
	}
	return nil
}

// droppedOf gives the integers of the histories that were dropped.
func droppedOf(ctx context.Context, db *sql.DB) ([]int64, error) {
	rows, err := db.QueryContext(ctx, `SELECT ws FROM workspaces WHERE dropped`)
	gone, err := collect(rows, err, func(r *sql.Rows) (ws int64, err error) { return ws, r.Scan(&ws) })
	if err != nil {
		return nil, fmt.Errorf("list dropped histories: %w", err)
	}
	return gone, nil
}

// sweeps remove some rows of the history ?1.
var sweeps = []string{
	`DELETE FROM journal WHERE place IN (SELECT place FROM journal WHERE place >= ?1 << 40 AND place < (?1 + 1) << 40 LIMIT 256)`,
	`DELETE FROM documents WHERE doc IN (SELECT doc FROM documents WHERE ws = ?1 LIMIT 1024)`,
	`DELETE FROM outcomes WHERE ws = ?1 AND id IN (SELECT id FROM outcomes WHERE ws = ?1 LIMIT 1024)`,
}

// sweep removes all rows of dropped histories, a few in each transaction, so
// that the log stays small and appends get their turn.
func (w *writer) sweep(ctx context.Context, gone []int64) error {
	for _, ws := range gone {
		for _, text := range sweeps {
			if err := w.sweepBy(ctx, text, ws); err != nil {
				return fmt.Errorf("remove a dropped history: %w", err)
			}
		}
	}
	return nil
}

func (w *writer) sweepBy(ctx context.Context, text string, ws int64) error {
	for removed := int64(1); removed > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := w.durable(ctx, func(ctx context.Context, tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, text, ws)
			if err != nil {
				return err
			}
			removed, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
