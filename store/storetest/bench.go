package storetest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

// bench is a store under test and the means to fill it.
type bench struct {
	sync.Store
	t     *testing.T
	open  Opener
	place string
	index *sync.Registry
}

func newBench(t *testing.T, open Opener) *bench {
	t.Helper()
	b := &bench{t: t, open: open, place: t.TempDir(), index: kinds(t, clientFields()...)}
	b.Store = open(t, b.place, b.index)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.t.Helper()
	must(b.t, b.Close())
	b.Store = b.open(b.t, b.place, b.index)
}

// chain makes commits that follow one another in a workspace.
type chain struct {
	workspace string
	head      sync.Head
	commits   []*sync.Commit // all that were made
}

func newChain(workspace string) *chain { return &chain{workspace: workspace} }

// epoch is when the suite's first commit is received.
var epoch = time.Date(2026, 11, 21, 15, 4, 5, 678901000, time.UTC)

// next makes the commit that follows, sealed.
func (c *chain) next(changes ...sync.Version) *sync.Commit {
	number := c.head.Number + 1
	commit := &sync.Commit{
		Number: number, Prev: c.head.Hash, Nonce: uuid.New(),
		At:    epoch.Add(time.Duration(number) * time.Microsecond),
		Actor: sync.Actor{User: "u1", Device: "d1", Name: "Zoé"}, Cause: sync.Cause{Kind: "push", Ref: "r"},
		Day: "2026-11-21", Changes: changes,
	}
	for i := range changes {
		changes[i].Rev = number
		commit.Outcomes = append(commit.Outcomes, outcome(number, i))
	}
	commit.Seal()
	c.head = sync.Head{Number: number, Hash: commit.Hash, At: commit.At}
	c.commits = append(c.commits, commit)
	return commit
}

// outcome of the i-th mutation of a commit.
func outcome(number uint64, i int) sync.Outcome {
	o := sync.Outcome{ID: uuid.New(), User: "u1", Result: json.RawMessage(`{"status":"applied"}`)}
	binary.BigEndian.PutUint64(o.Digest[:], number)
	o.Digest[15] = byte(i)
	return o
}

// add appends one commit with these changes.
func (c *chain) add(b *bench, changes ...sync.Version) *sync.Commit {
	b.t.Helper()
	commit := c.next(changes...)
	must(b.t, b.Append(b.t.Context(), c.workspace, []*sync.Commit{commit}))
	return commit
}

// doc is a version of a client with these members.
func doc(id string, members map[string]any) sync.Version { return docOf("client", id, members) }

func docOf(kind, id string, members map[string]any) sync.Version {
	all := map[string]any{
		"kind": kind, "id": id, "scope": "client:" + id,
		"createdAt": epoch, "updatedAt": epoch,
	}
	for name, v := range members {
		all[name] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(fmt.Sprintf("members of %s: %v", id, err)) // a mistake in the suite
	}
	return sync.Version{
		Key: sync.Key{Kind: kind, ID: id}, Scope: "client:" + id,
		Body: body, Marks: []byte(`{"name":{"r":1}}`),
	}
}

// named is a client that has only a name.
func named(id, name string) sync.Version { return doc(id, map[string]any{"name": name}) }

// gone is the deletion of a client.
func gone(v sync.Version) sync.Version {
	v.Deleted = true
	return v
}

// journal reads commits.
func (b *bench) journal(workspace string, from, to uint64) []*sync.Commit {
	b.t.Helper()
	var out []*sync.Commit
	must(b.t, b.Journal(b.t.Context(), workspace, from, to, func(c *sync.Commit) error {
		out = append(out, c)
		return nil
	}))
	return out
}

// isJournal checks that the workspace holds exactly these commits.
func (b *bench) isJournal(workspace string, want []*sync.Commit) {
	b.t.Helper()
	got := b.journal(workspace, 1, 0)
	if len(got) != len(want) {
		b.t.Fatalf("journal of %s has %d commits, want %d", workspace, len(got), len(want))
	}
	for i := range got {
		sameCommit(b.t, got[i], want[i])
	}
	head, err := b.Head(b.t.Context(), workspace)
	must(b.t, err)
	last := want[len(want)-1]
	if head.Number != last.Number || head.Hash != last.Hash || !head.At.Equal(last.At) {
		b.t.Fatalf("head of %s is %d %v, want %d %v", workspace, head.Number, head.At, last.Number, last.At)
	}
}

func sameCommit(t *testing.T, got, want *sync.Commit) {
	t.Helper()
	if got.Number != want.Number || got.Prev != want.Prev || got.Hash != want.Hash ||
		string(got.Encode()) != string(want.Encode()) {
		t.Fatalf("commit %d differs from commit %d as it was appended", got.Number, want.Number)
	}
}

// documents reads the current versions, by id.
func (b *bench) documents(workspace string, ids ...string) map[string]sync.Version {
	b.t.Helper()
	var keys []sync.Key
	for _, id := range ids {
		keys = append(keys, sync.Key{Kind: "client", ID: id})
	}
	found, err := b.Documents(b.t.Context(), workspace, keys)
	must(b.t, err)
	out := map[string]sync.Version{}
	for _, v := range found {
		if _, twice := out[v.ID]; twice {
			b.t.Fatalf("document %s came twice", v.ID)
		}
		out[v.ID] = v
	}
	return out
}

// list runs a query under the chain's head.
func (b *bench) list(c *chain, q sync.Query) sync.Listing {
	b.t.Helper()
	if q.Kind == "" {
		q.Kind = "client"
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	out, err := b.List(b.t.Context(), c.workspace, c.head.Number, q)
	must(b.t, err)
	return out
}

// isList checks which ids a query gives, in order.
func (b *bench) isList(c *chain, q sync.Query, want ...string) {
	b.t.Helper()
	if got := b.list(c, q); !slices.Equal(got.IDs, want) {
		b.t.Fatalf("list gives %q, want %q", got.IDs, want)
	}
}

// equal is a filter for one value of a field.
func (b *bench) equal(field, text string) sync.Filter {
	return sync.Filter{Field: field, Values: []sync.Entry{b.entry(field, text)}}
}

func (b *bench) entry(field, text string) sync.Entry {
	b.t.Helper()
	e, err := sync.EntryFor(fieldOf(b.index, field), field, text)
	must(b.t, err)
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
