package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// SaveNotes implements sync.Store.
func (s *Store) SaveNotes(ctx context.Context, workspace string, notes map[string][]byte) error {
	if len(notes) == 0 {
		return nil
	}
	err := s.writer.durable(ctx, func(ctx context.Context, tx *sql.Tx) error {
		put, drop := tx.StmtContext(ctx, s.writer.putNote), tx.StmtContext(ctx, s.writer.dropNote)
		for key, value := range notes {
			var err error
			if value == nil {
				_, err = drop.ExecContext(ctx, workspace, key)
			} else {
				_, err = put.ExecContext(ctx, workspace, key, value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save notes of %s: %w", workspace, err)
	}
	return nil
}

// Notes implements sync.Store.
func (s *Store) Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error) {
	return s.reader.Notes(ctx, workspace, prefix)
}

func (r *reader) Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error) {
	type note struct {
		key   string
		value []byte
	}
	rows, err := r.notes.QueryContext(ctx, workspace, prefix, listing.Beyond(prefix))
	found, err := collect(rows, err, func(r *sql.Rows) (n note, err error) { return n, r.Scan(&n.key, &n.value) })
	if err != nil {
		return nil, fmt.Errorf("read notes of %s: %w", workspace, err)
	}
	out := make(map[string][]byte, len(found))
	for _, n := range found {
		if n.value == nil {
			n.value = []byte{} // the driver's form of an empty value
		}
		out[n.key] = n.value
	}
	return out, nil
}

// SaveCheckpoint implements sync.Store. The chunks are written one by one,
// since a large checkpoint must not keep appends waiting; they count from the
// last step on, which names their generation.
func (s *Store) SaveCheckpoint(ctx context.Context, workspace string, head sync.Head, chunks [][]byte) error {
	select {
	case s.saving <- struct{}{}:
		defer func() { <-s.saving }()
	case <-ctx.Done():
		return ctx.Err()
	}
	generation, err := s.saveChunks(ctx, workspace, chunks)
	if err != nil {
		return fmt.Errorf("save checkpoint of %s: %w", workspace, err)
	}
	err = s.writer.durable(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, s.writer.putCheckpoint).ExecContext(ctx,
			workspace, head.Number, head.Hash[:], head.At.UnixMicro(), generation)
		if err != nil {
			return err
		}
		_, err = tx.StmtContext(ctx, s.writer.dropChunks).ExecContext(ctx, workspace, generation)
		return err
	})
	if err != nil {
		return fmt.Errorf("save checkpoint of %s: %w", workspace, err)
	}
	return nil
}

func (s *Store) saveChunks(ctx context.Context, workspace string, chunks [][]byte) (generation int64, err error) {
	err = s.writer.durable(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.StmtContext(ctx, s.writer.nextGeneration).QueryRowContext(ctx, workspace).Scan(&generation)
	})
	if err != nil {
		return 0, err
	}
	for i, chunk := range chunks {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err := s.writer.durable(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.StmtContext(ctx, s.writer.addChunk).ExecContext(ctx, workspace, generation, i, chunk)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return generation, nil
}

// LoadCheckpoint implements sync.Store.
func (s *Store) LoadCheckpoint(ctx context.Context, workspace string) (head sync.Head, chunks [][]byte, err error) {
	var hash []byte
	var micros int64
	var position sql.NullInt64 // NULL in the one row of a checkpoint without chunks
	rows, err := s.reader.checkpoint.QueryContext(ctx, workspace)
	chunks, err = collect(rows, err, func(r *sql.Rows) (chunk []byte, err error) {
		return chunk, r.Scan(&head.Number, &hash, &micros, &position, &chunk)
	})
	if err != nil {
		return sync.Head{}, nil, fmt.Errorf("load checkpoint of %s: %w", workspace, err)
	}
	if len(chunks) == 0 {
		return sync.Head{}, nil, fmt.Errorf("checkpoint of %s: %w", workspace, sync.ErrMissing)
	}
	if len(hash) != len(head.Hash) {
		return sync.Head{}, nil, fmt.Errorf("checkpoint of %s: %w", workspace, sync.ErrDamaged)
	}
	if !position.Valid {
		chunks = nil
	}
	head.Hash, head.At = sync.Hash(hash), time.UnixMicro(micros).UTC()
	return head, chunks, nil
}
