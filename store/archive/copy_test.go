package archive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/sync"
)

// copyAll copies with sync.Verify as the check, and gives what was told.
func copyAll(t testing.TB, from archive.Source, to sync.Store) ([]archive.Copied, error) {
	t.Helper()
	var told []archive.Copied
	check := func(ctx context.Context, staged string) error {
		v, err := sync.Verify(ctx, to, registry(t), staged)
		if err == nil && len(v.Problems) > 0 {
			err = errors.New(v.Problems[0])
		}
		return err
	}
	err := archive.Copy(t.Context(), from, to, check, func(c archive.Copied) { told = append(told, c) })
	return told, err
}

// copyQuickly copies with no check but that of the chain.
func copyQuickly(t testing.TB, from archive.Source, to sync.Store) error {
	t.Helper()
	unchecked := func(context.Context, string) error { return nil }
	return archive.Copy(t.Context(), from, to, unchecked, func(archive.Copied) {})
}

func isCopy(t testing.TB, s, from sync.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		isJournal(t, journal(t, s, name), journal(t, from, name))
		sameNotes(t, s, from, name)
		isWhole(t, s, name)
	}
	isClean(t, s, names...)
}

func TestCopy(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 30), newStore(t)
	told, err := copyAll(t, from, to)
	must(t, err)
	if len(told) != 2 || told[0].Name != "east" || told[0].Head.Number < 30 || told[0].Already {
		t.Fatalf("told %+v", told)
	}
	isCopy(t, to, from, "east", "west")
	told, err = copyAll(t, from, to) // and again
	must(t, err)
	if len(told) != 2 || !told[0].Already || !told[1].Already {
		t.Fatalf("told %+v", told)
	}
}

// TestCopyKeepsCursors: a device that had a cursor gets what changed since, no
// more.
func TestCopyKeepsCursors(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	e := sync.New(sync.Options{Store: from, Registry: registry(t)})
	w := found(t, e, "east", 10)
	office := sync.Actor{User: "c0", Device: "phone"}
	page, err := w.Pull(t.Context(), office, "", 0)
	must(t, err)
	if len(page.Put) < 10 {
		t.Fatalf("the first page has %d documents", len(page.Put))
	}
	_, err = w.Write(t.Context(), sync.System("test"), write(sync.Create, 50, "after"))
	must(t, err)
	must(t, e.Close(t.Context()))
	_, err = copyAll(t, from, to)
	must(t, err)
	w, err = engine(t, to).Open(t.Context(), "east")
	must(t, err)
	next, err := w.Pull(t.Context(), office, page.Cursor, 0)
	must(t, err)
	if next.Reset || len(next.Put) != 1 {
		t.Fatalf("with the cursor from before comes %s", next.AppendJSON(nil))
	}
}

func TestCopyRefusesAnother(t *testing.T) {
	t.Parallel()
	from, to := twoCompanies(t, 10), newStore(t)
	e := sync.New(sync.Options{Store: to, Registry: registry(t)})
	found(t, e, "west", 3)
	must(t, e.Close(t.Context()))
	_, err := copyAll(t, from, to)
	exists, ok := errors.AsType[*archive.ExistsError](err)
	if !ok || !slices.Equal(exists.Workspaces, []string{"west"}) {
		t.Fatalf("it gave %v", err)
	}
	if names, err := to.Workspaces(t.Context()); err != nil || !slices.Equal(names, []string{"west"}) {
		t.Fatalf("workspaces are %q, %v", names, err)
	}
	if _, err := copyAll(t, newStore(t), to); !errors.Is(err, archive.ErrEmpty) {
		t.Fatalf("copying nothing gave %v", err)
	}
}

// TestCopyDiesAnywhere: a run that ended anywhere has made no workspace that is
// not whole, and the next goes on. Each run of the test tries a third of the places.
func TestCopyDiesAnywhere(t *testing.T) {
	t.Parallel()
	from := twoCompanies(t, 4)
	var err error
	for n, first := 1+rand.IntN(3), true; first || err != nil; n, first = n+3, false {
		to := newStore(t)
		err = copyQuickly(t, from, dying(to, n, []faulty.Kind{faulty.FailBefore, faulty.FailAfter}[n%2]))
		names, listed := to.Workspaces(t.Context())
		must(t, listed)
		for _, name := range names {
			isJournal(t, journal(t, to, name), journal(t, from, name))
		}
		must(t, copyQuickly(t, from, to))
		for _, name := range []string{"east", "west"} {
			isJournal(t, journal(t, to, name), journal(t, from, name))
			sameNotes(t, to, from, name)
		}
		isClean(t, to, "east", "west")
	}
}

// TestCopyGoesOn: what an earlier run has copied is not copied again, unless it
// is of another journal.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	long(t, from, "east", 1500)
	long(t, from, "west", 1500)
	part := journal(t, from, "east")[:1000]
	must(t, to.Append(t.Context(), "~migrate/east", part))
	must(t, to.SaveNotes(t.Context(), "~migrate/east", map[string][]byte{"old": []byte("x")}))
	other := &sync.Commit{Number: 1, At: now(), Day: "2030-01-02"}
	other.Seal()
	must(t, to.Append(t.Context(), "~migrate/west", []*sync.Commit{other}))
	counting := faulty.New(to, nil)
	_, err := copyAll(t, from, counting)
	must(t, err)
	isCopy(t, to, from, "east", "west")
	if n := counting.Calls()["Append"]; n != 3 { // 500 of east, 1500 of west in two
		t.Errorf("%d appends", n)
	}
}

// long makes a workspace of so many commits, which change nothing.
func long(t *testing.T, s sync.Store, name string, commits uint64) {
	t.Helper()
	var head sync.Head
	var all []*sync.Commit
	for n := range commits {
		c := &sync.Commit{Number: n + 1, Prev: head.Hash, At: now(), Actor: sync.System(name), Day: "2030-01-02"}
		c.Seal()
		all, head = append(all, c), sync.Head{Number: c.Number, Hash: c.Hash}
	}
	must(t, s.Append(t.Context(), name, all))
	must(t, s.SaveNotes(t.Context(), name, map[string][]byte{"k": []byte(name)}))
}

// moving is a source that somebody writes to while it is copied.
type moving struct {
	archive.Source
	write func(name string)
}

func (m moving) Journal(ctx context.Context, name string, from, to uint64, yield func(*sync.Commit) error) error {
	m.write(name)
	return m.Source.Journal(ctx, name, from, to, yield)
}

func TestCopyNoticesAWriter(t *testing.T) {
	t.Parallel()
	from, to := newStore(t), newStore(t)
	w := found(t, engine(t, from), "east", 5)
	n := 50
	source := moving{from, func(string) {
		n++
		_, err := w.Write(t.Context(), sync.System("test"), write(sync.Create, n, fmt.Sprint("late ", n)))
		must(t, err)
	}}
	if _, err := copyAll(t, source, to); !errors.Is(err, archive.ErrMoved) {
		t.Fatalf("it gave %v", err)
	}
	if names, err := to.Workspaces(t.Context()); err != nil || len(names) != 0 {
		t.Fatalf("workspaces are %q, %v", names, err)
	}
	_, err := copyAll(t, from, to) // now it stands still
	must(t, err)
	isCopy(t, to, from, "east")
}
