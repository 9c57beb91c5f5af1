package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// server is the company's server: engine and store over one file.
type server struct {
	w        *world
	registry *sync.Registry
	path     string
	disk     *disk
	store    *sqlite.Store // the real one
	behind   *faulty.Store // the same behind the disk's failures
	engine   *sync.Engine
	ws       *sync.Workspace
	backups  int // copies of the file taken
}

func newServer(ctx context.Context, w *world, registry *sync.Registry) (*server, error) {
	s := &server{w: w, registry: registry, path: filepath.Join(w.cfg.Dir, "world.db"), disk: &disk{rng: source(w.cfg.Seed, forDisk, 0), count: w.count}}
	return s, s.start(ctx)
}

// start opens the store and starts an engine over it.
func (s *server) start(ctx context.Context) (err error) {
	if s.store, err = sqlite.Open(ctx, s.path, s.registry, sqlite.Options{ReadConns: 1}); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	s.behind = faulty.New(s.store, s.disk.plan)
	s.newEngine()
	return nil
}

// newEngine starts an engine over the store.
func (s *server) newEngine() {
	s.engine = sync.New(sync.Options{
		Store: s.behind, Registry: s.registry, Clock: s.w.clock.Now,
		Logger:          slog.New(slog.DiscardHandler),
		BodyCache:       int64(4 << 10 << s.w.rng.IntN(8)), // small ones make it read the store
		CheckpointEvery: 1 << 40,
		Housekeeping:    never,
		Horizon:         horizon,
		Faults:          omissions()[s.w.cfg.Sabotage].engine,
	})
}

// never is long after the end of any run: the engine's housekeeping goes by
// the clock on the wall, and what it does would come in the middle of
// anything. Steps do the same by the seed.
const never = 1000 * time.Hour

// horizon is short, so that devices come from before it.
const horizon = 60 * 24 * time.Hour

// open finds the workspace again after a start.
func (s *server) open(ctx context.Context) (err error) {
	if s.ws, err = s.engine.Open(ctx, workspace); err != nil {
		return fmt.Errorf("open the workspace: %w", err)
	}
	return nil
}

// failing says whether the store fails now and then.
func (s *server) failing() bool { return s.disk.failing() }

// stop ends everything in order.
func (s *server) stop(ctx context.Context) error {
	s.disk.fail(false)
	return errors.Join(s.engine.Close(ctx), s.behind.Close())
}

// restart stops in order and starts again.
func (s *server) restart(ctx context.Context) error {
	return s.away(ctx, func() error { return nil })
}

// crash is a stop at which nothing is saved; the store lives on, as one on
// another machine does.
func (s *server) crash(ctx context.Context) error {
	s.disk.fail(false)
	s.engine.Abandon()
	for _, p := range s.w.phones {
		p.shown = 0 // the server may have forgotten which cursors it was shown
	}
	s.newEngine()
	return s.open(ctx)
}

// backup copies the file, with the server stopped for it.
func (s *server) backup(ctx context.Context) error {
	return s.away(ctx, func() error {
		s.backups++
		return copyFile(s.path, s.backupPath(s.backups))
	})
}

func (s *server) backupPath(n int) string { return fmt.Sprintf("%s.backup-%d", s.path, n) }

// restore puts a backup in the place of the file: all commits after it are lost.
func (s *server) restore(ctx context.Context, n int) error {
	return s.away(ctx, func() error {
		gone := []string{s.path + "-wal", s.path + "-shm"}
		if s.w.chance(50) { // else the lists show commits that are lost
			gone = append(gone, strings.TrimSuffix(s.path, ".db")+".lists.db")
		}
		for _, file := range gone {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		}
		return copyFile(s.backupPath(n), s.path)
	})
}

// away does something to the file while nobody has it open.
func (s *server) away(ctx context.Context, do func() error) error {
	s.disk.fail(false)
	if err := errors.Join(s.engine.Close(ctx), s.behind.Close()); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	if err := do(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.open(ctx)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// checkRestart: what a cursor gives, and the state, are the same after a
// restart as before.
func (w *world) checkRestart(ctx context.Context) error {
	w.server.disk.fail(false)
	before, err := w.answers(ctx)
	if err != nil {
		return err
	}
	if err := w.read(ctx); err != nil { // they may have begun a day, and with it moved the horizon
		return err
	}
	hash, err := w.server.ws.StateHash(ctx)
	if err != nil {
		return err
	}
	again := w.server.restart
	if w.chance(50) {
		again = w.server.crash
	}
	if err := again(ctx); err != nil {
		return err
	}
	after, err := w.answers(ctx)
	if err != nil {
		return err
	}
	for i, p := range w.phones {
		if p.reached[p.dev.Condition().Cursor] >= w.horizon() && !bytes.Equal(before[i], after[i]) {
			return violated("restart", "%s is answered otherwise:\nbefore %s\nafter  %s", p.actor.Device, before[i], after[i])
		}
	}
	now, err := w.server.ws.StateHash(ctx)
	if err == nil && now != hash && w.horizon() <= 1 {
		err = violated("restart", "the state is another one")
	}
	return err
}

// answers are the pages that the devices' cursors give now.
func (w *world) answers(ctx context.Context) ([][]byte, error) {
	out := make([][]byte, len(w.phones))
	for i, p := range w.phones {
		page, err := w.server.ws.Pull(ctx, p.actor, p.dev.Condition().Cursor, p.limit)
		if err != nil {
			_ = w.refused("pull", err)
			continue
		}
		if _, err := p.took(p.dev.Condition().Cursor, w.model.head, page, p.limit); err != nil {
			return nil, err
		}
		slices.SortFunc(page.Put, bytes.Compare) // a preview has no order
		out[i] = page.AppendJSON(nil)
	}
	return out, nil
}

// checkStore compares everything in the store with its journal. It does not
// look at a sabotaged one: there the devices are to notice.
func (w *world) checkStore(ctx context.Context) error {
	if w.cfg.Sabotage != "" {
		return nil
	}
	v, err := sync.Verify(ctx, w.server.store, w.server.registry, workspace)
	if err != nil {
		return err
	}
	if len(v.Problems) > 0 {
		return violated("store", "%v", v.Problems)
	}
	return nil
}
