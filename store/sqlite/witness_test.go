package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	stdsync "sync"
	"testing"

	"github.com/enroute-field/enroute/store/faultdisk"
	"github.com/enroute-field/enroute/sync"
)

// witness is a store on a disk that remembers what was asked of it and what
// it acknowledged, and when.
type witness struct {
	sync.Store
	disk *faultdisk.Disk

	mu          stdsync.Mutex
	sent        map[string]map[sync.Hash]bool // commits by workspace
	commits     []acknowledged
	notes       []acknowledged // number is the note's value
	checkpoints []acknowledged
}

// acknowledged is what must be there in every image of the disk from the
// moment at on.
type acknowledged struct {
	at        int
	workspace string
	number    uint64
	hash      sync.Hash
}

func newWitness(disk *faultdisk.Disk) *witness {
	return &witness{disk: disk, sent: map[string]map[sync.Hash]bool{}}
}

func (w *witness) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	w.mu.Lock()
	for _, c := range commits {
		if w.sent[workspace] == nil {
			w.sent[workspace] = map[sync.Hash]bool{}
		}
		w.sent[workspace][c.Hash] = true
	}
	w.mu.Unlock()
	err := w.Store.Append(ctx, workspace, commits)
	if err == nil {
		for _, c := range commits {
			w.keep(&w.commits, workspace, c.Number, c.Hash)
		}
	}
	return err
}

func (w *witness) SaveCheckpoint(ctx context.Context, workspace string, head sync.Head, chunks [][]byte) error {
	err := w.Store.SaveCheckpoint(ctx, workspace, head, chunks)
	if err == nil {
		w.keep(&w.checkpoints, workspace, head.Number, head.Hash)
	}
	return err
}

// note writes a note whose value is a number.
func (w *witness) note(ctx context.Context, workspace string, n uint64) error {
	err := w.SaveNotes(ctx, workspace, map[string][]byte{"n": []byte(strconv.FormatUint(n, 10))})
	if err == nil {
		w.keep(&w.notes, workspace, n, sync.Hash{})
	}
	return err
}

func (w *witness) keep(list *[]acknowledged, workspace string, number uint64, hash sync.Hash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, acknowledged{w.disk.Now(), workspace, number, hash})
}

// latest acknowledgement for each workspace before a moment.
func latest(list []acknowledged, before int) map[string]acknowledged {
	out := map[string]acknowledged{}
	for _, a := range list {
		if a.at <= before && a.number >= out[a.workspace].number {
			out[a.workspace] = a
		}
	}
	return out
}

// check compares a store that was opened on an image of the disk at a moment
// with what the witness saw until then.
func (w *witness) check(ctx context.Context, s sync.Store, reg *sync.Registry, at int) error {
	names, err := s.Workspaces(ctx)
	if err != nil {
		return err
	}
	var errs []error
	there := map[string]map[uint64]sync.Hash{}
	for _, name := range names {
		there[name], err = w.checkJournal(ctx, s, name)
		errs = append(errs, err)
		v, err := sync.Verify(ctx, s, reg, name)
		if err == nil && len(v.Problems) > 0 {
			err = fmt.Errorf("verify %s: %q", name, v.Problems)
		}
		errs = append(errs, err)
	}
	for _, a := range w.commits {
		if a.at <= at && there[a.workspace][a.number] != a.hash {
			errs = append(errs, fmt.Errorf("acknowledged commit %d of %s is lost", a.number, a.workspace))
		}
	}
	errs = append(errs, w.checkBeside(ctx, s, at))
	return errors.Join(errs...)
}

// checkJournal reads a chain, in which nothing may be that nobody sent.
func (w *witness) checkJournal(ctx context.Context, s sync.Store, workspace string) (map[uint64]sync.Hash, error) {
	there := map[uint64]sync.Hash{}
	var prev sync.Hash
	err := s.Journal(ctx, workspace, 1, 0, func(c *sync.Commit) error {
		hash := c.Hash
		if c.Seal(); c.Prev != prev || c.Hash != hash || c.Number != uint64(len(there)+1) {
			return fmt.Errorf("commit %d of %s does not belong there", c.Number, workspace)
		}
		if !w.sent[workspace][hash] {
			return fmt.Errorf("commit %d of %s was never appended", c.Number, workspace)
		}
		prev = hash
		there[c.Number] = hash
		return nil
	})
	return there, err
}

// checkBeside looks at notes and checkpoints: those acknowledged last, or newer.
func (w *witness) checkBeside(ctx context.Context, s sync.Store, at int) error {
	var errs []error
	for name, a := range latest(w.notes, at) {
		notes, err := s.Notes(ctx, name, "n")
		n, bad := strconv.ParseUint(string(notes["n"]), 10, 64)
		if err != nil || bad != nil || n < a.number {
			errs = append(errs, fmt.Errorf("note of %s is %q, should be %d: %w", name, notes["n"], a.number, errors.Join(err, bad)))
		}
	}
	for name, a := range latest(w.checkpoints, at) {
		head, _, err := s.LoadCheckpoint(ctx, name)
		if err != nil || head.Number < a.number {
			errs = append(errs, fmt.Errorf("checkpoint of %s is of %d, should be of %d: %w", name, head.Number, a.number, err))
		}
	}
	return errors.Join(errs...)
}

// newDisk is a disk for the length of a test; what is opened on it must be
// closed before the test ends.
func newDisk(t *testing.T) *faultdisk.Disk {
	t.Helper()
	d, err := faultdisk.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
