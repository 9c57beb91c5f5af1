package mongo

import (
	"fmt"

	"github.com/enroute-field/enroute/sync"
)

// reading is a walk along a history. Every commit is checked before it is
// handed on: its content against its hash, and that it follows the one before.
type reading struct {
	from, to uint64 // what is left to read
	prev     *sync.Hash
	yield    func(*sync.Commit) error
	done     bool
}

// first takes the segment at or before where the walk begins.
func (r *reading) first(s *segment) error {
	if s.Closed {
		return r.end(s)
	}
	if uint64(s.Last) < r.from {
		return nil // the end, or a gap: what comes next tells
	}
	return r.take(s)
}

// end the walk at a closed segment, or before a commit that has been stripped.
func (r *reading) end(s *segment) error {
	r.done = true
	if uint64(s.Last) >= r.from {
		return errGone
	}
	return nil
}

// next takes the segment that must begin where the last one ended.
func (r *reading) next(s *segment) error {
	switch {
	case uint64(s.ID.First) != r.from:
		return fmt.Errorf("commit %d is missing: %w", r.from, sync.ErrDamaged)
	case s.Closed:
		return r.end(s)
	case r.prev != nil && *r.prev != s.Prev:
		return fmt.Errorf("commit %d does not follow the one before: %w", r.from, sync.ErrDamaged)
	}
	return r.take(s)
}

// take hands on the commits of a segment that are in the range.
func (r *reading) take(s *segment) error {
	if int64(len(s.Commits)) != s.Last-s.ID.First+1 || len(s.Commits) == 0 || s.Commits[len(s.Commits)-1].Hash != s.Hash {
		return fmt.Errorf("segment of commits %d to %d is not whole: %w", s.ID.First, s.Last, sync.ErrDamaged)
	}
	prev := s.Prev
	for i := range s.Commits {
		e, number := &s.Commits[i], uint64(s.ID.First)+uint64(i)
		if number > r.to {
			break
		}
		if number >= r.from {
			c, err := e.commit(number, prev)
			if err != nil {
				return fmt.Errorf("commit %d: %w", number, err)
			}
			if err := r.yield(c); err != nil {
				return err
			}
		}
		prev = e.Hash
	}
	r.prev = &prev
	r.from = uint64(s.Last) + 1
	r.done = r.from > r.to
	return nil
}

// commit reads the entry as the commit of this number after prev.
func (e *entry) commit(number uint64, prev sync.Hash) (*sync.Commit, error) {
	if sync.HashOf(prev, e.Content) != e.Hash {
		return nil, fmt.Errorf("content and hash do not agree: %w", sync.ErrDamaged)
	}
	c, err := sync.DecodeCommit(e.Content)
	if err != nil {
		return nil, err
	}
	if c.Number != number {
		return nil, fmt.Errorf("its content is that of commit %d: %w", c.Number, sync.ErrDamaged)
	}
	c.Prev, c.Hash = prev, e.Hash
	return c, nil
}
