package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/google/uuid"
	codes "modernc.org/sqlite/lib"

	"github.com/enroute-field/enroute/sync"
)

// Workspaces implements sync.Store.
func (s *Store) Workspaces(ctx context.Context) ([]string, error) { return s.reader.Workspaces(ctx) }

// Head implements sync.Store.
func (s *Store) Head(ctx context.Context, workspace string) (sync.Head, error) {
	return s.reader.Head(ctx, workspace)
}

// Journal implements sync.Store.
func (s *Store) Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error {
	return s.reader.Journal(ctx, workspace, from, to, yield)
}

func (r *reader) Workspaces(ctx context.Context) ([]string, error) {
	rows, err := r.workspaces.QueryContext(ctx)
	names, err := collect(rows, err, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	return names, nil
}

func (r *reader) Head(ctx context.Context, workspace string) (sync.Head, error) {
	ws, ok, err := r.workspace(ctx, workspace)
	if err != nil || !ok {
		return sync.Head{}, err
	}
	return scanHead(r.head.QueryRowContext(ctx, place(ws, 0), place(ws+1, 0)))
}

// windowBytes is how much of the journal is read before it is handed on: a
// slow reader must not hold a snapshot of the file open.
const windowBytes = 4 << 20

func (r *reader) Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error {
	head, err := r.Head(ctx, workspace)
	if err != nil {
		return err
	}
	if to == 0 || to > head.Number {
		to = head.Number
	}
	ws, _, err := r.workspace(ctx, workspace)
	if err != nil {
		return err
	}
	for from = max(from, 1); from <= to; {
		window, err := r.window(ctx, ws, from, to)
		if err != nil {
			return fmt.Errorf("read journal of %s from %d: %w", workspace, from, err)
		}
		for _, c := range window {
			if err := yield(c); err != nil {
				return err
			}
		}
		from += uint64(len(window))
	}
	return nil
}

// window reads the commits from number from up to to, but stops after
// windowBytes. It gives at least one.
func (r *reader) window(ctx context.Context, ws int64, from, to uint64) ([]*sync.Commit, error) {
	rows, err := r.journal.QueryContext(ctx, place(ws, from), place(ws, to))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is in rows.Err
	var out []*sync.Commit
	for size := 0; size < windowBytes && rows.Next(); {
		next := from + uint64(len(out))
		c, n, err := scanCommit(rows, place(ws, next))
		if err != nil {
			return nil, fmt.Errorf("commit %d: %w", next, err)
		}
		out = append(out, c)
		size += n
	}
	if len(out) == 0 && rows.Err() == nil {
		return nil, fmt.Errorf("commit %d is missing: %w", from, sync.ErrDamaged)
	}
	return out, rows.Err()
}

// scanCommit reads the commit that must be at a place and have its hash; it
// also gives the size of the content.
func scanCommit(rows *sql.Rows, place int64) (*sync.Commit, int, error) {
	var at int64
	var prev, hash, content []byte
	if err := rows.Scan(&at, &prev, &hash, &content); err != nil {
		return nil, 0, err
	}
	if at != place {
		return nil, 0, fmt.Errorf("another is at its place: %w", sync.ErrDamaged)
	}
	var c sync.Commit
	if len(prev) != len(c.Prev) || len(hash) != len(c.Hash) || sync.HashOf(sync.Hash(prev), content) != sync.Hash(hash) {
		return nil, 0, fmt.Errorf("content and hash do not agree: %w", sync.ErrDamaged)
	}
	read, err := sync.DecodeCommit(content)
	if err != nil {
		return nil, 0, err
	}
	if read.Number != numberAt(at) {
		return nil, 0, fmt.Errorf("its content is that of commit %d: %w", read.Number, sync.ErrDamaged)
	}
	read.Prev, read.Hash = sync.Hash(prev), sync.Hash(hash)
	return read, len(content), nil
}

// Documents implements sync.Store.
func (s *Store) Documents(ctx context.Context, workspace string, keys []sync.Key) ([]sync.Version, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ws, ok, err := s.reader.workspace(ctx, workspace)
	if err != nil || !ok {
		return nil, err
	}
	asked := make([][2]string, len(keys))
	for i, k := range keys {
		asked[i] = [2]string{k.Kind, k.ID}
	}
	list, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("ask for documents: %w", err)
	}
	rows, err := s.reader.documents.QueryContext(ctx, string(list), ws)
	found, err := collect(rows, err, scanVersion)
	if isCode(err, codes.SQLITE_CORRUPT) {
		err = fmt.Errorf("%w: %w", sync.ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read %d documents of %s: %w", len(keys), workspace, err)
	}
	return found, nil
}

// scanVersion reads a row of documents and sees to it that it is whole.
func scanVersion(r *sql.Rows) (v sync.Version, err error) {
	var ws int64
	var sum uint32
	if err := r.Scan(&ws, &v.Kind, &v.ID, &v.Rev, &v.Scope, &v.Deleted, &v.Body, &v.Marks, &sum); err != nil {
		return v, err
	}
	if sum != checksum(ws, &v) {
		return v, fmt.Errorf("document %s@%d: %w", v.Key, v.Rev, sync.ErrDamaged)
	}
	return v, nil
}

// checksum of a row of documents (CRC-32C): what phones are told must be what
// was written, and SQLite keeps no checksums of its own.
func checksum(ws int64, v *sync.Version) uint32 {
	head := appendText(appendText(appendText(make([]byte, 0, 256), v.Kind), v.ID), v.Scope)
	head = binary.AppendUvarint(binary.AppendUvarint(head, uint64(ws)), v.Rev)
	if head = binary.AppendUvarint(head, uint64(len(v.Body))); v.Deleted {
		head = append(head, 1)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Update(crc32.Checksum(head, table), table, v.Body), table, v.Marks)
}

// appendText with its length before it.
func appendText(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

// Outcomes implements sync.Store.
func (s *Store) Outcomes(ctx context.Context, workspace string, ids []uuid.UUID) ([]sync.OutcomeRef, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ws, ok, err := s.reader.workspace(ctx, workspace)
	if err != nil || !ok {
		return nil, err
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("ask for outcomes: %w", err)
	}
	rows, err := s.reader.outcomes.QueryContext(ctx, string(list), ws)
	found, err := collect(rows, err, scanOutcome)
	if err != nil {
		return nil, fmt.Errorf("read %d outcomes of %s: %w", len(ids), workspace, err)
	}
	return found, nil
}

func scanOutcome(r *sql.Rows) (o sync.OutcomeRef, err error) {
	var id, digest []byte
	if err := r.Scan(&id, &digest, &o.Commit); err != nil {
		return o, err
	}
	if copy(o.ID[:], id) != len(o.ID) || copy(o.Digest[:], digest) != len(o.Digest) {
		return o, fmt.Errorf("outcome in commit %d: %w", o.Commit, sync.ErrDamaged)
	}
	return o, nil
}
