package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"testing/iotest"

	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/sync"
)

func TestRestoreIntoAnEmptyStore(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 40), newStore(t)
	out, err := restore(t, to, backup(t, from), archive.RestoreOptions{})
	must(t, err)
	if len(out.Workspaces) != 2 || !out.Made.Equal(now()) || out.Workspaces[0].Head.Number < 40 {
		t.Fatalf("told %+v", out)
	}
	names, err := to.Workspaces(t.Context())
	must(t, err)
	if !slices.Equal(names, []string{"east", "west"}) {
		t.Fatalf("workspaces are %q", names)
	}
	isRestored(t, to, from, "east")
	isRestored(t, to, from, "west")
	isClean(t, to, "east", "west")
	w, err := engine(t, to).Open(t.Context(), "east")
	must(t, err)
	_, err = w.Write(t.Context(), sync.System("test"), write(sync.Create, 99, "goes on"))
	must(t, err)
}

func TestRestoreOneWorkspace(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 10), newStore(t)
	file := backup(t, from)
	_, err := restore(t, to, file, archive.RestoreOptions{Only: "west"})
	must(t, err)
	isRestored(t, to, from, "west")
	if names, err := to.Workspaces(t.Context()); err != nil || len(names) != 1 {
		t.Fatalf("workspaces are %q, %v", names, err)
	}
	if _, err := restore(t, to, file, archive.RestoreOptions{Only: "north"}); !errors.Is(err, archive.ErrEmpty) {
		t.Fatalf("a workspace that is not there gave %v", err)
	}
}

// TestRestoreOverAnother: only when told to, and then nothing of the other stays.
func TestRestoreOverAnother(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 10), newStore(t)
	e := sync.New(sync.Options{Store: to, Registry: registry(t)})
	found(t, e, "east", 25)
	must(t, e.Close(t.Context()))
	before, file := journal(t, to, "east"), backup(t, from)
	_, err := restore(t, to, file, archive.RestoreOptions{})
	exists, ok := errors.AsType[*archive.ExistsError](err)
	if !ok || !slices.Equal(exists.Workspaces, []string{"east"}) {
		t.Fatalf("restoring over another gave %v", err)
	}
	isJournal(t, journal(t, to, "east"), before)
	isClean(t, to, "east", "west")
	out, err := restore(t, to, file, archive.RestoreOptions{Replace: true})
	must(t, err)
	if out.Workspaces[0].Was.Number != uint64(len(before)) {
		t.Fatalf("told %+v", out.Workspaces[0])
	}
	isRestored(t, to, from, "east")
	isRestored(t, to, from, "west")
}

// TestRestoreAgain: a second run finds what the first has done, until somebody
// goes on with it.
func TestRestoreAgain(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 10), newStore(t)
	file := backup(t, from)
	_, err := restore(t, to, file, archive.RestoreOptions{})
	must(t, err)
	after := journal(t, to, "east")
	out, err := restore(t, to, file, archive.RestoreOptions{})
	must(t, err)
	if !out.Workspaces[0].Already || !out.Workspaces[1].Already {
		t.Fatalf("told %+v", out)
	}
	isJournal(t, journal(t, to, "east"), after)
	e := sync.New(sync.Options{Store: to, Registry: registry(t)})
	w, err := e.Open(t.Context(), "east")
	must(t, err)
	_, err = w.Write(t.Context(), sync.System("test"), write(sync.Create, 99, "goes on"))
	must(t, err)
	must(t, e.Close(t.Context()))
	if _, err = restore(t, to, file, archive.RestoreOptions{}); err == nil {
		t.Fatal("what came after the restore was replaced without asking")
	}
	_, err = restore(t, to, file, archive.RestoreOptions{Replace: true})
	must(t, err)
	isRestored(t, to, from, "east")
}

// TestRestoreOverALikeLength: a workspace that has as many commits as the
// restored one would have is not taken for it.
func TestRestoreOverALikeLength(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 10), newStore(t)
	commits := uint64(len(journal(t, from, "east")))
	long(t, to, "east", commits+1)
	if _, err := restore(t, to, backup(t, from), archive.RestoreOptions{Only: "east"}); err == nil {
		t.Fatal("another workspace was taken for what had been restored")
	}
	_, err := restore(t, to, backup(t, from), archive.RestoreOptions{Only: "east", Replace: true})
	must(t, err)
	isRestored(t, to, from, "east")
}

