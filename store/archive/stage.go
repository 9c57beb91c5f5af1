package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Limits of one append of what is staged.
const (
	stepBytes   = 4 << 20 // far below sync.MaxAppendBytes, whatever comes on top
	stepCommits = 1000
)

// stage fills a staged history.
type stage struct {
	store   sync.Store
	name    string    // of the history
	head    sync.Head // of what has been given to it
	waiting []*sync.Commit
	size    int // of those, in bytes
	notes   map[string][]byte
}

// add a commit that follows.
func (s *stage) add(ctx context.Context, c *sync.Commit) error {
	size := len(c.Encode())
	if s.size+size > stepBytes || len(s.waiting) == stepCommits {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.waiting = append(s.waiting, c)
	s.size += size
	s.head = sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
	return nil
}

// flush appends what waits.
func (s *stage) flush(ctx context.Context) error {
	if len(s.waiting) == 0 {
		return nil
	}
	err := settle(ctx, func() error { return s.store.Append(ctx, s.name, s.waiting) })
	if err != nil {
		return fmt.Errorf("append to the staged history: %w", err)
	}
	s.waiting, s.size = nil, 0
	return nil
}

// saveNotes makes the notes of the history these.
func (s *stage) saveNotes(ctx context.Context, notes map[string][]byte) error {
	there, err := s.store.Notes(ctx, s.name, "")
	if err != nil {
		return err
	}
	change := map[string][]byte{}
	for key := range there {
		if _, stays := notes[key]; !stays {
			change[key] = nil
		}
	}
	for key, value := range notes {
		if have, ok := there[key]; !ok || !bytes.Equal(have, value) {
			change[key] = value
		}
	}
	return s.store.SaveNotes(ctx, s.name, change)
}

// promote the history to a workspace whose head is was; ErrMoved if it is not.
func (s *stage) promote(ctx context.Context, workspace string, was sync.Head) error {
	err := settle(ctx, func() error { return s.store.Promote(ctx, s.name, workspace, was) })
	if errors.Is(err, sync.ErrConflict) {
		return fmt.Errorf("workspace %s: %w", workspace, ErrMoved)
	}
	if !errors.Is(err, sync.ErrMissing) {
		return err
	}
	// An earlier try came through, though it seemed not to.
	head, err := s.store.Head(ctx, workspace)
	if err == nil && (head.Number != s.head.Number || head.Hash != s.head.Hash) {
		err = fmt.Errorf("workspace %s: %w", workspace, ErrMoved)
	}
	return err
}

// complete a promotion that ended after the workspace had got its new history,
// and before all was cleared away: both names lead to one history then.
func (s *stage) complete(ctx context.Context, workspace string, is sync.Head) error {
	head, err := s.store.Head(ctx, s.name)
	if err != nil || !sameHead(head, is) {
		return err
	}
	s.head = head
	return s.promote(ctx, workspace, is)
}

// Steps whose outcome is unknown are repeated so often, so long apart. Then
// the whole is given up, and may be repeated by whoever asked for it.
const (
	repeats   = 8
	pauseMost = 5 * time.Second
)

// settle repeats a step until the store knows its outcome.
func settle(ctx context.Context, step func() error) error {
	pause := 50 * time.Millisecond
	for n := 0; ; n++ {
		err := step()
		if !errors.Is(err, sync.ErrUnknownOutcome) || n == repeats || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, ctx.Err())
		}
		pause = min(2*pause, pauseMost)
	}
}
