package simulate

import (
	"context"
	"path/filepath"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Depot keeps the store of a run, and copies of it.
type Depot interface {
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

// Site is where histories are played.
type Site struct {
	// Dir is where each run makes a folder of its own; a fast one serves best,
	// for nothing here depends on what survives a loss of power.
	Dir string
	// Depot makes the depot of a run in the run's folder; nil: File.
	Depot func(ctx context.Context, dir string) (Depot, error)
}

// depot of one run.
func (s Site) depot(ctx context.Context) (Depot, error) {
	if s.Depot == nil {
		return File(ctx, s.Dir)
	}
	return s.Depot(ctx, s.Dir)
}

// File is the depot of SQLite, whose copies are files.
func File(_ context.Context, dir string) (Depot, error) {
	return &file{path: filepath.Join(dir, "world.db")}, nil
}