// TestBackupUnderWrite: a backup made while others write is the journal up to
// some commit, and never behind its notes.
func TestBackupUnderWrite(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	w := found(t, engine(t, from), "east", 5)
	stop, started := make(chan struct{}), make(chan struct{})
	var writers stdsync.WaitGroup
	writers.Go(func() {
		for i := 100; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := w.Write(t.Context(), sync.System("test"), write(sync.Create, i, "meanwhile"))
			if err == nil {
				var head sync.Head
				if head, err = from.Head(t.Context(), "east"); err == nil {
					err = w.SaveNotes(t.Context(), map[string][]byte{"follower": fmt.Append(nil, head.Number)})
				}
			}
			if err != nil {
				t.Error(err)
				return
			}
			if i == 105 {
				close(started)
			}
		}
	})
	<-started
	file := backup(t, from)
	close(stop)
	writers.Wait()
	out, err := restore(t, to, file, archive.RestoreOptions{})
	must(t, err)
	n := out.Workspaces[0].Head.Number
	got, want := journal(t, to, "east"), journal(t, from, "east")
	isJournal(t, got[:n], want[:n])
	isWhole(t, to, "east")
	notes, err := to.Notes(t.Context(), "east", "follower")
	must(t, err)
	var at uint64
	if _, err := fmt.Sscan(string(notes["follower"]), &at); err != nil || at > n {
		t.Fatalf("the note is of commit %d, the backup ends at %d, %v", at, n, err)
	}
}

// TestDamagedBackup: whatever byte is lost or changed, nothing is restored, and
// nothing stays behind.
func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 12), newStore(t)
	file := backup(t, from)
	refused := func(file []byte, what string, n int) {
		t.Helper()
		_, err := restore(t, to, file, archive.RestoreOptions{})
		if err == nil {
			t.Fatalf("%s at %d of %d bytes: it was restored", what, n, len(file))
		}
		if !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, archive.ErrNotBackup) && !errors.Is(err, archive.ErrVersion) {
			t.Fatalf("%s at %d: %v", what, n, err)
		}
	}
	step := 1 + len(file)/60
	for n := 0; n < len(file); n += step {
		refused(file[:n], "cut", n)
		spoiled := slices.Clone(file)
		spoiled[n] ^= 0x10
		refused(spoiled, "spoiled", n)
	}
	refused(file[:len(file)-1], "cut", len(file)-1)
	refused(append(slices.Clone(file), 'x'), "longer", len(file))
	refused(append(slices.Clone(file), file[25:]...), "twice", len(file))
	if names, err := to.Workspaces(t.Context()); err != nil || len(names) != 0 {
		t.Fatalf("workspaces are %q, %v", names, err)
	}
	isClean(t, to, "east", "west")
	_, err := restore(t, to, file, archive.RestoreOptions{})
	must(t, err)
}

func TestWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	to := newStore(t)
	for text, want := range map[string]error{
		"":                               archive.ErrNotBackup,
		"PK\x03\x04 a zip":               archive.ErrNotBackup,
		"enroute":                        archive.ErrNotBackup,
		"enroute backup, format 2\nmore": archive.ErrVersion,
		"enroute backup, format 1\n":     archive.ErrDamaged,
	} {
		if _, err := restore(t, to, []byte(text), archive.RestoreOptions{}); !errors.Is(err, want) {
			t.Errorf("%q gave %v", text, err)
		}
	}
	_, err := archive.Restore(t.Context(), to, iotest.ErrReader(io.ErrClosedPipe), archive.RestoreOptions{})
	if !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a medium that fails gave %v", err)
	}
	if _, err := archive.Backup(t.Context(), to, io.Discard, now()); !errors.Is(err, archive.ErrEmpty) {
		t.Errorf("backing up nothing gave %v", err)
	}
}

// TestRestoreMedium: a medium that fails in the middle is not a damaged backup.
func TestRestoreMedium(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 200), newStore(t)
	file := backup(t, from)
	broken := io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(io.ErrClosedPipe))
	_, err := archive.Restore(t.Context(), to, broken, archive.RestoreOptions{Now: now()})
	if !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, archive.ErrDamaged) {
		t.Fatalf("a medium that fails gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelling := io.MultiReader(bytes.NewReader(file[:len(file)/2]), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, file[len(file)/2:len(file)/2+1]), nil
	}))
	if _, err = archive.Restore(ctx, to, cancelling, archive.RestoreOptions{Now: now()}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a run that was interrupted gave %v", err)
	}
	isClean(t, to, "east", "west")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// dying is a store whose process ends at its n-th call, before it or after it
