package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	stdsync "sync"
	"time"

	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// file is the depot of SQLite: a file that all servers share, and its copies.
type file struct {
	path string

	mu    stdsync.Mutex // guards what follows
	store *sqlite.Store
	users int
}

// Open implements depot.
func (f *file) Open(ctx context.Context, registry *sync.Registry) (_ sync.Store, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users == 0 {
		if f.store, err = sqlite.Open(ctx, f.path, registry, sqlite.Options{ReadConns: 1}); err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
	}
	f.users++
	return &share{Store: f.store, of: f}, nil
}

// share is the file as one server has it.
type share struct {
	sync.Store
	of *file
}

// Close closes the file when no other server has it.
func (s *share) Close() error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.of.users--; s.of.users > 0 {
		return nil
	}
	return s.Store.Close()
}

// Copy implements depot.
func (f *file) Copy(_ context.Context, n int, _ time.Time) error { return copyFile(f.path, f.copy(n)) }

func (f *file) copy(n int) string { return fmt.Sprintf("%s.copy-%d", f.path, n) }

// PutBack implements depot.
func (f *file) PutBack(_ context.Context, n int, lists bool, _ time.Time) error {
	gone := []string{f.path + "-wal", f.path + "-shm"}
	if lists {
		gone = append(gone, strings.TrimSuffix(f.path, ".db")+".lists.db")
	}
	var errs []error
	for _, name := range gone {
		errs = append(errs, os.RemoveAll(name))
	}
	return errors.Join(append(errs, copyFile(f.copy(n), f.path))...)
}

// Close implements depot: the files go with the run's folder.
func (f *file) Close(context.Context) error { return nil }

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}
