package sqlite

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/enroute-field/enroute/store/faultdisk"
	"github.com/enroute-field/enroute/sync"
)

// spells make a disk fail with a code several times in a row, now and then:
// one operation in rarity begins a spell.
func spells(code int32, rarity int, kinds ...faultdisk.Kind) faultdisk.Fault {
	left := 0
	return func(op faultdisk.Op) int32 {
		if !slices.Contains(kinds, op.Kind) {
			return faultdisk.OK
		}
		if left == 0 && rand.IntN(rarity) == 0 {
			left = 1 + rand.IntN(3)
		}
		if left == 0 {
			return faultdisk.OK
		}
		left--
		return code
	}
}

// TestTroubledDisk: a disk that fails for moments costs what was asked of it
// in these moments, and nothing else; nor does a power cut later.
func TestTroubledDisk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]conditions{
		"full":      {trouble: spells(faultdisk.Full, 60, faultdisk.Write)},
		"write":     {trouble: spells(faultdisk.NoWrite, 60, faultdisk.Write, faultdisk.Truncate)},
		"sync":      {trouble: spells(faultdisk.NoSync, 5, faultdisk.Sync), unmoved: true}, // see TestUnkept
		"read":      {trouble: spells(faultdisk.NoRead, 60, faultdisk.Read)},
		"read only": {trouble: spells(faultdisk.ReadOnly, 60, faultdisk.Write, faultdisk.Truncate, faultdisk.Delete)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := work(t, c)
			if len(w.commits) == 0 {
				t.Error("nothing was acknowledged")
			}
			for _, err := range w.cut(t, number(t, powerCuts, 24)/8) {
				t.Error(err)
			}
		})
	}
}

// TestUnkept: when the disk fails to sync the data file, nothing more is
// written, and the next start loses nothing, in power cuts before and after it.
// Some of the pages had been moved by an earlier turn, which a reader cut
// short: these SQLite would not move again.
func TestUnkept(t *testing.T) {
	t.Parallel()
	disk := newDisk(t)
	w := &worked{witness: newWitness(disk), reg: benchRegistry(t)}
	path := filepath.Join(t.TempDir(), "x.db")
	told := make(chan error, 1)
	s := w.reopen(t, path, func(err error) { told <- err })
	e := sync.New(sync.Options{Store: w, Registry: w.reg, Logger: slog.New(slog.DiscardHandler)})
	s.writer.mover.from(1 << 30)
	must(t, writeSome(t, e, 5))
	rows, err := s.reader.db.QueryContext(t.Context(), "SELECT place FROM journal")
	must(t, err)
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	s.writer.mover.from(1)
	must(t, writeSome(t, e, 5)) // moved only as far as the reader has seen
	must(t, rows.Close())
	disk.Fail(onData(path, faultdisk.Sync, faultdisk.NoSync))
	must(t, writeSome(t, e, 1)) // that its pages cannot be moved does not concern it
	disk.Fail(nil)
	if err := <-told; !errors.Is(err, ErrUnkept) {
		t.Fatalf("told %v", err)
	}
	if err := writeSome(t, e, 1); !errors.Is(err, ErrUnkept) {
		t.Fatalf("a write gave %v", err)
	}
	wholeChain(t, s, "w0") // reading goes on
	e.Abandon()
	w.end(t, s, path)
	s = w.reopen(t, path, nil)
	e = sync.New(sync.Options{Store: w, Registry: w.reg})
	must(t, writeSome(t, e, 5))
	e.Abandon()
	must(t, s.Close())
	for _, err := range w.cut(t, number(t, powerCuts, 24)) {
		t.Error(err)
	}
}

// reopen the store, which moves pages after every transaction.
func (w *worked) reopen(t *testing.T, path string, failed func(error)) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, w.reg, Options{VFS: w.disk.Name(), Failed: failed})
	must(t, err)
	s.writer.mover.full, s.writer.mover.every = 1, 1
	w.Store = s
	return s
}

// from how many pages on they are moved.
func (m *mover) from(full int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

// end does what the end of the process does: the log stays as it is, since
// nothing can be moved.
func (w *worked) end(t *testing.T, s *Store, path string) {
	t.Helper()
	must(t, s.Close())
	w.disk.Fail(onData(path, faultdisk.Write, faultdisk.NoWrite))
	_ = s.writer.db.Close() // only so that the test can go on with the file
	w.disk.Fail(nil)
}

// onData makes one kind of operation on the data file fail.
func onData(path string, kind faultdisk.Kind, code int32) faultdisk.Fault {
	return func(op faultdisk.Op) int32 {
		if op.Kind == kind && op.Path == path {
			return code
		}
		return faultdisk.OK
	}
}

func writeSome(t *testing.T, e *sync.Engine, n int) error {
	t.Helper()
	for range n {
		if err := writes(t.Context(), e); err != nil {
			return err
		}
	}
	return nil
}
