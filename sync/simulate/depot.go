package simulate

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// depot keeps the store of a run, and copies of it.
type depot interface {
	// Open the store for one server, which closes it.
	Open(ctx context.Context, registry *sync.Registry) (sync.Store, error)
	// Copy what the store holds and keep it as copy n, while nobody has it open.
	Copy(ctx context.Context, n int, now time.Time) error
	// PutBack copy n in the place of the store while nobody has it open: what
	// was committed after it is lost. Unless lists is set, what the store reads
	// off its journal may stay as it was, and show what is lost.
	PutBack(ctx context.Context, n int, lists bool, now time.Time) error
	// Close removes everything.
	Close(ctx context.Context) error
}

// Store names what the server of a run keeps its journal in.
type Store string

// The stores.
const (
	SQLite  Store = ""        // all nodes share a file; it is copied to be restored
	Backups Store = "backups" // the same, with backups that are restored into it
	MongoDB Store = "mongo"   // a database of the server that runs for tests, with backups
)

// depot of one run, in the run's folder.
func (s Store) depot(ctx context.Context, dir string) (depot, error) {
	f := &file{path: filepath.Join(dir, "world.db")}
	switch s {
	case SQLite:
		return f, nil
	case Backups:
		return &archived{opener: f, copies: map[int][]byte{}}, nil
	case MongoDB:
		uri, drop, err := mongotest.New(ctx)
		return &archived{opener: &database{uri, drop}, copies: map[int][]byte{}}, err
	}
	return nil, fmt.Errorf("there is no store %q", s)
}
