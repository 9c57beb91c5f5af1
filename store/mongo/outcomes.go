package mongo

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/enroute-field/enroute/sync"
)

// Outcomes implements sync.Store. They are read from the commits themselves;
// of a mutation that has several the first counts.
func (s *Store) Outcomes(ctx context.Context, workspace string, ids []uuid.UUID) (out []sync.OutcomeRef, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.in(ctx, workspace, func(history string) error {
		found := search{tags: make(map[int64]bool, len(ids)), refs: make(map[uuid.UUID]*sync.OutcomeRef, len(ids))}
		for _, id := range ids {
			found.tags[tag(history, id)] = true
			found.refs[id] = nil
		}
		if err := s.journal.outcomes(ctx, history, &found); err != nil {
			return fmt.Errorf("read %d outcomes of %s: %w", len(ids), workspace, err)
		}
		for _, ref := range found.refs {
			if ref != nil {
				out = append(out, *ref)
			}
		}
		return nil
	})
	return out, err
}

// search for outcomes.
type search struct {
	tags map[int64]bool
	refs map[uuid.UUID]*sync.OutcomeRef // nil: not found yet
}

func (j *journal) outcomes(ctx context.Context, history string, found *search) error {
	tags := make([]int64, 0, len(found.tags))
	for t := range found.tags {
		tags = append(tags, t)
	}
	cur, err := find(ctx, j.db, query{
		from:   j.segments.Name(),
		filter: bson.D{{Key: "commits.tags", Value: bson.D{{Key: "$in", Value: tags}}}},
	})
	if err != nil {
		return err
	}
	defer func() { _ = cur.Close(ctx) }() // its error is in Err
	for cur.Next(ctx) {
		var s segment
		if err := cur.Decode(&s); err != nil {
			return fmt.Errorf("%w: %w", sync.ErrDamaged, err)
		}
		if s.ID.History != history {
			continue // with the same tag by chance
		}
		if err := found.in(&s); err != nil {
			return err
		}
	}
	return cur.Err()
}

// in looks through the commits of a segment that have one of the tags.
func (f *search) in(s *segment) error {
	prev := s.Prev
	for i := range s.Commits {
		e, number := &s.Commits[i], uint64(s.ID.First)+uint64(i)
		if slices.ContainsFunc(e.Tags, func(t int64) bool { return f.tags[t] }) {
			c, err := e.commit(number, prev)
			if err != nil {
				return fmt.Errorf("commit %d: %w", number, err)
			}
			f.add(c)
		}
		prev = e.Hash
	}
	return nil
}

func (f *search) add(c *sync.Commit) {
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		if ref, asked := f.refs[o.ID]; asked && (ref == nil || ref.Commit > c.Number) {
			f.refs[o.ID] = &sync.OutcomeRef{ID: o.ID, Digest: o.Digest, Commit: c.Number}
		}
	}
}
