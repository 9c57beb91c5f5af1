package sync

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
)

// presence remembers, per origin, the greatest cursor it ever showed: what it
// was told up to then, it may rely on. It is kept as notes beside the journal;
// one that a crash loses only lets more pass.
type presence struct {
	mu    sync.Mutex
	shown map[string]uint64
	dirty map[string]struct{}
}

const presencePrefix = "cursor/"

func loadPresence(ctx context.Context, store Store, workspace string) (*presence, error) {
	notes, err := store.Notes(ctx, workspace, presencePrefix)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	p := &presence{shown: map[string]uint64{}, dirty: map[string]struct{}{}}
	for k, v := range notes {
		n, _ := binary.Uvarint(v)
		p.shown[strings.TrimPrefix(k, presencePrefix)] = n
	}
	return p, nil
}

// shown notes the cursor that a device came back with. What a stream has only
// sent does not count: nobody knows whether it arrived.
func (m *machine) shown(a Actor, from asked) {
	if n := from.cur.n; n > 0 && m.presence.show(a, n) && m.e.o.Presented != nil {
		m.e.o.Presented(m.name, a, n)
	}
}

// show notes a cursor; it is true when it is the greatest so far.
func (p *presence) show(a Actor, n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := a.User + " " + a.Device
	if p.shown[key] >= n {
		return false
	}
	p.shown[key] = n
	p.dirty[key] = struct{}{}
	return true
}

func (p *presence) greatest(a Actor) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown[a.User+" "+a.Device]
}

// lower forgets cursors above the head: the store was restored.
func (p *presence) lower(head uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, n := range p.shown {
		if n > head {
			p.shown[k] = head
			p.dirty[k] = struct{}{}
		}
	}
}

// changed takes what is to be saved.
func (p *presence) changed() map[string][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	notes := make(map[string][]byte, len(p.dirty))
	for k := range p.dirty {
		notes[presencePrefix+k] = binary.AppendUvarint(nil, p.shown[k])
	}
	clear(p.dirty)
	return notes
}

// unsaved gives back what could not be saved.
func (p *presence) unsaved(notes map[string][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range notes {
		p.dirty[strings.TrimPrefix(k, presencePrefix)] = struct{}{}
	}
}

// Presented is the greatest cursor number that the actor's device ever showed.
func (w *Workspace) Presented(ctx context.Context, a Actor) (n uint64, err error) {
	err = w.with(ctx, func(m *machine) error {
		n = m.presence.greatest(a)
		return nil
	})
	return n, err
}
