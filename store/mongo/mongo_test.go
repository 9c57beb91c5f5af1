package mongo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/store/faultnet"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds of these tests' documents.
func kinds(t testing.TB) *sync.Registry {
	t.Helper()
	r, err := sync.NewRegistry(&sync.Kind{
		Name: "client", Fields: []sync.Field{{Name: "name", Type: sync.Text}},
		Scope: func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "client:" + id, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// opened is a store that is closed with the test.
func opened(t testing.TB, uri string) *Store {
	t.Helper()
	s := open(t, uri, kinds(t))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// through opens a store whose connections go through a proxy.
func through(t testing.TB, uri, options string) (*Store, *faultnet.Proxy) {
	t.Helper()
	p := faultnet.New(t, 1, mongotest.Primary(t))
	return opened(t, mongotest.Through(uri, p.Address())+options), p
}

var epoch = time.Date(2026, 11, 21, 15, 4, 5, 678901000, time.UTC)

// after gives a commit that follows a head, sealed.
func after(head sync.Head) *sync.Commit {
	n := head.Number + 1
	c := &sync.Commit{
		Number: n, Prev: head.Hash, Nonce: uuid.New(), At: epoch.Add(time.Duration(n) * time.Millisecond),
		Actor: sync.Actor{User: "u1"}, Cause: sync.Cause{Kind: "push"},
		Changes: []sync.Version{{
			Key: sync.Key{Kind: "client", ID: fmt.Sprint("c", n%7)}, Rev: n, Scope: "client:x",
			Body: fmt.Appendf(nil, `{"name":"Nom %d"}`, n), Marks: []byte(`{}`),
		}},
		Outcomes: []sync.Outcome{{ID: uuid.New(), User: "u1", Digest: [16]byte{byte(n)}, Result: json.RawMessage(`{"status":"applied"}`)}},
	}
	c.Seal()
	return c
}

// ids of the commits' mutations.
func ids(commits ...*sync.Commit) []uuid.UUID {
	var out []uuid.UUID
	for _, c := range commits {
		for i := range c.Outcomes {
			out = append(out, c.Outcomes[i].ID)
		}
	}
	return out
}

func headOf(c *sync.Commit) sync.Head { return sync.Head{Number: c.Number, Hash: c.Hash, At: c.At} }

// follow gives n commits that follow a head, one after the other.
func follow(head sync.Head, n int) []*sync.Commit {
	out := make([]*sync.Commit, n)
	for i := range out {
		out[i] = after(head)
		head = headOf(out[i])
	}
	return out
}

// add n commits to a workspace, each in an append of its own.
func add(t testing.TB, s *Store, workspace string, head sync.Head, n int) (sync.Head, []*sync.Commit) {
	t.Helper()
	commits := follow(head, n)
	for _, c := range commits {
		must(t, s.Append(t.Context(), workspace, []*sync.Commit{c}))
		head = headOf(c)
	}
	return head, commits
}

// hashes of the commits of a workspace, in order; it fails on a gap.
func hashes(t testing.TB, s *Store, workspace string) []sync.Hash {
	t.Helper()
	var out []sync.Hash
	var last sync.Hash
	must(t, s.Journal(t.Context(), workspace, 1, 0, func(c *sync.Commit) error {
		if c.Number != uint64(len(out)+1) || c.Prev != last {
			return fmt.Errorf("commit %d comes as number %d", c.Number, len(out)+1)
		}
		last = c.Hash
		out = append(out, last)
		return nil
	}))
	return out
}

func isJournal(t testing.TB, s *Store, workspace string, want ...*sync.Commit) {
	t.Helper()
	got := hashes(t, s, workspace)
	if !slices.EqualFunc(got, want, func(h sync.Hash, c *sync.Commit) bool { return h == c.Hash }) {
		t.Fatalf("the journal of %s has %d commits, want other %d", workspace, len(got), len(want))
	}
}

func conflicts(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, sync.ErrConflict) {
		t.Fatalf("%s gave %v, want a conflict", what, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settle appends as the engine does: again and again until the outcome is known.
func settle(ctx context.Context, s *Store, workspace string, commits ...*sync.Commit) error {
	for {
		err := s.Append(ctx, workspace, commits)
		if err == nil || errors.Is(err, sync.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}
