package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

func mustClose(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// severalSteps is a history of so many commits that its rows go in several.
const severalSteps = 270

// fillHistory writes a history of so many commits, each with four documents.
func fillHistory(t *testing.T, s *Store, name string, commits uint64) sync.Head {
	t.Helper()
	var head sync.Head
	var all []*sync.Commit
	for n := range commits {
		c := &sync.Commit{Number: n + 1, Prev: head.Hash, Nonce: uuid.New(), Day: "2026-11-21"}
		for i := range 4 {
			id := fmt.Sprint("c", n, "-", i)
			c.Changes = append(c.Changes, sync.Version{
				Key: sync.Key{Kind: "client", ID: id}, Rev: n + 1, Scope: "client:" + id,
				Body: fmt.Appendf(nil, `{"kind":"client","id":%q,"scope":"client:%s","name":"Zoé %d"}`, id, id, n),
			})
		}
		c.Outcomes = []sync.Outcome{{ID: uuid.New(), User: "u", Result: []byte(`{}`)}}
		c.Seal()
		all, head = append(all, c), sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
	}
	if err := s.Append(t.Context(), name, all); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), name, head.Number, sync.Query{Kind: "client", Words: []string{"zoe"}, Limit: 1})
	if err != nil || list.Total != int(4*commits) {
		t.Fatalf("list is %v, %v", list, err)
	}
	return head
}

// isSwept waits until nothing is left to remove and looks for rows of a
// history in both files.
func isSwept(t *testing.T, s *Store, ws int64) {
	t.Helper()
	awaitCleared(t, s.projector.progress)
	count := func(db *sql.DB, table, where string, args ...any) {
		t.Helper()
		var n int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table+` WHERE `+where, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	count(s.reader.db, "journal", "place >= ? AND place < ?", place(ws, 0), place(ws+1, 0))
	for _, table := range []string{"documents", "outcomes"} {
		count(s.reader.db, table, "ws = ?", ws)
	}
	count(s.reader.listed, "progress", "ws = ?", ws)
	count(s.reader.listed, "lists", "ws = ?", ws)
	count(s.reader.listed, "columns", "list NOT IN (SELECT list FROM lists)")
	count(s.reader.listed, "history", "list NOT IN (SELECT list FROM lists)")
	count(s.reader.listed, "listed", "list NOT IN (SELECT list FROM lists)")
	count(s.reader.listed, "entries", "col NOT IN (SELECT col FROM columns)")
	count(s.reader.listed, "entries", "doc NOT IN (SELECT doc FROM listed)")
	count(s.reader.listed, "search", "rowid NOT IN (SELECT doc FROM listed)")
}

// awaitCleared waits until the projector has removed the lists of all
// histories that were dropped.
func awaitCleared(t *testing.T, p *progress) {
	t.Helper()
	left := func() (bool, chan struct{}) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, left := range p.gone {
			if left {
				return true, p.moved
			}
		}
		return false, nil
	}
	for more, moved := left(); more; more, moved = left() {
		select {
		case <-moved:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// TestPromotedOverIsSwept: nothing of the history that had the name stays in
// the files, and lists of others are as before.
func TestPromotedOverIsSwept(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	was := fillHistory(t, s, "w", severalSteps)
	now := fillHistory(t, s, "~restore/w", 30)
	if err := s.Promote(t.Context(), "~restore/w", "w", was); err != nil {
		t.Fatal(err)
	}
	isSwept(t, s, 1)
	fillHistory(t, s, "other", 30) // its lists get integers that were given before
	if n, err := total(t, s, now); err != nil || n != 120 {
		t.Fatalf("the promoted history lists %d, %v", n, err)
	}
}

// TestSweepResumes: the program ends after the names have changed and before
// any row is removed; the next opening removes them.
func TestSweepResumes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "enroute.db")
	s := openAt(t, path, benchRegistry(t))
	fillHistory(t, s, "w", 30)
	now := fillHistory(t, s, "~restore/w", 30)
	err := s.writer.durable(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if err := forsake(ctx, tx, "w"); err != nil {
			return err
		}
		return takeName(ctx, tx, "~restore/w", "w")
	})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	for range 2 { // and once more with nothing to do
		s = openAt(t, path, benchRegistry(t))
		isSwept(t, s, 1)
		if n, err := total(t, s, now); err != nil || n != 120 {
			t.Fatalf("the promoted history lists %d, %v", n, err)
		}
		mustClose(t, s)
	}
}
