package mongo

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	stdsync "sync"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/enroute-field/enroute/sync"
)

// segment is a document of the journal: consecutive commits, appended together.
type segment struct {
	ID      place     `bson:"_id"`
	Last    int64     `bson:"last"` // number of its last commit
	Hash    sync.Hash `bson:"hash"` // of that
	At      int64     `bson:"at"`   // of that, in microseconds since 1970
	Prev    sync.Hash `bson:"prev"` // of the commit before its first
	Commits []entry   `bson:"commits,omitempty"`
	// Closed ends a history: nothing can be appended any more. It has no
	// commits; Last, Hash and At are those of the segment before it. Those
	// before it are stripped of their commits and closed too once a successor
	// has taken the history's place.
	Closed    bool   `bson:"closed,omitempty"`
	Successor string `bson:"successor,omitempty"` // the history that has the workspace's name after it
}

// place of a segment. Documents are compared field by field, so the segments
// of a history lie together, in order.
type place struct {
	History string `bson:"h"`
	First   int64  `bson:"s"` // number of its first commit
}

// entry is one commit of a segment.
type entry struct {
	Hash    sync.Hash `bson:"hash"`
	Content []byte    `bson:"content"`
	Tags    []int64   `bson:"tags,omitempty"` // of the mutations whose outcome it holds
}

// tag finds the outcome of a mutation. It is short, so that an append of
// nothing but outcomes still fits into one document; whether what is found is
// the mutation's, the content tells. It is a hash, so that no device can
// choose ids that are found together.
func tag(history string, id uuid.UUID) int64 {
	h := sha256.Sum256(append([]byte(history), id[:]...))
	return int64(binary.BigEndian.Uint64(h[:]))
}

func newSegment(history string, commits []*sync.Commit) *segment {
	first, last := commits[0], commits[len(commits)-1]
	s := &segment{
		ID: place{history, int64(first.Number)}, Last: int64(last.Number), Hash: last.Hash, At: last.At.UnixMicro(),
		Prev: first.Prev, Commits: make([]entry, len(commits)),
	}
	for i, c := range commits {
		e := &s.Commits[i]
		e.Hash, e.Content = c.Hash, c.Encode()
		for j := range c.Outcomes {
			e.Tags = append(e.Tags, tag(history, c.Outcomes[j].ID))
		}
	}
	return s
}

func (s *segment) head() sync.Head {
	if s == nil || s.Last == 0 {
		return sync.Head{}
	}
	return sync.Head{Number: uint64(s.Last), Hash: s.Hash, At: time.UnixMicro(s.At).UTC()}
}

// journal is the collection of segments.
type journal struct {
	db       *driver.Database
	segments *driver.Collection
	mu       stdsync.Mutex
	heads    map[string]sync.Head // by history, after an own append
}

func newJournal(db *driver.Database) *journal {
	return &journal{db: db, segments: db.Collection("segments"), heads: map[string]sync.Head{}}
}

// between two numbers, both included.
func between(history string, from, to uint64) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: place{history, int64(min(from, math.MaxInt64))}},
		{Key: "$lte", Value: place{history, int64(min(to, math.MaxInt64))}},
	}}}
}

// before gives the segment with the greatest first number up to number,
// with the given fields of it (none: all); nil if there is none.
func (j *journal) before(ctx context.Context, history string, number uint64, fields ...string) (*segment, error) {
	o := options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}})
	if len(fields) > 0 {
		o.SetProjection(only(fields...))
	}
	s, err := one[segment](j.segments.FindOne(ctx, between(history, 0, number), o))
	if err != nil {
		return nil, fmt.Errorf("read segment of commit %d: %w", number, err)
	}
	return s, nil
}

// only these fields, and _id.
func only(fields ...string) bson.D {
	p := make(bson.D, len(fields))
	for i, f := range fields {
		p[i] = bson.E{Key: f, Value: 1}
	}
	return p
}

// newest gives the head of a history.
func (j *journal) newest(ctx context.Context, history string) (sync.Head, error) {
	s, err := j.before(ctx, history, math.MaxInt64, "last", "hash", "at", "closed")
	return s.head(), err
}

// head gives the number of the newest commit of a history.
func (j *journal) head(ctx context.Context, history string) (uint64, error) {
	head, err := j.newest(ctx, history)
	return head.Number, err
}

// errGone: the history is none any more.
var errGone = errors.New("the workspace's history has been replaced")

// commits calls yield for each commit of a history from number from up to and
// with to (0: the end), each checked against its hash.
func (j *journal) commits(ctx context.Context, history string, from, to uint64, yield func(*sync.Commit) error) error {
	if to == 0 {
		to = math.MaxInt64
	}
	r := &reading{from: max(from, 1), to: to, yield: yield}
	if r.from > r.to {
		return nil
	}
	s, err := j.before(ctx, history, r.from)
	if err != nil {
		return err
	}
	if s != nil {
		if err := r.first(s); err != nil || r.done {
			return err
		}
	}
	for !r.done {
		if err := j.window(ctx, history, r); err != nil {
			return err
		}
	}
	return nil
}

// windowSegments is how many segments are asked for at once, at most.
const windowSegments = 512

// window reads on by as many segments as come in one answer.
func (j *journal) window(ctx context.Context, history string, r *reading) error {
	cur, err := find(ctx, j.db, query{
		from: j.segments.Name(), filter: between(history, r.from, r.to), sort: bson.D{{Key: "_id", Value: 1}}, limit: windowSegments,
	})
	if err != nil {
		return fmt.Errorf("read journal from commit %d: %w", r.from, err)
	}
	defer func() { _ = cur.Close(ctx) }() // it is at its end
	any := false
	for !r.done && cur.Next(ctx) {
		any = true
		var s segment
		if err := cur.Decode(&s); err != nil {
			return fmt.Errorf("read segment of commit %d: %w: %w", r.from, sync.ErrDamaged, err)
		}
		if err := r.next(&s); err != nil {
			return err
		}
	}
	if err := cur.Err(); err != nil {
		return fmt.Errorf("read journal from commit %d: %w", r.from, err)
	}
	r.done = r.done || !any
	return nil
}
