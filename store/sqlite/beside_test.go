package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/enroute-field/enroute/sync"
)

// journals is what either gives.
type journals interface {
	Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error
}

func newReader(t *testing.T, path string) *Reader {
	t.Helper()
	r, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// sums of the files in a folder, by name. What SQLite shares between processes
// is left out.
func sums(t *testing.T, folder string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(f.Name()) != ".db-shm" {
			out[f.Name()] = sha256.Sum256(content)
		}
	}
	return out
}

// count the commits a reader gives.
func count(t *testing.T, r journals, name string) (n uint64) {
	t.Helper()
	err := r.Journal(t.Context(), name, 1, 0, func(*sync.Commit) error {
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReaderBesideAServer: it sees what is appended while it is open, keeps
// nobody from writing, and leaves the files as they are.
func TestReaderBesideAServer(t *testing.T) {
	t.Parallel()
	s, path := newStore(t)
	head := fillHistory(t, s, "w", 30)
	before := sums(t, filepath.Dir(path))
	r := newReader(t, path)
	if got := count(t, r, "w"); got != head.Number {
		t.Fatalf("it reads %d commits of %d", got, head.Number)
	}
	for name, sum := range sums(t, filepath.Dir(path)) {
		if before[name] != sum {
			t.Errorf("reading changed %s", name)
		}
	}
	err := r.Journal(t.Context(), "w", 1, 0, func(c *sync.Commit) error {
		if c.Number == 1 {
			next := &sync.Commit{Number: head.Number + 1, Prev: head.Hash}
			next.Seal()
			return s.Append(t.Context(), "w", []*sync.Commit{next})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Head(t.Context(), "w"); err != nil || got.Number != head.Number+1 {
		t.Fatalf("it does not see what was appended: %v, %v", got, err)
	}
	if _, err := r.db.ExecContext(t.Context(), `DELETE FROM journal`); err == nil {
		t.Fatal("it can write")
	}
}

// TestReaderAlone: no server runs, after an orderly end and after a kill.
func TestReaderAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "x.db")
	s := openAt(t, path, benchRegistry(t))
	head := fillHistory(t, s, "w", 30)
	killed := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(killed, "x.db"+suffix), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)
	for _, folder := range []string{folder, killed} {
		path := filepath.Join(folder, "x.db")
		before := sums(t, folder)
		r, err := OpenReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if got := count(t, r, "w"); got != head.Number {
			t.Errorf("it reads %d commits of %d", got, head.Number)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for name, sum := range before {
			if sums(t, folder)[name] != sum {
				t.Errorf("reading changed %s", name)
			}
		}
		s := openAt(t, path, benchRegistry(t)) // nothing is in the way of a server
		if got := count(t, s, "w"); got != head.Number {
			t.Errorf("a server reads %d commits of %d", got, head.Number)
		}
		mustClose(t, s)
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	s, path := newStore(t)
	if _, err := OpenReader(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file gave %v", err)
	}
	if _, err := os.Stat(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Error("it made a file")
	}
	for version, want := range map[string]error{"1": ErrOlder, "99": ErrNewer} {
		if _, err := s.writer.db.ExecContext(t.Context(), `PRAGMA user_version = `+version); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenReader(t.Context(), path); !errors.Is(err, want) {
			t.Errorf("version %s gave %v", version, err)
		}
	}
	other := filepath.Join(t.TempDir(), "other.db")
	db := raw(t, other)
	script(t, db, `CREATE TABLE x (y)`)
	if _, err := OpenReader(context.WithoutCancel(t.Context()), other); !errors.Is(err, ErrForeign) {
		t.Errorf("a file of another program gave %v", err)
	}
}
