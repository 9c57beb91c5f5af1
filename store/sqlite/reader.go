package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	stdsync "sync"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// reader is the pools of connections for reading.
type reader struct {
	db      *sql.DB  // the data file
	listed  *sql.DB  // the file of the lists
	ws      interned // integers of workspaces
	gathers listing.Limits

	head, findWorkspace, workspaces, journal *sql.Stmt
	documents, outcomes                      *sql.Stmt
	revisions                                *sql.Stmt
	notes, checkpoint                        *sql.Stmt
	findList, findColumn                     *sql.Stmt
	countSpan, countWords, inSpan, withWords *sql.Stmt
	upColumn, downColumn, upList, downList   *sql.Stmt
}

// openReader opens conns connections to either file.
func openReader(ctx context.Context, path, vfs string, conns int) (*reader, error) {
	r := &reader{ws: interned{of: map[string]int64{}}, gathers: listing.DefaultLimits()}
	var err error
	if r.db, err = openReading(ctx, path, vfs, conns, r.statements()); err != nil {
		return nil, err
	}
	if r.listed, err = openReading(ctx, listsPath(path), vfs, conns, r.lists()); err != nil {
		return nil, errors.Join(err, r.db.Close())
	}
	return r, nil
}

func openReading(ctx context.Context, path, vfs string, conns int, all []statement) (*sql.DB, error) {
	db, err := openDB(path, vfs, conns, "busy_timeout(10000)", "query_only(1)", "cache_size(-2048)")
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, db, all); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (r *reader) close() error { return errors.Join(r.db.Close(), r.listed.Close()) }

func (r *reader) statements() []statement {
	return []statement{
		{&r.head, headQuery},
		{&r.findWorkspace, findWorkspace},
		{&r.workspaces, `SELECT name FROM workspaces WHERE name NOT LIKE '` + sync.StagedPrefix + `%' ORDER BY name`},
		{&r.journal, `SELECT place, prev, hash, content FROM journal WHERE place >= ? AND place <= ? ORDER BY place`},
		{&r.documents, `SELECT d.ws, d.kind, d.id, d.rev, d.scope, d.deleted, d.body, d.marks, d.sum
			FROM json_each(?) AS k CROSS JOIN documents AS d
			ON d.ws = ? AND d.kind = k.value ->> 0 AND d.id = k.value ->> 1`},
		{&r.outcomes, `SELECT o.id, o.digest, o.number
			FROM json_each(?) AS k CROSS JOIN outcomes AS o ON o.ws = ? AND o.id = unhex(k.value, '-')`},
		{&r.notes, `SELECT key, value FROM notes WHERE workspace = ? AND key >= ? AND key < ?`},
		{&r.checkpoint, `SELECT c.number, c.hash, c.at, k.position, k.chunk FROM checkpoints AS c
			LEFT JOIN chunks AS k ON k.workspace = c.workspace AND k.generation = c.generation
			WHERE c.workspace = ? ORDER BY k.position`},
	}
}

// lists are the statements over the file of the lists.
func (r *reader) lists() []statement {
	return []statement{
		{&r.revisions, `SELECT h.rev FROM lists AS l CROSS JOIN history AS h ON h.list = l.list
			WHERE l.ws = ? AND l.kind = ? AND h.id = ? AND h.rev < ? ORDER BY h.rev DESC LIMIT ?`},
		{&r.findList, `SELECT list, size FROM lists WHERE ws = ? AND kind = ?`},
		{&r.findColumn, `SELECT col, many, docs FROM columns WHERE list = ? AND field = ?`},
		{&r.countSpan, `SELECT count(*) FROM (SELECT 1 FROM entries
			WHERE col = ?1 AND ord >= ?2 AND ord <= ?3 AND (?4 IS NULL OR exact = ?4) LIMIT ?5)`},
		{&r.countWords, `SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)`},
		{&r.inSpan, `SELECT l.id, l.facts FROM entries AS e CROSS JOIN listed AS l ON l.doc = e.doc
			WHERE e.col = ?1 AND e.ord >= ?2 AND e.ord <= ?3 AND (?4 IS NULL OR e.exact = ?4)`},
		{&r.withWords, `SELECT l.id, l.facts FROM search AS s CROSS JOIN listed AS l ON l.doc = s.rowid
			WHERE s.search MATCH ?`},
		{&r.upColumn, `SELECT l.id, l.facts FROM entries AS e CROSS JOIN listed AS l ON l.doc = e.doc
			WHERE e.col = ?1 AND e.least AND (e.ord, e.id) > (?2, ?3) ORDER BY e.ord, e.id`},
		{&r.downColumn, `SELECT l.id, l.facts FROM entries AS e CROSS JOIN listed AS l ON l.doc = e.doc
			WHERE e.col = ?1 AND e.least AND (e.ord, e.id) < (?2, ?3) ORDER BY e.ord DESC, e.id DESC`},
		{&r.upList, `SELECT id, facts FROM listed WHERE list = ? AND id > ? ORDER BY id`},
		{&r.downList, `SELECT id, facts FROM listed WHERE list = ? AND id < ? ORDER BY id DESC`},
	}
}

// workspace gives the integer of a workspace; false when it has no commit.
func (r *reader) workspace(ctx context.Context, name string) (int64, bool, error) {
	ws, ok, turn := r.ws.get(name)
	if ok {
		return ws, true, nil
	}
	err := r.findWorkspace.QueryRowContext(ctx, name).Scan(&ws)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("find workspace %s: %w", name, err)
	}
	r.ws.set(name, ws, turn)
	return ws, true, nil
}

// findWorkspace finds the integer of the history that has a name.
const findWorkspace = `SELECT ws FROM workspaces WHERE name = ? AND NOT dropped`

// interned remembers what integers names lead to. That changes only when a
// staged history is promoted or dropped.
type interned struct {
	mu   stdsync.RWMutex
	of   map[string]int64
	turn int // how often all has been forgotten
}

func (i *interned) get(name string) (n int64, ok bool, turn int) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	n, ok = i.of[name]
	return n, ok, i.turn
}

// set what was found out since get gave turn.
func (i *interned) set(name string, n int64, turn int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if turn == i.turn {
		i.of[name] = n
	}
}

func (i *interned) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.of)
	i.turn++
}

// collect runs a query and scans every row with scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is in rows.Err
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
