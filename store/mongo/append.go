package mongo

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/enroute-field/enroute/sync"
)

// Append implements sync.Store.
func (s *Store) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := s.append(ctx, workspace, commits); err != nil {
		return fmt.Errorf("append to %s: %w", workspace, err)
	}
	return nil
}

func (s *Store) append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	if err := consecutive(commits); err != nil {
		return err
	}
	history, err := s.historyFor(ctx, workspace, commits[0])
	if err != nil {
		return err
	}
	err = s.journal.append(ctx, history, commits)
	if errors.Is(err, sync.ErrConflict) {
		s.names.forget(workspace)
	}
	if err != nil {
		return err
	}
	s.projections.appended(history, commits)
	return nil
}

// historyFor gives the history to append to. Only a first commit makes one.
func (s *Store) historyFor(ctx context.Context, workspace string, first *sync.Commit) (string, error) {
	if first.Number == 1 {
		return s.names.make(ctx, workspace)
	}
	h, err := s.names.find(ctx, workspace)
	if err == nil && h == "" {
		err = sync.ErrConflict
	}
	return h, err
}

func consecutive(commits []*sync.Commit) error {
	if err := sync.Consecutive(commits); err != nil {
		return err
	}
	if last := commits[len(commits)-1].Number; last >= math.MaxInt64 {
		return fmt.Errorf("number %d is too great", last)
	}
	return nil
}

// maxDocument is how large a document of MongoDB may be.
const maxDocument = 16 << 20

// append inserts the segment. That it is inserted at the number after a head
// is all that keeps rivals apart: see the package's comment.
func (j *journal) append(ctx context.Context, history string, commits []*sync.Commit) error {
	first, last := commits[0], commits[len(commits)-1]
	if head, ok := j.own(history); !ok || !first.Follows(head) {
		head, err := j.newest(ctx, history)
		if err != nil {
			return err
		}
		if !first.Follows(head) {
			return j.standing(ctx, history, last)
		}
	}
	document, err := bson.Marshal(newSegment(history, commits))
	if err != nil {
		return fmt.Errorf("encode segment: %w", err)
	}
	if len(document) > maxDocument {
		return fmt.Errorf("commits %d to %d need %d bytes, a document has at most %d", first.Number, last.Number, len(document), maxDocument)
	}
	_, err = j.segments.InsertOne(ctx, bson.Raw(document))
	switch {
	case err == nil:
		j.advance(history, sync.Head{Number: last.Number, Hash: last.Hash, At: last.At})
		return nil
	case driver.IsDuplicateKeyError(err):
		j.doubt(history)
		return j.taken(ctx, history, first, last)
	}
	j.doubt(history)
	return uncertain(err)
}

// uncertain tells errors after which the segment may be there from those after
// which it is not: of no server to send it to, and of the document itself.
func uncertain(err error) error {
	if _, unsent := errors.AsType[topology.ServerSelectionError](err); unsent {
		return err
	}
	refused, ok := errors.AsType[driver.WriteException](err)
	if ok && len(refused.WriteErrors) > 0 && refused.WriteConcernError == nil {
		return err
	}
	return fmt.Errorf("%w: %w", sync.ErrUnknownOutcome, err)
}

// taken settles an append that found its place taken. What took it may not be
// confirmed by a majority yet, and may never be: then nobody knows.
func (j *journal) taken(ctx context.Context, history string, first, last *sync.Commit) error {
	s, err := j.before(ctx, history, first.Number, "_id")
	if err != nil {
		return err
	}
	if s == nil || s.ID.First != int64(first.Number) {
		return fmt.Errorf("%w: commit %d is there, but not confirmed", sync.ErrUnknownOutcome, first.Number)
	}
	return j.standing(ctx, history, last)
}

// standing is nil when the history has this commit, else ErrConflict. A hash
// covers all before it, so the last commit of an append tells.
func (j *journal) standing(ctx context.Context, history string, last *sync.Commit) error {
	s, err := j.before(ctx, history, last.Number, "last", "commits.hash", "closed")
	if err != nil {
		return err
	}
	if s == nil || s.Closed || s.Last < int64(last.Number) {
		return sync.ErrConflict
	}
	at := int64(last.Number) - s.ID.First
	if at >= int64(len(s.Commits)) {
		return fmt.Errorf("segment of commit %d is not whole: %w", last.Number, sync.ErrDamaged)
	}
	if s.Commits[at].Hash != last.Hash {
		return sync.ErrConflict
	}
	return nil
}

// own gives the head after the last own append. It may be of the past; then
// its successor's place is taken.
func (j *journal) own(history string) (sync.Head, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h, ok := j.heads[history]
	return h, ok
}

func (j *journal) advance(history string, head sync.Head) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.heads[history].Number < head.Number {
		j.heads[history] = head
	}
}

func (j *journal) doubt(history string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.heads, history)
}
