package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry of one kind of documents, which lists and search know. The first
// document, c0, stands for somebody of the office.
func registry(t testing.TB) *sync.Registry {
	t.Helper()
	r, err := sync.NewRegistry(&sync.Kind{
		Name:   "client",
		Fields: []sync.Field{{Name: "name", Type: sync.Text, Filter: true, Search: true}},
		Scope:  func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "client:" + id, nil },
		Edges: func(id string, _ sync.Fields) sync.Edges {
			if id != "c0" {
				return sync.Edges{Open: true}
			}
			return sync.Edges{Principal: &sync.Principal{Role: sync.RoleAdmin, Active: true}}
		},
	})
	must(t, err)
	return r
}

func newStore(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "enroute.db"), registry(t), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// engine over a store, until the test ends.
func engine(t testing.TB, store sync.Store) *sync.Engine {
	t.Helper()
	e := sync.New(sync.Options{Store: store, Registry: registry(t)})
	t.Cleanup(func() { must(t, e.Close(context.WithoutCancel(t.Context()))) })
	return e
}

func write(op sync.Op, i int, name string) sync.Write {
	return sync.Write{
		Cause:     sync.Cause{Kind: "system", Ref: "test"},
		Mutations: []sync.Mutation{{Kind: "client", DocID: fmt.Sprint("c", i), Op: op, Set: sync.Fields{"name": name}}},
		Admit:     true,
	}
}

// found a workspace with some commits and notes.
func found(t testing.TB, e *sync.Engine, name string, commits int) *sync.Workspace {
	t.Helper()
	w, err := e.Create(t.Context(), name, write(sync.Create, 0, name))
	must(t, err)
	for i := 1; i < commits; i++ {
		_, err := w.Write(t.Context(), sync.System("test"), write(sync.Create, i, fmt.Sprintf("Client %d of %s", i, name)))
		must(t, err)
	}
	must(t, w.SaveNotes(t.Context(), map[string][]byte{"seen/a": []byte(name), "empty": {}}))
	return w
}

// twoCompanies is a store with two workspaces, which nobody serves.
func twoCompanies(t testing.TB, commits int) *sqlite.Store {
	t.Helper()
	s := newStore(t)
	e := sync.New(sync.Options{Store: s, Registry: registry(t)})
	found(t, e, "east", commits)
	found(t, e, "west", commits/2)
	must(t, e.Close(t.Context()))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// backup of a store.
func backup(t testing.TB, from archive.Source) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := archive.Backup(t.Context(), from, &b, now())
	must(t, err)
	return b.Bytes()
}

func now() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }

func restore(t testing.TB, to sync.Store, file []byte, o archive.RestoreOptions) (*archive.Restored, error) {
	t.Helper()
	o.Now = now()
	return archive.Restore(t.Context(), to, bytes.NewReader(file), o)
}

// journal of a workspace.
func journal(t testing.TB, s sync.Store, name string) []*sync.Commit {
	t.Helper()
	var out []*sync.Commit
	must(t, s.Journal(t.Context(), name, 1, 0, func(c *sync.Commit) error {
		out = append(out, c)
		return nil
	}))
	return out
}

// isJournal checks that a journal holds these commits.
func isJournal(t testing.TB, got, want []*sync.Commit) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("the journal has %d commits, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Hash != want[i].Hash || !bytes.Equal(got[i].Encode(), want[i].Encode()) {
			t.Fatalf("commit %d is another", got[i].Number)
		}
	}
}

// isRestored checks that a workspace is what another store had, and that the
// restore is told, once.
func isRestored(t testing.TB, s, from sync.Store, name string) {
	t.Helper()
	got, want := journal(t, s, name), journal(t, from, name)
	if len(got) != len(want)+1 || !got[len(want)].BeginsEpoch() || !got[len(want)].At.Equal(now()) {
		t.Fatalf("%s has %d commits, of %d in the backup", name, len(got), len(want))
	}
	isJournal(t, got[:len(want)], want)
	sameNotes(t, s, from, name)
	isWhole(t, s, name)
}

func sameNotes(t testing.TB, s, from sync.Store, name string) {
	t.Helper()
	got, err := s.Notes(t.Context(), name, "")
	must(t, err)
	want, err := from.Notes(t.Context(), name, "")
	must(t, err)
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("notes are %q, want %q", got, want)
	}
	for key, value := range want {
		if have, ok := got[key]; !ok || !bytes.Equal(have, value) {
			t.Fatalf("note %s is %q, want %q", key, have, value)
		}
	}
}

// isWhole checks that all that is read off the journal is as it says.
func isWhole(t testing.TB, s sync.Store, name string) {
	t.Helper()
	v, err := sync.Verify(t.Context(), s, registry(t), name)
	must(t, err)
	if v.Commits == 0 || len(v.Problems) > 0 {
		t.Fatalf("%s: %d commits, %q", name, v.Commits, v.Problems)
	}
}

// isClean checks that nothing is staged for these workspaces.
func isClean(t testing.TB, s sync.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		for _, prefix := range []string{"~restore/", "~migrate/"} {
			if head, err := s.Head(t.Context(), prefix+name); err != nil || head.Number != 0 {
				t.Fatalf("%s%s is left behind at commit %d, %v", prefix, name, head.Number, err)
			}
		}
	}
}
