package sync

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// pushWorld is a workspace whose journal lives in memory: the real state and
// the real push side, without a store. What one step commits is what the next
// one builds on.
type pushWorld struct {
	t       testing.TB
	reg     *Registry
	st      *state
	chain   *history
	now     time.Time
	journal []*Commit
	rows    map[Key]map[uint64]*Version
	known   map[uuid.UUID]*Outcome
	ids     int
}

var _ bodies = (*pushWorld)(nil)

func (w *pushWorld) version(_ context.Context, want wanted) (*Version, error) {
	if v := w.rows[want.key][want.rev]; v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%s@%d: %w", want.key, want.rev, ErrMissing)
}

// The people of the world.
var (
	admin   = Actor{User: "boss", Name: "Boss"}
	office  = Actor{User: "desk", Name: "Desk"}
	office2 = Actor{User: "desk2", Name: "Desk 2"}
	ann     = Actor{User: "ann", Device: "phone-ann", Name: "Ann"}
	ann2    = Actor{User: "ann", Device: "tablet-ann", Name: "Ann"}
	bob     = Actor{User: "bob", Device: "phone-bob", Name: "Bob"}
)

// newPushWorld has an administrator, two dispatchers and two technicians. Ann
// is assigned to client c1, Bob to c2; neither sees the open set.
func newPushWorld(t testing.TB) *pushWorld {
	t.Helper()
	reg, err := NewRegistry(testKinds()...)
	if err != nil {
		t.Fatal(err)
	}
	w := &pushWorld{
		t: t, reg: reg, st: newState(reg, Faults{}), chain: newHistory(nil, "test", Head{}),
		now:  time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC),
		rows: map[Key]map[uint64]*Version{}, known: map[uuid.UUID]*Outcome{},
	}
	w.mustWrite(System("setup"),
		create("settings", "settings", Fields{"zone": "America/Toronto"}),
		create("profile", "closed", Fields{"open": false}),
		create("profile", "open", Fields{"open": true}),
		person("boss", RoleAdmin), person("desk", RoleDispatcher), person("desk2", RoleDispatcher),
		person("ann", RoleTechnician), person("bob", RoleTechnician),
		create("team", "t1", Fields{"memberIds": []any{"ann"}}),
		create("client", "c1", Fields{"name": "Ampère", "assignedIds": []any{"ann"}}),
		create("client", "c2", Fields{"name": "Bell", "assignedIds": []any{"bob"}}),
		create("place", "p1", Fields{"name": "Roof", "clientId": "c1"}),
	)
	return w
}

func person(id string, role Role) Mutation {
	return create("employee", id, Fields{"name": id, "role": string(role), "profileId": "closed"})
}

func create(kind, id string, set Fields) Mutation {
	return Mutation{Kind: kind, DocID: id, Op: Create, Set: set}
}

func update(kind, id string, base uint64, set Fields, unset ...string) Mutation {
	return Mutation{Kind: kind, DocID: id, Op: Update, Base: base, Set: set, Unset: unset}
}

func remove(kind, id string, base uint64) Mutation {
	return Mutation{Kind: kind, DocID: id, Op: Delete, Base: base}
}

func (w *pushWorld) id() uuid.UUID {
	w.ids++
	return uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint("mutation ", w.ids)))
}

func (w *pushWorld) batch() *batch {
	w.now = w.now.Add(time.Second)
	return newBatch(w.reg, writerBase{w.st, w.chain}, w, w.st.head, w.now)
}

func (w *pushWorld) outcome(id uuid.UUID) (*Outcome, bool) {
	o, ok := w.known[id]
	return o, ok
}

// confirm does what the workspace's writer does once an append has succeeded.
func (w *pushWorld) confirm(s *staged) {
	w.t.Helper()
	if s.commit == nil {
		return
	}
	c, err := DecodeCommit(s.commit.Encode())
	if err != nil {
		w.t.Fatalf("the commit cannot be read back: %v", err)
	}
	c.Prev, c.Hash = s.commit.Prev, s.commit.Hash
	if c.Number != w.st.head.Number+1 || c.Prev != w.st.head.Hash {
		w.t.Fatalf("commit %d does not follow %d", c.Number, w.st.head.Number)
	}
	for i := range c.Changes {
		v := &c.Changes[i]
		if w.rows[v.Key] == nil {
			w.rows[v.Key] = map[uint64]*Version{}
		}
		w.rows[v.Key][v.Rev] = v
	}
	w.st.apply(c, s.facts)
	w.chain.add(w.st.head)
	w.journal = append(w.journal, c)
	for i := range c.Outcomes {
		w.known[c.Outcomes[i].ID] = &c.Outcomes[i]
	}
}

