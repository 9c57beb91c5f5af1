package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/store/faultdisk"
	"github.com/enroute-field/enroute/sync"
)

// powerCuts, in the environment, is how many cuts TestPowerCut tries.
const powerCuts = "ENROUTE_TEST_POWER_CUTS"

// number of the environment, or the one for every day.
func number(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestPowerCut: whatever moment the power fails at, and whichever of the
// unsynced writes had reached the disk by then, what was acknowledged is
// there, whole and once, and everything read off it agrees.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	w := work(t, conditions{})
	found := w.cut(t, number(t, powerCuts, 16))
	for _, f := range found {
		t.Error(f)
	}
	if w.creating == 0 || w.moving == 0 {
		t.Errorf("%d cuts while the file was made, %d while pages were moved into it", w.creating, w.moving)
	}
	t.Logf("%d operations, %d acknowledged commits; %d cuts while the file was made, %d while pages were moved into it",
		w.disk.Now(), len(w.commits), w.creating, w.moving)
}

// TestPowerCutNotices: the test above sees it when the store does not wait
// for the disk.
func TestPowerCutNotices(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"OFF", "NORMAL"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			w := work(t, conditions{level: level})
			for range 20 {
				if len(w.cut(t, 10)) > 0 {
					return
				}
			}
			t.Fatal("nothing was lost in 200 cuts")
		})
	}
}

// worked is a store at whose work the power can be cut.
type worked struct {
	*witness
	reg              *sync.Registry
	bad              bool // the disk fails, and with it what is asked of it
	creating, moving int  // cuts while this went on
}

const workWrites = 15

// conditions of work.
type conditions struct {
	level   string          // how commits wait for the disk; "": as they should
	trouble faultdisk.Fault // of the disk
	unmoved bool            // pages stay in the write-ahead log
}

