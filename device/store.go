package device

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Store keeps what a device must not lose in a crash.
type Store interface {
	// Load gives the state as the last batch left it; the caller owns it.
	Load(ctx context.Context) (*State, error)
	// Apply makes the changes of a batch, durably, all or none.
	Apply(ctx context.Context, b *Batch) error
}

// State is what a device keeps.
type State struct {
	Meta
	Documents map[Key]Document // the server's copies
	Entries   map[uint64]Entry // by Seq
}

// Meta is the part of the state that is neither documents nor entries.
type Meta struct {
	Cursor      string
	Head        uint64    // of the last complete page; 0 before the first
	StartedOver time.Time // when the digest was last not ours, device clock
	Revoked     bool      // an administrator has removed this device
}

// Entry is one mutation and what became of it.
type Entry struct {
	Seq      uint64 // order in which mutations were made
	Mutation Mutation
	Phase    Phase
	Rev      uint64    // of the commit, when acknowledged
	Answered time.Time // device clock, when acknowledged or refused
	// Lifted is true once the server's copies show what became of it, so that
	// it no longer lies over them.
	Lifted bool
	// Settled is true once the cursor proves that the server still has it.
	Settled bool
	Doubts  int      // how often it was sent once more, to be sure
	Problem *Problem // why, when refused
}

// Phase is where a mutation stands.
type Phase int

// The phases.
const (
	Waiting      Phase = iota // not sent, or sent without an answer
	Acknowledged              // applied or merged; kept to be sent again after a restore
	Refused                   // parked with its reason
)

// Batch is one atomic change of a state. Its parts apply in the order of the
// fields.
type Batch struct {
	Clear  bool     // forget all documents
	Drop   []string // forget the documents of these scopes
	Remove []Key
	Put    []Document
	Save   []Entry  // put in place by Seq
	Forget []uint64 // entries, by Seq
	Meta   *Meta    // nil keeps it
}

// apply changes the state as the batch says.
func (s *State) apply(b *Batch) {
	if b.Clear {
		clear(s.Documents)
	}
	if len(b.Drop) > 0 {
		maps.DeleteFunc(s.Documents, func(_ Key, d Document) bool { return slices.Contains(b.Drop, d.Scope) })
	}
	for _, k := range b.Remove {
		delete(s.Documents, k)
	}
	for _, d := range b.Put {
		s.Documents[d.Key] = d
	}
	for _, e := range b.Save {
		s.Entries[e.Seq] = e
	}
	for _, seq := range b.Forget {
		delete(s.Entries, seq)
	}
	if b.Meta != nil {
		s.Meta = *b.Meta
	}
}

// clone copies the state; bodies and mutations are shared, for nobody changes them.
func (s *State) clone() *State {
	return &State{s.Meta, maps.Clone(s.Documents), maps.Clone(s.Entries)}
}

// Memory is a Store in memory. A device that is dropped and opened again on
// it has gone through a crash; a Snapshot is the copy that a backup holds.
type Memory struct {
	mu    sync.Mutex
	state *State
}

var _ Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{state: &State{Documents: map[Key]Document{}, Entries: map[uint64]Entry{}}}
}

// Load implements Store.
func (m *Memory) Load(context.Context) (*State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone(), nil
}

// Apply implements Store.
func (m *Memory) Apply(_ context.Context, b *Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.apply(b)
	return nil
}

// Snapshot is a store that begins with what this one holds now.
func (m *Memory) Snapshot() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{state: m.state.clone()}
}
