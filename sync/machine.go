package sync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// machine is a workspace in memory: the state, its writer and who listens.
type machine struct {
	e      *Engine
	name   string
	bodies bodySource
	chain  *history

	mu    sync.RWMutex // guards st: the writer changes it, readers look
	st    *state
	dayAt atomic.Int64 // Unix time at which the workspace's date ends

	queue        chan *request
	stop         chan struct{} // closed to end the writer
	stopped      chan struct{} // closed when it has ended
	recent       *recentOutcomes
	presence     *presence
	streams      streams
	wake         chan struct{} // tells followers of new commits; replaced at each
	wakeMu       sync.Mutex
	following    sync.WaitGroup
	saved        atomic.Uint64 // head of the last checkpoint
	savedAt      atomic.Int64  // Unix time of it
	swept        string        // date of the last sweep; only housekeeping
	readers      []*follower
	endFollowing context.CancelFunc // ends the followers
	doubts       atomic.Uint64      // how often there was a reason to think that the store has gone on without the state
	settled      atomic.Uint64      // how many of the doubts were looked into
	tenure       atomic.Uint64      // under which the state was last compared with the store; 0: none
	unconfirmed  bool               // others have written since the tenure was confirmed; only the writer
	users        int                // guarded by the workspace's mutex
}

// load builds the machine from the newest checkpoint and the journal after it.
func (e *Engine) load(ctx context.Context, name string, number uint32) (*machine, error) {
	m := &machine{
		e: e, name: name,
		bodies: bodySource{name, number, e.o.Store, e.cache, e.o.Logger},
		queue:  make(chan *request, 256), stop: make(chan struct{}), stopped: make(chan struct{}),
		recent: newRecentOutcomes(), wake: make(chan struct{}),
	}
	if err := m.reload(ctx); err != nil {
		return nil, err
	}
	if e.o.Tenure == nil {
		m.tenure.Store(always)
	}
	var err error
	if m.presence, err = loadPresence(ctx, e.o.Store, name); err != nil {
		return nil, err
	}
	m.presence.lower(m.st.head.Number)
	m.streams.open = map[*Stream]struct{}{}
	go m.write()
	m.readers = e.readersOf(m)
	m.follow()
	return m, nil
}

// reload builds the state anew. Only the writer, or load before it runs.
func (m *machine) reload(ctx context.Context) error {
	st, chain, saved, err := m.e.restoreState(ctx, m.name)
	if err != nil {
		return fmt.Errorf("load workspace %s: %w", m.name, err)
	}
	m.mu.Lock()
	again := m.st != nil
	m.st, m.chain = st, chain
	m.mu.Unlock()
	if again { // perhaps to another history
		m.e.cache.forget(m.bodies.number)
	}
	m.recent = newRecentOutcomes()
	m.recent.floor = st.head.Number
	m.saved.Store(saved)
	m.savedAt.Store(m.e.o.Clock().Unix())
	if m.presence != nil {
		m.presence.lower(st.head.Number)
	}
	m.setDayEnd()
	return nil
}

// restoreState reads checkpoint and tail. saved is the number of the commit at
// which the checkpoint was made; 0 without one.
func (e *Engine) restoreState(ctx context.Context, name string) (st *state, chain *history, saved uint64, err error) {
	if st, err = e.fromCheckpoint(ctx, name); err != nil {
		return nil, nil, 0, err
	}
	chain = newHistory(e.o.Store, name, st.head)
	prev := st.head
	saved = prev.Number
	err = e.o.Store.Journal(ctx, name, st.head.Number+1, 0, func(c *Commit) error {
		if !c.Follows(prev) {
			return fmt.Errorf("commit %d does not follow %d: %w", c.Number, prev.Number, ErrDamaged)
		}
		fs, err := e.o.Registry.factsOf(c)
		if err != nil {
			return err
		}
		st.apply(c, fs)
		chain.add(st.head)
		prev = st.head
		return nil
	})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("replay: %w", err)
	}
	return st, chain, saved, nil
}

// factsOf computes the facts of a commit's changes from their bodies.
func (r *Registry) factsOf(c *Commit) ([]facts, error) {
	out := make([]facts, len(c.Changes))
	for i := range c.Changes {
		v := &c.Changes[i]
		if v.Deleted {
			continue
		}
		f, err := FieldsOf(v.Body)
		if err != nil {
			return nil, fmt.Errorf("%s@%d: %w", v.Key, v.Rev, errors.Join(err, ErrDamaged))
		}
		out[i] = r.facts(v.Key, f)
	}
	return out, nil
}

// view runs f with the published state, which f must not keep.
func (m *machine) view(f func(*state) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return f(m.st)
}

// setDayEnd computes when the workspace's date ends. Only the writer, or load.
func (m *machine) setDayEnd() {
	if m.st.day == "" {
		m.dayAt.Store(0)
		return
	}
	t, _ := time.ParseInLocation(time.DateOnly, m.st.day, m.st.location)
	m.dayAt.Store(t.AddDate(0, 0, 1).Unix())
}

// dayOver says whether a commit must move the date before anything is answered.
func (m *machine) dayOver() bool { return m.e.o.Clock().Unix() >= m.dayAt.Load() }

// announce tells followers that the head has moved.
func (m *machine) announce() {
	m.wakeMu.Lock()
	close(m.wake)
	m.wake = make(chan struct{})
	m.wakeMu.Unlock()
}

// next is closed when the head moves again.
func (m *machine) next() <-chan struct{} {
	m.wakeMu.Lock()
	defer m.wakeMu.Unlock()
	return m.wake
}

// recentOutcomes are the outcomes of the newest commits, for mutations sent
// twice within moments.
type recentOutcomes struct {
	byID  map[uuid.UUID]*Outcome
	order []recentOutcome
	floor uint64 // outcomes of all commits after this number are here
}

type recentOutcome struct {
	id     uuid.UUID
	commit uint64
}

const keptOutcomes = 20_000

func newRecentOutcomes() *recentOutcomes { return &recentOutcomes{byID: map[uuid.UUID]*Outcome{}} }

func (r *recentOutcomes) add(c *Commit) {
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		r.byID[o.ID] = o
		r.order = append(r.order, recentOutcome{o.ID, c.Number})
	}
	if len(r.order) < 2*keptOutcomes {
		return
	}
	cut := len(r.order) - keptOutcomes
	for cut < len(r.order) && r.order[cut].commit == r.order[cut-1].commit {
		cut++
	}
	for _, o := range r.order[:cut] {
		delete(r.byID, o.id)
	}
	r.floor = r.order[cut-1].commit
	r.order = append([]recentOutcome(nil), r.order[cut:]...)
}
