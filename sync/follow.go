package sync

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Follower reads every workspace's journal in order, from where it got to
// before, at least once. What it writes must be harmless twice: derive the
// Write.Key from the commit (DerivedID).
type Follower struct {
	Name string
	// Handle one commit. An error is retried after a pause; the follower does
	// not go past it.
	Handle func(ctx context.Context, w *Workspace, c *Commit) error
}

// Follow registers a follower. Before the first workspace is opened.
func (e *Engine) Follow(f Follower) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.followers = append(e.followers, f)
}

const followerPrefix = "follower/"

// readersOf are the followers of a workspace that comes into memory.
func (e *Engine) readersOf(m *machine) []*follower {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var out []*follower
	for _, f := range e.followers {
		out = append(out, &follower{Follower: f, m: m, w: e.workspaces[m.name]})
	}
	return out
}

// follow starts the followers.
func (m *machine) follow() {
	ctx, end := context.WithCancel(m.e.ctx)
	m.endFollowing = end
	for _, r := range m.readers {
		m.following.Go(func() { r.run(ctx) })
	}
}

// unfollow ends the followers and waits for them.
func (m *machine) unfollow() {
	m.endFollowing()
	m.following.Wait()
}

// behind says whether a follower has not handled all there is: the workspace
// must stay in memory until it has.
func (m *machine) behind() bool {
	head := m.head()
	for _, r := range m.readers {
		if r.pos.Load() < head {
			return true
		}
	}
	return false
}

func (m *machine) head() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.st.head.Number
}

// follower is a Follower at work in one workspace.
type follower struct {
	Follower
	m     *machine
	w     *Workspace
	pos   atomic.Uint64 // the last commit handled
	saved uint64        // the position as it is noted
}

// savePositionEvery bounds, in commits, what a crash makes a follower repeat.
const savePositionEvery = 256

func (r *follower) run(ctx context.Context) {
	const shortest = 100 * time.Millisecond
	pause := shortest
	for ctx.Err() == nil {
		before := r.pos.Load()
		err := r.follow(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if r.pos.Load() > before {
			pause = shortest
		}
		r.m.e.o.Logger.Error("follower", "name", r.Name, "workspace", r.m.name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, time.Minute)
		}
	}
}

// follow handles what the follower has not seen, and what comes, until
// something is wrong.
func (r *follower) follow(ctx context.Context) error {
	pos, err := r.m.followerPosition(ctx, r.Name)
	if err != nil {
		return err
	}
	r.pos.Store(pos)
	r.saved = pos
	for ctx.Err() == nil {
		next := r.m.next()
		if r.m.held() {
			if err := r.catchUp(ctx, r.m.head()); err != nil {
				return err
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
		}
	}
	return nil
}

// catchUp handles the commits up to head. The position is noted also when it
// ends early.
func (r *follower) catchUp(ctx context.Context, head uint64) error {
	if r.pos.Load() > head {
		r.pos.Store(head) // the store was restored
	}
	if r.pos.Load() == head {
		return nil
	}
	err := r.m.e.o.Store.Journal(ctx, r.m.name, r.pos.Load()+1, head, func(c *Commit) error {
		if err := r.Handle(ctx, r.w, c); err != nil {
			return fmt.Errorf("commit %d: %w", c.Number, err)
		}
		r.pos.Store(c.Number)
		if c.Number-r.saved >= savePositionEvery {
			return r.save(ctx)
		}
		return nil
	})
	return errors.Join(err, r.save(ctx))
}

func (r *follower) save(ctx context.Context) error {
	pos := r.pos.Load()
	if pos == r.saved {
		return nil
	}
	note := map[string][]byte{followerPrefix + r.Name: binary.AppendUvarint(nil, pos)}
	if err := r.m.e.o.Store.SaveNotes(context.WithoutCancel(ctx), r.m.name, note); err != nil {
		return fmt.Errorf("save position: %w", err)
	}
	r.saved = pos
	return nil
}

func (m *machine) followerPosition(ctx context.Context, name string) (uint64, error) {
	notes, err := m.e.o.Store.Notes(ctx, m.name, followerPrefix+name)
	if err != nil {
		return 0, fmt.Errorf("read position: %w", err)
	}
	pos, _ := binary.Uvarint(notes[followerPrefix+name])
	return pos, nil
}
