package simulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	stdsync "sync"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/tasks"
)

// workspace is the name of the simulated company.
const workspace = "world"

// kindSecret is a kind whose documents nobody may ever be sent.
const kindSecret = "secret"

// world is one simulated company: its server, its people, and the model that
// reads the journal beside it.
type world struct {
	cfg     Config
	rng     *rand.Rand
	clock   *clock
	server  *server
	model   *model
	phones  []*phone
	sent    map[uuid.UUID]*sent
	fields  map[sync.Key]map[string]mark // who set what last
	pages   []*seenPage                  // given since the journal was last read
	report  Report
	history []string
	heads   []sync.Head // that nodes had since the journal was last read
	past    *model      // the journal up to an earlier commit
	step    int
	// acknowledged is the newest head that a holder of the seat answered with.
	acknowledged uint64
	values       int  // unique values handed out in this step
	calm         bool // nothing goes wrong on the way

	mu  stdsync.Mutex // guards sent, pages, report, history and bad: requests run at once
	bad error         // what a request found out
}

// sent is a mutation as it went to the server, by push or by write.
type sent struct {
	sync.Mutation
	actor   sync.Actor
	console bool
	since   uint64 // a lower bound of the greatest cursor its device had shown
	// answered is the first answer; nil if none came.
	answered *sync.Result
	idle     bool // it changed nothing, in a history that was lost
}

// clock is the server's: it stands until a step moves it.
type clock struct {
	mu  stdsync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newWorld(ctx context.Context, cfg Config) (*world, error) {
	w := &world{
		cfg:    cfg,
		rng:    source(cfg.Seed, forActs, 0),
		clock:  &clock{now: time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)},
		model:  newModel(),
		sent:   map[uuid.UUID]*sent{},
		fields: map[sync.Key]map[string]mark{},
		report: newReport(),
	}
	registry, err := sync.NewRegistry(append(append(append(company.Kinds(), clients.Kinds()...), tasks.Kinds()...), secretKind())...)
	if err != nil {
		return nil, err
	}
	if w.server, err = newServer(ctx, w, registry); err != nil {
		return nil, err
	}
	_, err = w.server.holder().engine.Create(ctx, workspace, sync.Write{Cause: sync.Cause{Kind: "system", Ref: "setup"}, Mutations: w.founding(), Admit: true})
	if err != nil {
		return nil, fmt.Errorf("found the company: %w", err)
	}
	if err := w.server.open(ctx); err != nil {
		return nil, err
	}
	for _, p := range people {
		for n := range p.phones {
			ph, err := newPhone(ctx, w, p.id, n)
			if err != nil {
				return nil, err
			}
			w.phones = append(w.phones, ph)
		}
	}
	return w, w.read(ctx)
}

func secretKind() *sync.Kind {
	return &sync.Kind{
		Name: kindSecret, Fields: []sync.Field{{Name: "of", Type: sync.Text}},
		Scope: func(sync.Reader, string, sync.Fields) (string, error) { return sync.ScopePrivate, nil },
	}
}

// people of the company, and how many devices each has.
var people = []struct {
	id, role, profile string
	phones            int
}{
	{"anne", "admin", "", 1},
	{"denis", "dispatcher", "", 1},
	{"tom", "technician", "filtered", 2},
	{"eve", "technician", "filtered", 1},
	{"max", "technician", "open", 2},
	{"lea", "technician", "", 1},
}

// founding is what the company begins with.
func (w *world) founding() []sync.Mutation {
	type F = sync.Fields
	m := []sync.Mutation{
		w.mutation(sync.Create, "workspaceSettings", "settings", F{"name": "Simulated", "timeZone": "America/Toronto"}),
		w.mutation(sync.Create, "mobileProfile", "filtered", F{"name": "Filtered", "filterClientsByAssignment": true, "clientCreate": true, "taskCreate": true, "windowDaysPast": 1.0, "windowDaysFuture": 2.0, "skipEnRoute": true}),
		w.mutation(sync.Create, "mobileProfile", "open", F{"name": "Open", "clientCreate": true, "taskCreate": true, "windowDaysPast": 3.0}),
		w.mutation(sync.Create, kindSecret, "s0", F{"of": "the house"}),
	}
	for _, p := range people {
		f := F{"name": p.id, "email": p.id + "@example.com", "role": p.role}
		if p.profile != "" {
			f["mobileProfileId"] = p.profile
		}
		m = append(m, w.mutation(sync.Create, "employee", p.id, f))
	}
	m = append(m,
		w.mutation(sync.Create, "team", "north", F{"name": "North", "memberIds": []any{"tom", "max"}}),
		w.mutation(sync.Create, "team", "south", F{"name": "South", "memberIds": []any{"eve"}}),
	)
	for i := range 5 {
		c := fmt.Sprintf("c%d", i)
		m = append(m,
			w.mutation(sync.Create, "client", c, F{"name": "Client " + c, "assignedEmployeeIds": []any{people[2+i%4].id}}),
			w.mutation(sync.Create, "location", "l"+c, F{"name": "Site", "clientId": c}),
			w.mutation(sync.Create, "contact", "k"+c, F{"lastName": "Person", "clientId": c}),
			w.mutation(sync.Create, "equipment", "e"+c, F{"name": "Boiler", "clientId": c}),
		)
	}
	return append(m, w.mutation(sync.Create, "location", "depot", F{"name": "Depot"}))
}

// mutation with an id of the world's.
func (w *world) mutation(op sync.Op, kind, id string, set sync.Fields) sync.Mutation {
	return sync.Mutation{ID: w.uuid(), Kind: kind, DocID: id, Op: op, Set: set}
}

// uuid draws from the world's seed.
func (w *world) uuid() uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(w.rng.UintN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// value is one that was never used before.
func (w *world) value() string {
	w.values++
	return fmt.Sprintf("v%d-%d", w.step, w.values)
}

// chance is true with the given probability in percent.
func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// pick one of a list; the zero value if it is empty.
func pick[T any](w *world, list []T) (v T) {
	if len(list) > 0 {
		v = list[w.rng.IntN(len(list))]
	}
	return v
}

// some of a list, each with probability one half.
func some(w *world, list []string) []any {
	out := []any{}
	for _, s := range list {
		if w.chance(50) {
			out = append(out, s)
		}
	}
	return out
}

// logf keeps a line of history.
func (w *world) logf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, fmt.Sprintf("%4d  ", w.step)+fmt.Sprintf(format, args...))
}

// count a fault, or something else that must have occurred.
func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Faults[what]++
}

// complain keeps the first violation that a request met.
func (w *world) complain(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad == nil {
		w.bad = err
	}
}
