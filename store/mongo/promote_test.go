package mongo

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

const staged = sync.StagedPrefix + "restore/w"

// TestLateWriters: nobody who has written to a history can write to it after
// another has taken its name, whatever head he believes in, and however much
// of it has been removed.
func TestLateWriters(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	early, late, tool := opened(t, uri), opened(t, uri), opened(t, uri)
	first, _ := add(t, early, "w", sync.Head{}, 3)
	second, _ := add(t, late, "w", first, 3)
	_, next := add(t, tool, staged, sync.Head{}, 2)
	must(t, tool.Promote(t.Context(), staged, "w", second))
	for name, c := range map[string]struct {
		s    *Store
		head sync.Head
	}{"at a head of the past": {early, first}, "at the last head": {late, second}} {
		conflicts(t, name, c.s.Append(t.Context(), "w", []*sync.Commit{after(c.head)}))
		isJournal(t, c.s, "w", next...)
		if head, err := c.s.Head(t.Context(), "w"); err != nil || head != headOf(next[1]) {
			t.Fatalf("%s: the head is %v, %v", name, head, err)
		}
	}
	add(t, early, "w", headOf(next[1]), 1)
	left, err := early.journal.segments.CountDocuments(t.Context(), bson.D{{Key: "commits", Value: bson.D{{Key: "$exists", Value: true}}}})
	if err != nil || left != 3 {
		t.Errorf("%d segments have commits, %v", left, err)
	}
}

// TestPromotionBrokenOff: a process ends after any step of a promotion. Until
// the name has moved the old history is there; nobody can drop the new one;
// promoting again completes it.
func TestPromotionBrokenOff(t *testing.T) {
	t.Parallel()
	steps := []string{"look", "mark", "close", "move", "bury"}
	for n := range steps {
		t.Run(steps[n], func(t *testing.T) {
			t.Parallel()
			uri := mongotest.Database(t)
			s, other := opened(t, uri), opened(t, uri)
			was, old := add(t, s, "w", sync.Head{}, 3)
			_, next := add(t, s, staged, sync.Head{}, 2)
			p := &promotion{s: s, staged: staged, workspace: "w"}
			take := []func(context.Context) error{
				func(ctx context.Context) error { _, err := p.look(ctx); return err },
				p.mark,
				func(ctx context.Context) error { return p.close(ctx, was) },
				p.move,
				func(ctx context.Context) error { return s.bury(ctx, p.old) },
			}
			for _, step := range take[:n+1] {
				must(t, step(t.Context()))
			}
			isBrokenOff(t, other, n, old, next)
			again := opened(t, uri)
			must(t, again.Promote(t.Context(), staged, "w", was))
			isJournal(t, again, "w", next...)
			isJournal(t, again, staged)
			if err := again.Promote(t.Context(), staged, "w", was); !errors.Is(err, sync.ErrMissing) {
				t.Errorf("promoting what is promoted gave %v", err)
			}
			if head, err := other.Head(t.Context(), "w"); err != nil || head != headOf(next[1]) {
				t.Fatalf("others find head %v, %v", head, err)
			}
			add(t, other, "w", headOf(next[1]), 1)
		})
	}
}

// isBrokenOff checks what others see when the steps up to n were taken.
func isBrokenOff(t *testing.T, s *Store, n int, old, next []*sync.Commit) {
	t.Helper()
	want := old
	if n >= 3 {
		want = next
	}
	isJournal(t, s, "w", want...)
	if n >= 2 {
		conflicts(t, "a late append", s.Append(t.Context(), "w", []*sync.Commit{after(headOf(old[2]))}))
	}
	if head, err := s.Head(t.Context(), "w"); err != nil || head != headOf(want[len(want)-1]) {
		t.Fatalf("the head is %v, %v", head, err)
	}
	if n >= 1 {
		conflicts(t, "dropping what is half promoted", s.Drop(t.Context(), staged))
	}
}

// TestPromoteRetreats: a promotion that was refused leaves no trace.
func TestPromoteRetreats(t *testing.T) {
	t.Parallel()
	s := opened(t, mongotest.Database(t))
	was, _ := add(t, s, "w", sync.Head{}, 1)
	head, _ := add(t, s, "w", was, 1)
	add(t, s, staged, sync.Head{}, 1)
	conflicts(t, "promoting over a head that has moved", s.Promote(t.Context(), staged, "w", was))
	add(t, s, "w", head, 1)
	must(t, s.Drop(t.Context(), staged))
	isJournal(t, s, staged)
}

// TestTwoPromotions: of two staged histories one takes the name, and the
// other hears of it.
func TestTwoPromotions(t *testing.T) {
	t.Parallel()
	s := opened(t, mongotest.Database(t))
	was, _ := add(t, s, "w", sync.Head{}, 2)
	const second = staged + "2"
	add(t, s, staged, sync.Head{}, 1)
	_, next := add(t, s, second, sync.Head{}, 3)
	p := &promotion{s: s, staged: staged, workspace: "w"}
	_, err := p.look(t.Context())
	must(t, err)
	must(t, p.mark(t.Context()))
	must(t, s.Promote(t.Context(), second, "w", was))
	conflicts(t, "the slower one", p.close(t.Context(), was))
	conflicts(t, "the slower one again", s.Promote(t.Context(), staged, "w", was))
	isJournal(t, s, "w", next...)
	must(t, s.Promote(t.Context(), staged, "w", headOf(next[2])))
}

// TestSlowPromotion: a process stops before the last step of a promotion, which
// another completes; when it goes on, the name stands for a third history.
func TestSlowPromotion(t *testing.T) {
	t.Parallel()
	s := opened(t, mongotest.Database(t))
	was, _ := add(t, s, "w", sync.Head{}, 1)
	head, _ := add(t, s, staged, sync.Head{}, 1)
	slow := &promotion{s: s, staged: staged, workspace: "w"}
	_, err := slow.look(t.Context())
	must(t, err)
	must(t, slow.mark(t.Context()))
	must(t, slow.close(t.Context(), was))
	must(t, s.Promote(t.Context(), staged, "w", was))
	_, third := add(t, s, staged, sync.Head{}, 2)
	must(t, s.Promote(t.Context(), staged, "w", head))
	conflicts(t, "the slow one", slow.move(t.Context()))
	isJournal(t, s, "w", third...)
}

// TestDropClosesForOthers: a process that goes on writing to what another has
// dropped is not left to believe that it is kept.
func TestDropClosesForOthers(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	writer, tool := opened(t, uri), opened(t, uri)
	head, _ := add(t, writer, staged, sync.Head{}, 2)
	must(t, tool.Drop(t.Context(), staged))
	conflicts(t, "an append", writer.Append(t.Context(), staged, []*sync.Commit{after(head)}))
	_, again := add(t, writer, staged, sync.Head{}, 1)
	isJournal(t, tool, staged, again...)
}