// work opens a store and does all that a server does with one: writes in two
// workspaces, lists, notes, checkpoints, an end and another start.
func work(t *testing.T, c conditions) *worked {
	t.Helper()
	disk := newDisk(t)
	w := &worked{witness: newWitness(disk), reg: benchRegistry(t), bad: c.trouble != nil}
	path := filepath.Join(t.TempDir(), "x.db")
	for round := range 2 {
		s, err := Open(t.Context(), path, w.reg, Options{VFS: disk.Name()})
		if err != nil {
			t.Fatal(err)
		}
		if s.writer.mover.full, s.writer.mover.every = 60, 1; c.unmoved {
			s.writer.mover.full = 1 << 30
		}
		script(t, s.lists, "PRAGMA wal_autocheckpoint = 60")
		if c.level != "" {
			script(t, s.writer.db, "PRAGMA synchronous = "+c.level)
		}
		w.Store = s
		if err := w.round(t.Context(), round, c.trouble); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// round is the work of one engine. When the trouble is over, it can write
// again.
func (w *worked) round(ctx context.Context, round int, trouble faultdisk.Fault) error {
	e := sync.New(sync.Options{Store: w, Registry: w.reg, Logger: slog.New(slog.DiscardHandler)})
	w.disk.Fail(trouble)
	var g errgroup.Group
	for side := range 2 {
		g.Go(func() error { return w.side(ctx, e, fmt.Sprint("w", side), round) })
	}
	err := g.Wait()
	w.disk.Fail(nil)
	return errors.Join(err, writes(ctx, e), e.Close(ctx))
}

// side is the work in one workspace.
func (w *worked) side(ctx context.Context, e *sync.Engine, name string, round int) error {
	chance := rand.New(rand.NewPCG(rand.Uint64(), 0))
	ws, err := opened(ctx, e, name)
	for ; err != nil && w.bad; ws, err = opened(ctx, e, name) {
	}
	if err != nil {
		return err
	}
	for i := range workWrites {
		if err := w.step(ctx, ws, chance, uint64(round*workWrites+i)); err != nil && !w.bad {
			return err
		}
	}
	return nil
}

// step is a write and what comes with it now and then.
func (w *worked) step(ctx context.Context, ws *sync.Workspace, chance *rand.Rand, n uint64) error {
	out, err := ws.Write(ctx, sync.System("test"), clientWrite(chance, 1+chance.IntN(3)))
	if err != nil {
		return err
	}
	switch chance.IntN(6) {
	case 0:
		return w.note(ctx, ws.Name(), n)
	case 1:
		return ws.Evict(ctx) // writes a checkpoint
	case 2, 3:
		_, err = w.List(ctx, ws.Name(), out.Rev, sync.Query{Kind: "client", Limit: 10})
	}
	return err
}

// clientWrite makes clients, each known by a name of its own.
func clientWrite(chance *rand.Rand, n int) sync.Write {
	w := sync.Write{Cause: sync.Cause{Kind: "api"}, Admit: true}
	for range n {
		w.Mutations = append(w.Mutations, sync.Mutation{
			ID: uuid.New(), Kind: "client", DocID: uuid.NewString(), Op: sync.Create,
			Set: sync.Fields{"name": fmt.Sprint("Client ", chance.Uint32()), "note": strings.Repeat("x", chance.IntN(3000))},
		})
	}
	return w
}

// cut the power n times and give what is wrong afterwards.
func (w *worked) cut(t *testing.T, n int) []error {
	t.Helper()
	log := w.disk.Log()
	seed := rand.Uint64()
	chance := rand.New(rand.NewPCG(seed, 0))
	cuts := make([]int, n)
	moves := movesIn(log)
	for i := range cuts {
		switch {
		case i%8 == 0:
			cuts[i] = chance.IntN(40)
		case i%8 == 4 && len(moves) > 0:
			cuts[i] = moves[chance.IntN(len(moves))]
		default:
			cuts[i] = chance.IntN(len(log) + 1)
		}
	}
	slices.Sort(cuts)
	replay := faultdisk.NewReplay(log)
	var found []error
	for _, at := range cuts {
		replay.To(at)
		w.count(log[:at])
		if err := w.afterCut(t, replay.Image(chance), at); err != nil {
			found = append(found, fmt.Errorf("seed %d, cut at %d of %d: %w", seed, at, len(log), err))
		}
	}
	return found
}

// movesIn are the moments after pages were written to the data file.
func movesIn(log []faultdisk.Op) (at []int) {
	for i, op := range log {
		if op.Kind == faultdisk.Write && strings.HasSuffix(op.Path, "x.db") {
			at = append(at, i+1)
		}
	}
	return at
}

// count what the last operation before a cut belonged to.
func (w *worked) count(log []faultdisk.Op) {
	if len(w.commits) > 0 && len(log) < w.commits[0].at {
		w.creating++
	}
	if len(log) > 0 && len(movesIn(log[len(log)-1:])) > 0 {
		w.moving++
	}
}

// afterCut opens a store on an image and checks it.
func (w *worked) afterCut(t *testing.T, image map[string][]byte, at int) (err error) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, image, dir)
	s, err := Open(t.Context(), filepath.Join(dir, "x.db"), w.reg, Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := w.check(t.Context(), s, w.reg, at); err != nil {
		return err
	}
	return goesOn(t.Context(), s, w.reg)
}

// goesOn says whether an engine can write to the store.
func goesOn(ctx context.Context, s sync.Store, reg *sync.Registry) error {
	e := sync.New(sync.Options{Store: s, Registry: reg})
	return errors.Join(writes(ctx, e), e.Close(ctx))
}

// writes in the first workspace.
func writes(ctx context.Context, e *sync.Engine) error {
	ws, err := opened(ctx, e, "w0")
	if err != nil {
		return err
	}
	_, err = ws.Write(ctx, sync.System("test"), clientWrite(rand.New(rand.NewPCG(1, 1)), 1))
	return err
}

// opened gives a workspace, which it makes if there is none.
func opened(ctx context.Context, e *sync.Engine, name string) (*sync.Workspace, error) {
	ws, err := e.Open(ctx, name)
	if err == nil {
		return ws, nil
	}
	return e.Create(ctx, name, clientWrite(rand.New(rand.NewPCG(1, 1)), 1))
}
