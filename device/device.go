// Package device is the reference device: a local copy of what its user may
// see, an outbox of what was done to it, and the rules by which the two and
// the server stay one. It speaks nothing but the wire format.
//
// A Device may be used by many goroutines at once. It reads no clock and
// draws no identifier but through its Options.
package device

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options of a Device. Store and Transport are needed.
type Options struct {
	Store     Store
	Transport Transport
	Clock     func() time.Time                     // the device's own; nil: time.Now
	NewID     func() uuid.UUID                     // nil: UUIDv7
	After     func(time.Duration) <-chan time.Time // waits between attempts of Run; nil: time.After
	Rand      func() float64                       // in [0,1), spreads attempts; nil: math/rand
	PageLimit int                                  // rows a page, 0: the server's default
	BatchSize int                                  // mutations a push, 0: 1,000
	Logger    *slog.Logger                         // nil: none
	// Faults breaks rules of the device on purpose, for proofs that the
	// simulation notices. Never set it otherwise.
	Faults Faults
}

// Faults are rules that can be left out, to prove that tests notice.
type Faults struct {
	TakeLatePages bool // pages are applied whatever cursor they were asked for with
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.BatchSize <= 0 || o.BatchSize > maxMutations {
		o.BatchSize = maxMutations
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Device is one device of one user.
type Device struct {
	o       Options
	sending chan struct{} // holds a token while a push is under way: pushes keep their order
	changed chan struct{} // a mutation was queued
	heard   chan struct{} // a page came by the stream

	mu   sync.Mutex
	meta Meta
	copy *replica
	out  outbox
}

// Open makes a device of what its store holds.
func Open(ctx context.Context, o Options) (*Device, error) {
	o = o.withDefaults()
	s, err := o.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("open device: %w", err)
	}
	return &Device{
		o:       o,
		sending: make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
		heard:   make(chan struct{}, 1),
		meta:    s.Meta,
		copy:    newReplica(s.Documents),
		out:     newOutbox(s.Entries),
	}, nil
}

// save makes a batch durable and then visible. The caller holds mu.
func (d *Device) save(ctx context.Context, b *Batch) error {
	if err := d.o.Store.Apply(ctx, b); err != nil {
		return fmt.Errorf("save on device: %w", err)
	}
	d.copy.apply(b)
	d.out.apply(b)
	if b.Meta != nil {
		d.meta = *b.Meta
	}
	return nil
}

// Change is what a person does to one document.
type Change struct {
	Op  Op
	Key Key // an empty ID of a creation is chosen
	Set Fields
	// Unset names fields to remove.
	Unset []string
}

// Do queues changes and shows them at once. Several are a group: the server
// takes all or none. The mutations as they will be sent are returned; what is
// in Set may not be changed afterwards.
func (d *Device) Do(ctx context.Context, changes ...Change) ([]Mutation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.meta.Revoked {
		return nil, ErrRevoked
	}
	group := ""
	if len(changes) > 1 {
		group = d.o.NewID().String()
	}
	b := &Batch{}
	var made []Mutation
	for i, c := range changes {
		m := d.mutation(c, group)
		made = append(made, m)
		b.Save = append(b.Save, Entry{Seq: d.out.next + uint64(i), Mutation: m})
	}
	if err := d.save(ctx, b); err != nil {
		return nil, err
	}
	signal(d.changed)
	return made, nil
}

// mutation of a change, based on the copy its person was looking at.
func (d *Device) mutation(c Change, group string) Mutation {
	at := d.o.Clock().UTC()
	m := Mutation{ID: d.o.NewID(), Kind: c.Key.Kind, DocID: c.Key.ID, Op: c.Op, Set: c.Set, Unset: c.Unset, At: &at, Group: group}
	if c.Op == Create && m.DocID == "" {
		m.DocID = d.o.NewID().String()
	}
	if c.Op != Create {
		m.Base = d.copy.docs[c.Key].Rev
	}
	return m
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // already signalled
	}
}

// Get gives a document as its person sees it, reserved members included:
// unsent changes lie over the server's copy. ok is false if there is none.
func (d *Device) Get(key Key) (f Fields, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var over []Mutation
	for _, e := range d.out.entries {
		if e.laid() && e.Mutation.Key() == key {
			over = append(over, e.Mutation)
		}
	}
	if doc, held := d.copy.docs[key]; held {
		return lay(&doc, over)
	}
	return lay(nil, over)
}

// laid says whether the entry lies over the server's copies.
func (e *Entry) laid() bool { return e.Phase != Refused && !e.Lifted }

// Keys are the documents of a kind that its person sees, sorted; kind "" is
// every kind.
func (d *Device) Keys(kind string) []Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[Key]bool{}
	for k := range d.copy.docs {
		seen[k] = true
	}
	for _, e := range d.out.entries {
		if e.laid() && e.Mutation.Op != Update {
			seen[e.Mutation.Key()] = e.Mutation.Op == Create
		}
	}
	var out []Key
	for k, there := range seen {
		if there && (kind == "" || k.Kind == kind) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, Key.compare)
	return out
}

func (k Key) compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Kind, other.Kind), cmp.Compare(k.ID, other.ID))
}

// Received are the server's copies, by kind and id, without unsent changes.
func (d *Device) Received() []Document {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.copy.sorted()
}

// Entries are the mutations the device keeps, in the order they were made.
func (d *Device) Entries() []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.out.entries)
}

// Condition is how a device stands.
type Condition struct {
	Cursor  string
	Waiting int    // mutations without an answer
	Digest  Digest // of the server's copies
	Revoked bool
	// StartedOver is when the digest was last not the server's; zero: never.
	StartedOver time.Time
}

// Condition tells how the device stands.
func (d *Device) Condition() Condition {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Condition{d.meta.Cursor, d.out.waiting(), d.copy.digest, d.meta.Revoked, d.meta.StartedOver}
}

// Dismiss forgets a refused mutation that its person has seen.
func (d *Device) Dismiss(ctx context.Context, id uuid.UUID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.out.entries {
		if e.Mutation.ID == id && e.Phase == Refused {
			return d.save(ctx, &Batch{Forget: []uint64{e.Seq}})
		}
	}
	return nil
}
