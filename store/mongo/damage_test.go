package mongo

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// TestDamage changes what is stored, and reads all of it.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(s *segment, j *journal, t *testing.T){
		"content":   func(s *segment, _ *journal, _ *testing.T) { s.Commits[1].Content[40] ^= 1 },
		"hash":      func(s *segment, _ *journal, _ *testing.T) { s.Commits[1].Hash[0] ^= 1 },
		"last hash": func(s *segment, _ *journal, _ *testing.T) { s.Commits[2].Hash[0] ^= 1 },
		"link":      func(s *segment, _ *journal, _ *testing.T) { s.Prev[0] ^= 1 },
		"another's": func(s *segment, _ *journal, _ *testing.T) {
			*s = *newSegment(s.ID.History, follow(sync.Head{Number: 3}, 3))
		},
		"order":           func(s *segment, _ *journal, _ *testing.T) { s.Commits[0], s.Commits[1] = s.Commits[1], s.Commits[0] },
		"commit lost":     func(s *segment, _ *journal, _ *testing.T) { s.Commits = s.Commits[1:] },
		"commits lost":    func(s *segment, _ *journal, _ *testing.T) { s.Commits = nil },
		"content missing": func(s *segment, _ *journal, _ *testing.T) { s.Commits[0].Content = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, mongotest.Database(t))
			damaged := damagedJournal(t, s)
			damage(damaged, s.journal, t)
			_, err := s.journal.segments.ReplaceOne(t.Context(), byID(damaged.ID), damaged)
			must(t, err)
			isDamaged(t, s)
		})
	}
	t.Run("segment lost", func(t *testing.T) {
		t.Parallel()
		s := opened(t, mongotest.Database(t))
		_, err := s.journal.segments.DeleteOne(t.Context(), byID(damagedJournal(t, s).ID))
		must(t, err)
		isDamaged(t, s)
	})
	t.Run("other type", func(t *testing.T) {
		t.Parallel()
		s := opened(t, mongotest.Database(t))
		_, err := s.journal.segments.UpdateOne(t.Context(), byID(damagedJournal(t, s).ID),
			bson.D{{Key: "$set", Value: bson.D{{Key: "commits.0.content", Value: 7}}}})
		must(t, err)
		isDamaged(t, s)
	})
}

// damagedJournal makes a journal of three segments of three commits and gives
// the second, to be damaged.
func damagedJournal(t *testing.T, s *Store) *segment {
	t.Helper()
	commits := follow(sync.Head{}, 9)
	for i := 0; i < 9; i += 3 {
		must(t, s.Append(t.Context(), "w", commits[i:i+3]))
	}
	history, err := s.names.find(t.Context(), "w")
	must(t, err)
	return newSegment(history, commits[3:6])
}

func isDamaged(t *testing.T, s *Store) {
	t.Helper()
	for _, from := range []uint64{1, 4} {
		got := uint64(0)
		err := s.Journal(t.Context(), "w", from, 0, func(c *sync.Commit) error {
			got = c.Number
			return nil
		})
		if !errors.Is(err, sync.ErrDamaged) || got >= 9 {
			t.Errorf("reading from %d came to commit %d and gave %v", from, got, err)
		}
	}
}

// TestCheckpointBrokenOff: the process ends while a checkpoint is being saved.
// The one before is whole, and what was left behind goes with the next.
func TestCheckpointBrokenOff(t *testing.T) {
	t.Parallel()
	s := opened(t, mongotest.Database(t))
	ctx := t.Context()
	head, _ := add(t, s, "w", sync.Head{}, 1)
	must(t, s.SaveCheckpoint(ctx, "w", head, [][]byte{[]byte("a"), []byte("b")}))
	history, err := s.names.find(ctx, "w")
	must(t, err)
	c := s.checkpoints(history)
	generation, err := c.begin(ctx)
	must(t, err)
	_, err = c.rows.InsertOne(ctx, chunk{c.at(generation, 0), []byte("half")})
	must(t, err)
	if got, chunks, err := s.LoadCheckpoint(ctx, "w"); err != nil || got != head || len(chunks) != 2 {
		t.Fatalf("the checkpoint is %v, %q, %v", got, chunks, err)
	}
	must(t, s.SaveCheckpoint(ctx, "w", head, [][]byte{[]byte("c")}))
	if n, err := c.rows.CountDocuments(ctx, bson.D{}); err != nil || n != 2 {
		t.Errorf("%d documents are left, %v", n, err)
	}
	_, err = c.rows.DeleteOne(ctx, byID(c.at(generation+1, 0)))
	must(t, err)
	if _, _, err := s.LoadCheckpoint(ctx, "w"); !errors.Is(err, sync.ErrDamaged) {
		t.Errorf("a checkpoint without its chunk gave %v", err)
	}
}
