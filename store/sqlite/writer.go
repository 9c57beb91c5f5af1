package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// writer is the one writing connection of the file.
type writer struct {
	db    *sql.DB
	mover *mover

	head, hashAt, findWorkspace, addWorkspace           *sql.Stmt
	addCommit                                           *sql.Stmt
	documents, outcomes                                 bulk
	putNote, dropNote                                   *sql.Stmt
	nextGeneration, addChunk, putCheckpoint, dropChunks *sql.Stmt
}

// errCommit marks an error of COMMIT itself, after which nobody knows.
var errCommit = errors.New("commit failed")

func openWriter(ctx context.Context, path string, opts Options) (*writer, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	db, err := openDB(path, opts.VFS, 1, "busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
		"wal_autocheckpoint(0)", "journal_size_limit(67108864)", "cache_size(-4096)")
	if err != nil {
		return nil, err
	}
	w := &writer{db: db, mover: newMover(opts.Logger, opts.Failed), documents: bulk{
		into: `INSERT INTO documents (ws, kind, id, rev, scope, deleted, body, marks, sum) VALUES`, columns: 9,
		conflict: `ON CONFLICT (ws, kind, id) DO UPDATE SET rev = excluded.rev, scope = excluded.scope,
			deleted = excluded.deleted, body = excluded.body, marks = excluded.marks, sum = excluded.sum
			WHERE excluded.rev >= rev`,
	}, outcomes: bulk{
		into: `INSERT INTO outcomes (ws, id, digest, number) VALUES`, columns: 4, conflict: `ON CONFLICT DO NOTHING`,
	}}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	if err := prepare(ctx, db, slices.Concat(w.statements(), w.mover.statements(), w.documents.statements(), w.outcomes.statements())); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return w, nil
}

func (w *writer) statements() []statement {
	return []statement{
		{&w.head, headQuery},
		{&w.hashAt, `SELECT hash FROM journal WHERE place = ?`},
		{&w.findWorkspace, findWorkspace},
		{&w.addWorkspace, `INSERT INTO workspaces (name) VALUES (?)`},
		{&w.addCommit, `INSERT INTO journal (place, prev, hash, at, content) VALUES (?, ?, ?, ?, ?)`},
		{&w.putNote, `INSERT INTO notes (workspace, key, value) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value`},
		{&w.dropNote, `DELETE FROM notes WHERE workspace = ? AND key = ?`},
		{&w.nextGeneration, `SELECT coalesce(max(generation), 0) + 1 FROM chunks WHERE workspace = ?`},
		{&w.addChunk, `INSERT INTO chunks (workspace, generation, position, chunk) VALUES (?, ?, ?, ?)`},
		{&w.putCheckpoint, `INSERT INTO checkpoints (workspace, number, hash, at, generation) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET number = excluded.number, hash = excluded.hash, at = excluded.at,
				generation = excluded.generation`},
		{&w.dropChunks, `DELETE FROM chunks WHERE workspace = ? AND generation <> ?`},
	}
}

// durable runs fn in a transaction that is on the disk when it returns. An
// error that is errCommit leaves unknown whether it happened; with any other
// it did not.
func (w *writer) durable(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if err := w.mover.ready(); err != nil {
		return err
	}
	if err := transact(ctx, w.db, fn); err != nil {
		return err
	}
	w.mover.turn(ctx)
	return nil
}

// transact finishes what it has begun even when ctx ends: cutting a
// transaction short would leave the connection in doubt.
func transact(ctx context.Context, db *sql.DB, fn func(ctx context.Context, tx *sql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}
