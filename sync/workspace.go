package sync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// Workspace is a company's journal and all that is read off it. The handle
// stays valid while its memory is evicted and loaded again.
type Workspace struct {
	e      *Engine
	name   string
	number uint32 // in the cache of bodies

	mu      sync.Mutex
	m       *machine // nil when not in memory
	used    time.Time
	loading sync.Mutex
}

// Name of the workspace.
func (w *Workspace) Name() string { return w.name }

// acquire gives the machine, loading it if it must; leave it after use.
func (w *Workspace) acquire(ctx context.Context) (*machine, error) {
	if m := w.borrow(); m != nil {
		return m, nil
	}
	w.loading.Lock()
	defer w.loading.Unlock()
	if m := w.borrow(); m != nil {
		return m, nil
	}
	if w.e.ctx.Err() != nil {
		return nil, unavailable(ErrClosed)
	}
	m, err := w.e.load(ctx, w.name, w.number)
	if err != nil {
		return nil, unavailable(err)
	}
	w.mu.Lock()
	m.users, w.m, w.used = 1, m, w.e.o.Clock()
	w.mu.Unlock()
	return m, nil
}

func (w *Workspace) borrow() *machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m != nil {
		w.m.users++
	}
	return w.m
}

func (w *Workspace) leave(m *machine) {
	w.mu.Lock()
	m.users--
	w.used = w.e.o.Clock()
	w.mu.Unlock()
}

// with runs f on the machine.
func (w *Workspace) with(ctx context.Context, f func(*machine) error) error {
	m, err := w.acquire(ctx)
	if err != nil {
		return err
	}
	defer w.leave(m)
	return f(m)
}

// look runs f with the state as published, after the date was seen to.
func (w *Workspace) look(ctx context.Context, f func(*machine, *state) error) error {
	return w.with(ctx, func(m *machine) error {
		if err := m.current(ctx); err != nil {
			return err
		}
		return m.view(func(st *state) error { return f(m, st) })
	})
}

// current sees to it that the workspace's date is today's, and that the state
// is the store's where others may have written.
func (m *machine) current(ctx context.Context) error {
	if !m.dayOver() && m.trusted() {
		return nil
	}
	_, err := m.submit(ctx, &request{day: true})
	return err
}

// Head is the number of the newest commit.
func (w *Workspace) Head(ctx context.Context) (head Head, err error) {
	err = w.look(ctx, func(_ *machine, st *state) error {
		head = st.head
		return nil
	})
	return head, err
}

// Push applies a device's mutations as one commit. Refused mutations are
// results, not errors.
func (w *Workspace) Push(ctx context.Context, a Actor, req PushRequest) (*PushResponse, error) {
	var out *PushResponse
	err := w.with(ctx, func(m *machine) error {
		r := &request{actor: a, push: &req, presented: m.presence.greatest(a)}
		got, err := m.prepared(ctx, r)
		out = got.push
		return err
	})
	return out, err
}

// Write applies what a console or the server itself does: all or nothing.
func (w *Workspace) Write(ctx context.Context, a Actor, req Write) (*Written, error) {
	var out *Written
	err := w.with(ctx, func(m *machine) error {
		got, err := m.prepared(ctx, &request{actor: a, write: &req})
		out = got.written
		return err
	})
	return out, err
}

// prepared reads what a request needs from the store, so that the writer need
// not wait for it, and submits it.
func (m *machine) prepared(ctx context.Context, r *request) (answer, error) {
	if r.push != nil { // here, beside each other: in the one writer it was a tenth of a push
		var err error
		if r.push.digests, err = digestsOf(r.push.Mutations); err != nil {
			return answer{}, err
		}
	}
	var want []wanted
	err := m.view(func(st *state) error {
		r.foundAt = st.head.Number
		for _, k := range m.e.o.Registry.prefetch(r.push, r.write) {
			if f, ok := st.find(k); ok {
				want = append(want, wanted{f.doc, k, f.rev})
			}
		}
		return nil
	})
	if err == nil {
		r.found, err = m.outcomes(ctx, r.ids())
	}
	if err == nil {
		_, _, err = m.bodies.versions(ctx, want)
	}
	if err != nil {
		return answer{}, unavailable(err)
	}
	return m.submit(ctx, r)
}

