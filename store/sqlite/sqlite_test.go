package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

func outcomeIDs(c *sync.Commit) []uuid.UUID {
	var ids []uuid.UUID
	for _, o := range c.Outcomes {
		ids = append(ids, o.ID)
	}
	return ids
}

// newStore opens an empty store that is closed with the test.
func newStore(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	s := openAt(t, path, benchRegistry(t))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, path
}

func script(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// raw opens a file past the store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := openDB(path, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestSecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	s, path := newStore(t)
	if _, err := Open(t.Context(), path, benchRegistry(t), Options{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("second open gave %v", err)
	}
	c, _ := follow(sync.Head{})
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatalf("the refused one disturbed the first: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, path string)
		err     error
	}{
		"newer": {func(t *testing.T, path string) {
			t.Helper()
			if err := openAt(t, path, benchRegistry(t)).Close(); err != nil {
				t.Fatal(err)
			}
			script(t, raw(t, path), fmt.Sprint("PRAGMA user_version = ", len(migrations)+1))
		}, ErrNewer},
		"foreign": {func(t *testing.T, path string) {
			t.Helper()
			script(t, raw(t, path), "CREATE TABLE recipes (name TEXT)")
		}, ErrForeign},
		"no database": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(strings.Repeat("soup ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"no folder": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data", "x.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, path)
			_, err := Open(t.Context(), path, benchRegistry(t), Options{})
			if err == nil || test.err != nil && !errors.Is(err, test.err) {
				t.Fatalf("open gave %v, want %v", err, test.err)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
	}
}

// TestOddPath: a path is a path, whatever characters it has.
func TestOddPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b?c#d%20é")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.db")
	if err := openAt(t, path, benchRegistry(t)).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

// TestPrivate: nobody but the owner may read what the store writes.
func TestPrivate(t *testing.T) {
	t.Parallel()
	s, path := newStore(t)
	c, _ := follow(sync.Head{}, benchClient(1))
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("permissions of %s are %o", info.Name(), mode)
		}
	}
}

// TestDurable: appends wait for the disk, and in WAL mode, so that readers do
// not wait for writers.
func TestDurable(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	c, head := follow(sync.Head{}, benchClient(1))
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context(), "w", head.Number, sync.Query{Kind: "client", Limit: 1}); err != nil {
		t.Fatal(err)
	}
	const full = 2
	err := s.writer.durable(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		var level int
		var mode string
		row := tx.QueryRowContext(ctx, "SELECT (SELECT synchronous FROM pragma_synchronous), (SELECT journal_mode FROM pragma_journal_mode)")
		if err := row.Scan(&level, &mode); err != nil {
			return err
		}
		if level != full || mode != "wal" {
			return fmt.Errorf("synchronous is %d, journal mode %s", level, mode)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFailedCommit: an error of COMMIT itself leaves the outcome unknown, for
// everyone in the group; nothing of it stands here, and the same appends
// succeed once the cause is gone.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	// A deferred foreign key is checked by COMMIT, and fails it.
	script(t, s.writer.db, `PRAGMA foreign_keys = ON;
		CREATE TABLE gate (open INTEGER PRIMARY KEY);
		CREATE TABLE passed (open INTEGER REFERENCES gate DEFERRABLE INITIALLY DEFERRED);
		CREATE TRIGGER guard AFTER INSERT ON journal BEGIN INSERT INTO passed VALUES (1); END`)
	commits := appendMany(t, s, 5, func(err error) error {
		if !errors.Is(err, sync.ErrUnknownOutcome) {
			return fmt.Errorf("append gave %w", err)
		}
		return nil
	})
	if names, err := s.Workspaces(t.Context()); err != nil || len(names) != 0 {
		t.Fatalf("rolled back, and workspaces are %q, %v", names, err)
	}
	script(t, s.writer.db, "INSERT INTO gate VALUES (1)")
	for w, c := range commits {
		if err := s.Append(t.Context(), w, []*sync.Commit{c}); err != nil {
			t.Fatalf("repeated append to %s: %v", w, err)
		}
		isProjected(t, s, w, wholeChain(t, s, w))
	}
}

// TestFailedInsert: an error before COMMIT means that it did not happen, and
// one that cannot be written does not harm the others of its group.
func TestFailedInsert(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	script(t, s.writer.db, `CREATE TRIGGER guard BEFORE INSERT ON workspaces WHEN new.name = 'w3'
		BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
	commits := appendMany(t, s, 6, nil)
	for w, c := range commits {
		head, err := s.Head(t.Context(), w)
		if err != nil || (head.Hash == c.Hash) == (w == "w3") {
			t.Errorf("head of %s is %d, %v", w, head.Number, err)
		}
	}
	err := s.Append(t.Context(), "w3", []*sync.Commit{commits["w3"]})
	if err == nil || errors.Is(err, sync.ErrUnknownOutcome) || errors.Is(err, sync.ErrConflict) {
		t.Errorf("a failed insert gave %v", err)
	}
}

// appendMany appends the first commit of n workspaces at once; check looks at
// each error.
func appendMany(t *testing.T, s *Store, n int, check func(error) error) map[string]*sync.Commit {
	t.Helper()
	commits := map[string]*sync.Commit{}
	var g errgroup.Group
	for i := range n {
		w := fmt.Sprint("w", i)
		c, _ := follow(sync.Head{}, benchClient(i))
		commits[w] = c
		g.Go(func() error {
			err := s.Append(t.Context(), w, []*sync.Commit{c})
			if check == nil {
				return nil
			}
			return check(err)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return commits
}

// TestFullDisk: no room is an error that may pass, and nothing is half there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	var pages int
	if err := s.writer.db.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	script(t, s.writer.db, fmt.Sprint("PRAGMA max_page_count = ", pages+20))
	var head sync.Head
	for {
		c, next := follow(head, benchClient(1), benchClient(2), benchClient(3))
		err := s.Append(t.Context(), "w", []*sync.Commit{c})
		if err == nil {
			head = next
			continue
		}
		if errors.Is(err, sync.ErrUnknownOutcome) || errors.Is(err, sync.ErrConflict) {
			t.Fatalf("a full disk gave %v", err)
		}
		break
	}
	if got, err := s.Head(t.Context(), "w"); err != nil || got != head {
		t.Fatalf("head is %v, %v, want %v", got, err, head)
	}
	script(t, s.writer.db, "PRAGMA max_page_count = 1000000")
	c, _ := follow(head, benchClient(4))
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatal(err)
	}
	isProjected(t, s, "w", wholeChain(t, s, "w"))
}

// TestDamage: what does not decode, or is not there, is told, never skipped.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"cut":     "UPDATE journal SET content = substr(content, 1, 40) WHERE place & 0xffff = 2",
		"missing": "DELETE FROM journal WHERE place & 0xffff = 2",
		"moved":   "UPDATE journal SET content = (SELECT content FROM journal WHERE place & 0xffff = 1) WHERE place & 0xffff = 2",
		"hash":    "UPDATE journal SET hash = x'00' WHERE place & 0xffff = 2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newStore(t)
			var head sync.Head
			for range 3 {
				var c *sync.Commit
				c, head = follow(head, benchClient(1))
				if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Revisions(t.Context(), "w", 3, benchClient(1).Key, 0, 1); err != nil {
				t.Fatal(err) // waits until the projector needs the journal no more
			}
			script(t, s.writer.db, damage)
			err := s.Journal(t.Context(), "w", 1, 0, func(*sync.Commit) error { return nil })
			if !errors.Is(err, sync.ErrDamaged) {
				t.Fatalf("journal gave %v", err)
			}
		})
	}
}

// TestDamagedRows: a row that was changed behind the store's back is told.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"body":  "UPDATE documents SET body = replace(body, 'C-1', 'C-2')",
		"marks": "UPDATE documents SET marks = NULL",
		"scope": "UPDATE documents SET scope = 'client:other'",
		"rev":   "UPDATE documents SET rev = 2",
		"gone":  "UPDATE documents SET deleted = 1",
		"facts": "UPDATE listed SET facts = CAST(replace(facts, 'c-1', 'c-2') AS BLOB)",
		"id":    "UPDATE listed SET id = id || 'x'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newStore(t)
			c, _ := follow(sync.Head{}, benchClient(1))
			if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
				t.Fatal(err)
			}
			q := sync.Query{Kind: "client", Limit: 1}
			if _, err := s.List(t.Context(), "w", 1, q); err != nil {
				t.Fatal(err)
			}
			db := s.writer.db
			if strings.Contains(damage, "listed") {
				db = s.lists
			}
			script(t, db, damage)
			_, err := s.Documents(t.Context(), "w", []sync.Key{benchClient(1).Key})
			_, listed := s.List(t.Context(), "w", 1, q)
			if !errors.Is(err, sync.ErrDamaged) && !errors.Is(listed, sync.ErrDamaged) {
				t.Fatalf("document gave %v, list %v", err, listed)
			}
		})
	}
}

// TestLostWorkspace: a workspace that is not to be found any more, or has no
// commits, is not made anew.
func TestLostWorkspace(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"all commits":      "DELETE FROM journal WHERE place >> 40 = 2",
		"first workspace":  "DELETE FROM workspaces WHERE ws = 1",
		"second workspace": "DELETE FROM workspaces WHERE ws = 2",
		"all workspaces":   "DELETE FROM workspaces",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, path := newStore(t)
			for _, workspace := range []string{"v", "w"} {
				c, _ := follow(sync.Head{}, benchClient(1))
				must(t, s.Append(t.Context(), workspace, []*sync.Commit{c}))
			}
			must(t, s.Close())
			must(t, discard(listsPath(path)))
			change(t, path, damage)
			if _, err := Open(t.Context(), path, benchRegistry(t), Options{}); !errors.Is(err, sync.ErrDamaged) {
				t.Fatalf("open gave %v", err)
			}
		})
	}
}