// push gives mutations without an id one, and a device that has never shown a
// cursor the head: it saw everything.
func (w *pushWorld) push(a Actor, muts ...Mutation) *PushResponse {
	w.t.Helper()
	return w.pushSince(w.st.head.Number, a, muts...)
}

func (w *pushWorld) pushSince(presented uint64, a Actor, muts ...Mutation) *PushResponse {
	w.t.Helper()
	s, err := w.tryPush(presented, a, &PushRequest{Mutations: w.withIDs(muts)})
	if err != nil {
		w.t.Fatalf("push: %v", err)
	}
	return s.push
}

func (w *pushWorld) withIDs(muts []Mutation) []Mutation {
	for i := range muts {
		if muts[i].ID == uuid.Nil {
			muts[i].ID = w.id()
		}
	}
	return muts
}

func (w *pushWorld) tryPush(presented uint64, a Actor, req *PushRequest) (*staged, error) {
	w.t.Helper()
	s, err := w.batch().push(context.Background(), a, presented, req, w.outcome)
	if err == nil {
		w.confirm(s)
	}
	return s, err
}

func (w *pushWorld) write(a Actor, req Write) (*Written, error) {
	w.t.Helper()
	s, err := w.batch().write(context.Background(), a, &req, w.outcome)
	if err != nil {
		return nil, err
	}
	w.confirm(s)
	return s.written, nil
}

func (w *pushWorld) mustWrite(a Actor, muts ...Mutation) *Written {
	w.t.Helper()
	got, err := w.write(a, Write{Cause: Cause{Kind: "api"}, Mutations: muts})
	if err != nil {
		w.t.Fatalf("write: %v", err)
	}
	return got
}

// rev of a document; 0 if it is not there.
func (w *pushWorld) rev(kind, id string) uint64 {
	f, ok := w.st.find(Key{kind, id})
	if !ok || f.deleted {
		return 0
	}
	return f.rev
}

func (w *pushWorld) head() uint64 { return w.st.head.Number }

// doc reads a live document from its stored bytes; nil if it is not there.
func (w *pushWorld) doc(kind, id string) *Document {
	w.t.Helper()
	key := Key{kind, id}
	f, ok := w.st.find(key)
	if !ok || f.deleted {
		return nil
	}
	d, err := decodeDocument(w.rows[key][f.rev])
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *pushWorld) field(kind, id, path string) any {
	w.t.Helper()
	d := w.doc(kind, id)
	if d == nil {
		w.t.Fatalf("%s/%s is not there", kind, id)
	}
	var v any = d.Fields
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// all live documents of a kind.
func (w *pushWorld) all(kind string) []*Document {
	w.t.Helper()
	var out []*Document
	for _, key := range w.st.keys(kind) {
		out = append(out, w.doc(kind, key.ID))
	}
	return out
}

// one result, of which there must be exactly one.
func one(t testing.TB, r *PushResponse) Result {
	t.Helper()
	if len(r.Results) != 1 {
		t.Fatalf("%d results", len(r.Results))
	}
	return r.Results[0]
}

// outcomeOf sums up a result: its status, or the code it was refused with.
func outcomeOf(r Result) string {
	if r.Error != nil {
		return string(r.Error.Code)
	}
	return string(r.Status)
}

func outcomes(r *PushResponse) string {
	var out []string
	for _, res := range r.Results {
		out = append(out, outcomeOf(res))
	}
	return strings.Join(out, " ")
}

// refusedFields sums up the fields that an error names.
func refusedFields(err error) string {
	var out []string
	for _, f := range fault.Of(err).Fields {
		out = append(out, f.Field+":"+string(f.Code))
	}
	return strings.Join(out, " ")
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantValue(t testing.TB, what string, got, want any) {
	t.Helper()
	if !equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