// Get reads a document that the actor sees; fault NotFound otherwise.
func (w *Workspace) Get(ctx context.Context, a Actor, key Key) (*Version, error) {
	var out *Version
	err := w.with(ctx, func(m *machine) error {
		if err := m.current(ctx); err != nil {
			return err
		}
		var seen wanted
		err := m.view(func(st *state) error {
			p, err := st.actor(a)
			if err == nil {
				seen = st.visible(p, key)
			}
			return err
		})
		if err == nil && seen.rev == 0 {
			err = fault.New(fault.NotFound)
		}
		if err != nil {
			return err
		}
		if out, err = m.bodies.version(ctx, seen); err != nil {
			return unavailable(err)
		}
		return nil
	})
	return out, err
}

// actor finds the actor's principal; nil for the system. Fault NotSignedIn
// if there is no such account, or it is not active.
func (s *state) actor(a Actor) (*principal, error) {
	if a.User == "" {
		return nil, nil
	}
	p := s.principals[a.User]
	if p == nil || !p.spec.Active {
		return nil, fault.New(fault.NotSignedIn)
	}
	return p, nil
}

// visible gives the version of a live document that the principal (nil: the
// system) sees; none otherwise.
func (s *state) visible(p *principal, key Key) wanted {
	n, ok := s.lookup(key)
	if !ok || !s.live(n) {
		return wanted{}
	}
	if p != nil && !s.holdsNow(p, s.docs[n].scope, forever) {
		return wanted{}
	}
	return wanted{n, key, s.docs[n].rev}
}

// Document reads any live document, for the server's own use; ErrMissing if
// there is none.
func (w *Workspace) Document(ctx context.Context, key Key) (*Document, error) {
	v, err := w.Get(ctx, Actor{}, key)
	if fault.Is(err, fault.NotFound) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, err
	}
	return decodeDocument(v)
}

// Lookup finds the live document that has a unique value, for the server's
// own use; ErrMissing if there is none.
func (w *Workspace) Lookup(ctx context.Context, kind, field, value string) (*Document, error) {
	u := w.e.o.Registry.unique(kind, field)
	if u == nil {
		return nil, fmt.Errorf("look up %s by %s: not a unique field", kind, field)
	}
	folded := u.value(Fields{field: value})
	var keys []Key
	err := w.look(ctx, func(_ *machine, st *state) error {
		keys = st.byUnique(uniqueHash(kind, field, folded))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		d, err := w.Document(ctx, k)
		if err != nil && !errors.Is(err, ErrMissing) {
			return nil, err
		}
		if err == nil && u.value(d.Fields) == folded {
			return d, nil
		}
	}
	return nil, ErrMissing
}

func (r *Registry) unique(kind, field string) *Unique {
	k := r.byName[kind]
	if k == nil {
		return nil
	}
	for i := range k.Unique {
		if k.Unique[i].Field == field {
			return &k.Unique[i]
		}
	}
	return nil
}

// Principal of an account; the zero Principal if there is none.
func (w *Workspace) Principal(ctx context.Context, id string) (Principal, error) {
	var out Principal
	err := w.look(ctx, func(_ *machine, st *state) error {
		out, _ = st.principal(id)
		return nil
	})
	return out, err
}

// Rev is the rev of a live document, from memory; 0 if there is none.
func (w *Workspace) Rev(ctx context.Context, key Key) (rev uint64, err error) {
	err = w.look(ctx, func(_ *machine, st *state) error {
		rev = st.visible(nil, key).rev
		return nil
	})
	return rev, err
}

// Keys of the live documents of a kind. It looks through all documents: for
// kinds and places where that is little.
func (w *Workspace) Keys(ctx context.Context, kind string) ([]Key, error) {
	var out []Key
	err := w.look(ctx, func(_ *machine, st *state) error {
		out = st.keys(kind)
		return nil
	})
	return out, err
}

// StateHash stands for the whole state in memory, at its head: two engines
// with the same journal give the same, whatever they went through.
func (w *Workspace) StateHash(ctx context.Context) (hash Hash, err error) {
	err = w.look(ctx, func(_ *machine, st *state) error {
		hash = st.hash()
		return nil
	})
	return hash, err
}

// SaveNotes keeps small values beside the journal; a nil value removes.
func (w *Workspace) SaveNotes(ctx context.Context, notes map[string][]byte) error {
	if err := w.e.o.Store.SaveNotes(ctx, w.name, notes); err != nil {
		return fmt.Errorf("save notes: %w", err)
	}
	return nil
}

// Notes gives the values whose key has the prefix.
func (w *Workspace) Notes(ctx context.Context, prefix string) (map[string][]byte, error) {
	notes, err := w.e.o.Store.Notes(ctx, w.name, prefix)
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	return notes, nil
}
