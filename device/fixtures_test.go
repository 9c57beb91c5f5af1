package device_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/device"
)

// script is a Transport whose answers a test sets; every request is kept.
type script struct {
	mu      sync.Mutex
	pull    func(cursor string) (*device.Page, error)
	push    func(req device.PushRequest) (*device.PushResponse, error)
	live    func(cursor string) (device.Stream, error)
	pulls   []string
	pushes  []device.PushRequest
	reports []device.Report
}

func (s *script) Pull(_ context.Context, cursor string, _ int) (*device.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulls = append(s.pulls, cursor)
	if s.pull == nil {
		return &device.Page{Cursor: "end", Head: 1}, nil
	}
	return s.pull(cursor)
}

func (s *script) Push(_ context.Context, req device.PushRequest) (*device.PushResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes = append(s.pushes, req)
	if s.push == nil {
		return accept(req, 1), nil
	}
	return s.push(req)
}

func (s *script) Live(_ context.Context, cursor string) (device.Stream, error) {
	return s.live(cursor)
}

func (s *script) Report(_ context.Context, r device.Report) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
	return nil
}

// sent are the ids of the documents that the n-th push spoke of.
func (s *script) sent(n int) []string {
	var out []string
	for _, m := range s.pushes[n].Mutations {
		out = append(out, m.DocID)
	}
	return out
}

// accept answers every mutation as applied at a rev.
func accept(req device.PushRequest, rev uint64) *device.PushResponse {
	resp := &device.PushResponse{Head: rev}
	for _, m := range req.Mutations {
		resp.Results = append(resp.Results, device.Result{ID: m.ID, Status: device.Applied, Rev: rev})
	}
	return resp
}

// clock stands still until a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ids gives 1, 2, 3… as UUIDs.
func ids() func() uuid.UUID {
	var n uint32
	return func() uuid.UUID {
		n++
		return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	}
}

func open(t *testing.T, o device.Options) *device.Device {
	t.Helper()
	if o.Store == nil {
		o.Store = device.NewMemory()
	}
	if o.Clock == nil {
		o.Clock = newClock().Now
	}
	o.NewID = ids()
	d, err := device.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// doc makes a document of kind "note".
func doc(id, scope string, rev uint64, fields string) device.Document {
	var d device.Document
	body := fmt.Sprintf(`{"kind":"note","id":%q,"rev":%d,"scope":%q%s}`, id, rev, scope, fields)
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		panic(err)
	}
	return d
}

func note(id string) device.Key { return device.Key{Kind: "note", ID: id} }

// names are the received documents as "id@rev".
func names(d *device.Device) []string {
	out := []string{}
	for _, x := range d.Received() {
		out = append(out, fmt.Sprintf("%s@%d", x.ID, x.Rev))
	}
	return out
}

func want[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
		t.Errorf("%s: got %s, want %s", what, a, b)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func receive(t *testing.T, d *device.Device, asked string, p device.Page) bool {
	t.Helper()
	return must(d.Receive(t.Context(), asked, &p))(t)
}

func update(t *testing.T, d *device.Device, id string, set device.Fields) device.Mutation {
	t.Helper()
	return must(d.Do(t.Context(), device.Change{Op: device.Update, Key: note(id), Set: set}))(t)[0]
}

// phases are the entries' documents by phase.
func phases(d *device.Device, p device.Phase) []string {
	out := []string{}
	for _, e := range d.Entries() {
		if e.Phase == p {
			out = append(out, e.Mutation.DocID)
		}
	}
	return out
}

var errLost = errors.New("the connection broke")

func refused(status int, code string) error { return &device.Problem{Status: status, Code: code} }

// failing is a store whose batches fail while broken.
type failing struct {
	*device.Memory
	broken bool
}

func (f *failing) Apply(ctx context.Context, b *device.Batch) error {
	if f.broken {
		return errors.New("the disk is full")
	}
	return f.Memory.Apply(ctx, b)
}

func digestOf(docs ...device.Document) *device.Digest {
	m := device.NewMemory()
	_ = m.Apply(context.Background(), &device.Batch{Put: docs})
	d, _ := device.Open(context.Background(), device.Options{Store: m})
	sum := d.Condition().Digest
	return &sum
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