// has had its effect.
func dying(inner sync.Store, n int, last faulty.Kind) *faulty.Store {
	var mu stdsync.Mutex
	calls := 0
	return faulty.New(inner, func(string) faulty.Mode {
		mu.Lock()
		defer mu.Unlock()
		switch calls++; {
		case calls < n:
			return faulty.Mode{}
		case calls == n:
			return faulty.Mode{Kind: last}
		}
		return faulty.Mode{Kind: faulty.FailBefore}
	})
}

// TestRestoreDiesAnywhere: whenever a restore ends, each workspace is what it
// was or what it becomes, and a second run does the rest.
func TestRestoreDiesAnywhere(t *testing.T) {
	t.Parallel()
	from := twoCompanies(t, 8)
	file := backup(t, from)
	for _, last := range []faulty.Kind{faulty.FailBefore, faulty.FailAfter} {
		to := newStore(t)
		e := sync.New(sync.Options{Store: to, Registry: registry(t)})
		found(t, e, "east", 3)
		must(t, e.Close(t.Context()))
		old := journal(t, to, "east")
		over := false
		for n := 1; !over; n++ {
			_, err := restore(t, dying(to, n, last), file, archive.RestoreOptions{Replace: true})
			over = err == nil
			if is := journal(t, to, "east"); len(is) == len(old) && !over {
				isJournal(t, is, old)
			} else {
				isRestored(t, to, from, "east")
			}
			if n > 100 {
				t.Fatal("it never comes to an end")
			}
			if n%3 != 0 { // some of what is left behind is of another kind
				continue
			}
			_, err = restore(t, to, file, archive.RestoreOptions{Replace: true})
			must(t, err)
			isRestored(t, to, from, "east")
			isRestored(t, to, from, "west")
			isClean(t, to, "east", "west")
			old = putBack(t, to, "east")
		}
	}
}

// putBack makes a workspace something else again.
func putBack(t *testing.T, s sync.Store, name string) []*sync.Commit {
	t.Helper()
	head, err := s.Head(t.Context(), name)
	must(t, err)
	c := &sync.Commit{Number: 1, At: now(), Day: "2030-01-02"}
	c.Seal()
	must(t, s.Append(t.Context(), "~other", []*sync.Commit{c}))
	must(t, s.Promote(t.Context(), "~other", name, head))
	return []*sync.Commit{c}
}

// TestRestoreUnknownOutcomes: appends and promotions of which nobody knows are
// settled.
func TestRestoreUnknownOutcomes(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 8), newStore(t)
	var mu stdsync.Mutex
	calls := map[string]int{}
	unsure := faulty.New(to, func(call string) faulty.Mode {
		mu.Lock()
		defer mu.Unlock()
		if calls[call]++; call != "Append" && call != "Promote" && call != "Drop" {
			return faulty.Mode{}
		}
		return faulty.Mode{Kind: []faulty.Kind{faulty.UnknownDone, faulty.UnknownUndone, faulty.Pass}[calls[call]%3]}
	})
	_, err := restore(t, unsure, backup(t, from), archive.RestoreOptions{})
	must(t, err)
	isRestored(t, to, from, "east")
	isRestored(t, to, from, "west")
}

// TestRestoreWhileSomebodyWrites: what is written meanwhile is not thrown away.
func TestRestoreWhileSomebodyWrites(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 8), newStore(t)
	w := found(t, engine(t, to), "east", 3)
	before, wrote := len(journal(t, to, "east")), false
	meddled := faulty.New(to, func(call string) faulty.Mode {
		if call == "Append" && !wrote {
			wrote = true
			_, err := w.Write(t.Context(), sync.System("test"), write(sync.Create, 77, "late"))
			must(t, err)
		}
		return faulty.Mode{}
	})
	_, err := restore(t, meddled, backup(t, from), archive.RestoreOptions{Replace: true})
	if !errors.Is(err, archive.ErrMoved) || !strings.Contains(err.Error(), "east") {
		t.Fatalf("it gave %v", err)
	}
	if got := journal(t, to, "east"); len(got) != before+1 {
		t.Fatalf("the workspace has %d commits", len(got))
	}
	isWhole(t, to, "east")
}
