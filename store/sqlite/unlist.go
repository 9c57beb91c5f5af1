package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// dropSome removes some of the lists and histories of a dropped history, and
// tells when nothing is left.
func (p *projector) dropSome(ctx context.Context, ws int64) error {
	left := false
	err := transact(ctx, p.db, func(ctx context.Context, tx *sql.Tx) error {
		var list int64
		err := tx.QueryRowContext(ctx, `SELECT list FROM lists WHERE ws = ?`, ws).Scan(&list)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `DELETE FROM progress WHERE ws = ?`, ws)
			return err
		}
		if err != nil {
			return err
		}
		left = true
		return p.unlist(ctx, tx, list)
	})
	if err != nil {
		return fmt.Errorf("remove the lists of a dropped history: %w", err)
	}
	p.catalog.forget() // integers of lists are given again
	if !left {
		p.progress.cleared(ws)
	}
	return nil
}

// unlistings remove some rows of the list ?1, once its documents are gone. Each
// is the next when the one before it finds nothing more; the last one removes
// the list.
var unlistings = []string{
	`DELETE FROM entries WHERE (col, ord, id, exact) IN (SELECT e.col, e.ord, e.id, e.exact
		FROM columns AS c CROSS JOIN entries AS e ON e.col = c.col WHERE c.list = ?1 LIMIT 2000)`,
	`DELETE FROM history WHERE list = ?1 AND (id, rev) IN (SELECT id, rev FROM history WHERE list = ?1 LIMIT 2000)`,
	`DELETE FROM columns WHERE list = ?1`,
	`DELETE FROM lists WHERE list = ?1`,
}

func (p *projector) unlist(ctx context.Context, tx *sql.Tx, list int64) error {
	if some, err := p.dropDocuments(ctx, tx, list); err != nil || some {
		return err
	}
	for _, text := range unlistings {
		res, err := tx.ExecContext(ctx, text, list)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
	}
	return nil
}

// dropDocuments removes some documents of a list and their words; it says
// whether there were any.
func (p *projector) dropDocuments(ctx context.Context, tx *sql.Tx, list int64) (some bool, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT doc FROM listed WHERE list = ? LIMIT 500`, list)
	docs, err := collect(rows, err, func(r *sql.Rows) (doc int64, err error) { return doc, r.Scan(&doc) })
	if err != nil {
		return false, err
	}
	words, listed := tx.StmtContext(ctx, p.dropWords), tx.StmtContext(ctx, p.dropListed)
	for _, doc := range docs {
		if _, err := words.ExecContext(ctx, doc); err != nil {
			return false, err
		}
		if _, err := listed.ExecContext(ctx, doc); err != nil {
			return false, err
		}
	}
	return len(docs) > 0, nil
}
