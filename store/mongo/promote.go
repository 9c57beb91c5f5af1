package mongo

import (
	"context"
	"fmt"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/sync"
)

// promotion of a staged history. Its steps are taken one after the other, each
// of them a change of one document that is made once, however often it is
// tried; so it can be gone on with wherever it was broken off:
//
//	mark   the staged name says which workspace's it is about to take, so
//	       that nobody drops the history that the next step decides for
//	close  the old history ends with a segment that names the successor: from
//	       here on nobody can append to it, and no other promotion can win
//	move   the workspace's name stands for the new history
//	bury   what lay beside the old history, and its commits, are removed
//	unname the staged name is removed
type promotion struct {
	s                 *Store
	staged, workspace string
	next, old         string // histories
}

// Promote implements sync.Store.
func (s *Store) Promote(ctx context.Context, staged, workspace string, was sync.Head) error {
	if !sync.IsStaged(staged) || sync.IsStaged(workspace) {
		return fmt.Errorf("promote %s to %s: not a staged history and a workspace", staged, workspace)
	}
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	defer s.names.forget(staged, workspace)
	p := promotion{s: s, staged: staged, workspace: workspace}
	if err := p.run(ctx, was); err != nil {
		return fmt.Errorf("promote %s to %s: %w", staged, workspace, err)
	}
	return nil
}

func (p *promotion) run(ctx context.Context, was sync.Head) error {
	moved, err := p.look(ctx)
	if err != nil {
		return err
	}
	if !moved {
		if err := p.mark(ctx); err != nil {
			return err
		}
		if err := p.close(ctx, was); err != nil {
			return err
		}
		if err := p.move(ctx); err != nil {
			return err
		}
	}
	return p.finish(ctx)
}

// look where it stands: whether the name has moved already.
func (p *promotion) look(ctx context.Context) (moved bool, err error) {
	row, err := p.s.names.row(ctx, p.staged)
	if err != nil {
		return false, err
	}
	if row == nil {
		return false, sync.ErrMissing
	}
	p.next = row.History
	if p.old, err = p.s.names.make(ctx, p.workspace); err != nil {
		return false, err
	}
	if p.old == p.next {
		p.old = row.Old
		return true, nil
	}
	head, err := p.s.journal.newest(ctx, p.next)
	if err == nil && head.Number == 0 {
		err = sync.ErrMissing
	}
	return false, err
}

// isStaged is the row of the staged name while nobody drops it.
func (p *promotion) isStaged() bson.D {
	return bson.D{{Key: "_id", Value: p.staged}, {Key: "h", Value: p.next}, {Key: "gone", Value: bson.D{{Key: "$exists", Value: false}}}}
}

func (p *promotion) mark(ctx context.Context) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "to", Value: p.workspace}, {Key: "old", Value: p.old}}}}
	ok, err := p.s.names.change(ctx, p.isStaged(), set)
	if err == nil && !ok {
		err = sync.ErrMissing
	}
	return err
}

// close the old history behind the head it should have.
func (p *promotion) close(ctx context.Context, was sync.Head) error {
	s, err := p.s.journal.end(ctx, p.old)
	if err != nil {
		return err
	}
	if head := s.head(); head.Number != was.Number || head.Hash != was.Hash {
		return p.retreat(ctx)
	}
	if !s.isClosed() {
		if s, err = p.s.journal.close(ctx, p.old, s, p.next); err != nil {
			return err
		}
	}
	if !s.isClosed() || s.Successor != p.next {
		return p.retreat(ctx)
	}
	return nil
}

// retreat takes the mark back, since the workspace goes on with another head
// or another history.
func (p *promotion) retreat(ctx context.Context) error {
	unset := bson.D{{Key: "$unset", Value: bson.D{{Key: "to", Value: ""}, {Key: "old", Value: ""}}}}
	if _, err := p.s.names.change(ctx, p.isStaged(), unset); err != nil {
		return err
	}
	return sync.ErrConflict
}

func (p *promotion) move(ctx context.Context) error {
	ok, err := p.s.names.change(ctx,
		bson.D{{Key: "_id", Value: p.workspace}, {Key: "h", Value: p.old}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "h", Value: p.next}}}})
	if err != nil || ok {
		return err
	}
	// Nobody but a promotion of the same history can have moved it.
	now, err := p.s.names.read(ctx, p.workspace)
	if err == nil && now != p.next {
		err = sync.ErrConflict
	}
	return err
}

