package sync

import (
	"context"
	"encoding/binary"
	"fmt"
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

// follow starts the followers of a workspace that has come into memory.
func (m *machine) follow() {
	m.e.mu.Lock()
	w, followers := m.e.workspaces[m.name], m.e.followers
	m.e.mu.Unlock()
	ctx, end := context.WithCancel(m.e.ctx)
	m.endFollowing = end
	for _, f := range followers {
		m.following.Go(func() { m.runFollower(ctx, w, f) })
	}
}

// unfollow ends the followers and waits for them.
func (m *machine) unfollow() {
	m.endFollowing()
	m.following.Wait()
}

func (m *machine) runFollower(ctx context.Context, w *Workspace, f Follower) {
	const shortest = 100 * time.Millisecond
	pause := shortest
	for ctx.Err() == nil {
		moved, err := m.followFrom(ctx, w, f)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if moved {
			pause = shortest
		}
		m.e.o.Logger.Error("follower", "name", f.Name, "workspace", m.name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, time.Minute)
		}
	}
}

// followFrom handles what the follower has not seen, then waits for more.
// moved says whether it got any further.
func (m *machine) followFrom(ctx context.Context, w *Workspace, f Follower) (moved bool, err error) {
	pos, err := m.followerPosition(ctx, f.Name)
	if err != nil {
		return false, err
	}
	for ctx.Err() == nil {
		next := m.next()
		var head uint64
		_ = m.view(func(st *state) error {
			head = st.head.Number
			return nil
		})
		if pos > head {
			pos = head // the store was restored
		}
		start := pos
		if pos < head {
			err = m.e.o.Store.Journal(ctx, m.name, pos+1, head, func(c *Commit) error {
				if err := f.Handle(ctx, w, c); err != nil {
					return fmt.Errorf("commit %d: %w", c.Number, err)
				}
				pos = c.Number
				return nil
			})
		}
		if pos > start {
			note := map[string][]byte{followerPrefix + f.Name: binary.AppendUvarint(nil, pos)}
			saveErr := m.e.o.Store.SaveNotes(context.WithoutCancel(ctx), m.name, note)
			moved = moved || saveErr == nil
			if saveErr != nil && err == nil {
				err = fmt.Errorf("save position: %w", saveErr)
			}
		}
		if err != nil {
			return moved, err
		}
		select {
		case <-next:
		case <-ctx.Done():
		}
	}
	return moved, nil
}

func (m *machine) followerPosition(ctx context.Context, name string) (uint64, error) {
	notes, err := m.e.o.Store.Notes(ctx, m.name, followerPrefix+name)
	if err != nil {
		return 0, fmt.Errorf("read position: %w", err)
	}
	pos, _ := binary.Uvarint(notes[followerPrefix+name])
	return pos, nil
}