func (p *promotion) finish(ctx context.Context) error {
	if p.old != "" {
		if err := p.s.bury(ctx, p.old); err != nil {
			return err
		}
	}
	_, err := p.s.names.rows.DeleteOne(ctx, bson.D{{Key: "_id", Value: p.staged}, {Key: "h", Value: p.next}})
	return err
}

// Drop implements sync.Store. One that was broken off is to be repeated.
func (s *Store) Drop(ctx context.Context, staged string) error {
	if !sync.IsStaged(staged) {
		return fmt.Errorf("drop %s: not a staged history", staged)
	}
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	defer s.names.forget(staged)
	if err := s.drop(ctx, staged); err != nil {
		return fmt.Errorf("drop %s: %w", staged, err)
	}
	return nil
}

func (s *Store) drop(ctx context.Context, staged string) error {
	row, err := s.names.row(ctx, staged)
	if err != nil || row == nil {
		return err
	}
	unpromised := bson.D{{Key: "_id", Value: staged}, {Key: "h", Value: row.History}, {Key: "to", Value: bson.D{{Key: "$exists", Value: false}}}}
	ok, err := s.names.change(ctx, unpromised, bson.D{{Key: "$set", Value: bson.D{{Key: "gone", Value: true}}}})
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: %w", sync.ErrConflict, errHalfWay)
	}
	if err := s.journal.shut(ctx, row.History); err != nil {
		return err
	}
	if err := s.bury(ctx, row.History); err != nil {
		return err
	}
	_, err = s.names.rows.DeleteOne(ctx, unpromised)
	return err
}

// bury removes what lies beside a closed history, and its commits. The bare
// segments stay: wherever a writer of the past believes the head to be, the
// place after it is taken.
func (s *Store) bury(ctx context.Context, history string) error {
	if err := s.projections.drop(ctx, history); err != nil {
		return err
	}
	if err := removeUnder(ctx, s.db.Collection("notes"), under("k", "h", history)); err != nil {
		return fmt.Errorf("remove notes: %w", err)
	}
	if err := removeUnder(ctx, s.db.Collection("checkpoints"), under("g", "h", history)); err != nil {
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	return s.journal.strip(ctx, history)
}

// end gives the last segment of a history without its commits; nil if empty.
func (j *journal) end(ctx context.Context, history string) (*segment, error) {
	return j.before(ctx, history, math.MaxInt64, "last", "hash", "at", "closed", "successor")
}

func (s *segment) isClosed() bool { return s != nil && s.Closed }

// close a history behind its last segment, and give what stands there: when a
// rival was faster it is his.
func (j *journal) close(ctx context.Context, history string, last *segment, successor string) (*segment, error) {
	end := &segment{ID: place{history, 1}, Closed: true, Successor: successor}
	if last != nil {
		end.ID.First, end.Last, end.Hash, end.At = last.Last+1, last.Last, last.Hash, last.At
	}
	_, err := j.segments.InsertOne(ctx, end)
	if err != nil && !driver.IsDuplicateKeyError(err) {
		return nil, fmt.Errorf("close the history: %w", err)
	}
	return j.end(ctx, history)
}

// shut closes a history wherever it has got to.
func (j *journal) shut(ctx context.Context, history string) error {
	for {
		last, err := j.end(ctx, history)
		if err != nil || last.isClosed() {
			return err
		}
		if _, err := j.close(ctx, history, last, ""); err != nil {
			return err
		}
	}
}

// strip the segments of a closed history of their commits, some at a time, so
// that no call takes long.
func (j *journal) strip(ctx context.Context, history string) error {
	const some = 200
	for from := uint64(0); ; {
		found, err := findAll[segment](ctx, j.db, query{
			from: j.segments.Name(), filter: between(history, from, math.MaxInt64), sort: byID(1), fields: byID(1), limit: some,
		})
		if err != nil {
			return fmt.Errorf("remove commits: %w", err)
		}
		if len(found) == 0 {
			return nil
		}
		to := uint64(found[len(found)-1].ID.First)
		_, err = j.segments.UpdateMany(ctx, between(history, from, to), bson.D{
			{Key: "$set", Value: bson.D{{Key: "closed", Value: true}}}, {Key: "$unset", Value: bson.D{{Key: "commits", Value: ""}}},
		})
		if err != nil {
			return fmt.Errorf("remove commits: %w", err)
		}
		from = to + 1
	}
}
