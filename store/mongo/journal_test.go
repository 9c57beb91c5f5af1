package mongo

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// TestInsideSegments reads every range of a journal whose segments have
// several commits, and repeats every part of it.
func TestInsideSegments(t *testing.T) {
	t.Parallel()
	s := opened(t, mongotest.Database(t))
	all := follow(sync.Head{}, 8)
	for part := range slices.Values([][]*sync.Commit{all[:1], all[1:4], all[4:8]}) {
		must(t, s.Append(t.Context(), "w", part))
	}
	for from := uint64(1); from <= 9; from++ {
		for to := from; to <= 9; to++ {
			want := all[from-1 : min(to, 8)]
			var got []*sync.Commit
			must(t, s.Journal(t.Context(), "w", from, to, func(c *sync.Commit) error {
				got = append(got, c)
				return nil
			}))
			same := func(a, b *sync.Commit) bool { return a.Hash == b.Hash && a.Prev == b.Prev && a.Number == b.Number }
			if !slices.EqualFunc(got, want, same) {
				t.Errorf("from %d to %d gave %d commits", from, to, len(got))
			}
			if len(want) > 0 {
				must(t, s.Append(t.Context(), "w", want))
			}
		}
	}
	isJournal(t, s, "w", all...)
}

// TestManySegments reads a journal that does not come in one answer, and as
// many outcomes.
func TestManySegments(t *testing.T) {
	t.Parallel()
	s := opened(t, mongotest.Database(t))
	first := after(sync.Head{})
	must(t, s.Append(t.Context(), "w", []*sync.Commit{first}))
	history, err := s.names.find(t.Context(), "w")
	must(t, err)
	all := append([]*sync.Commit{first}, follow(headOf(first), 2*windowSegments)...)
	var rest []*segment
	for _, c := range all[1:] {
		rest = append(rest, newSegment(history, []*sync.Commit{c}))
	}
	_, err = s.journal.segments.InsertMany(t.Context(), rest)
	must(t, err)
	isJournal(t, s, "w", all...)
	refs, err := s.Outcomes(t.Context(), "w", ids(all[100:400]...))
	if err != nil || len(refs) != 300 {
		t.Fatalf("found %d outcomes, %v", len(refs), err)
	}
	for _, ref := range refs {
		if ref.ID != all[ref.Commit-1].Outcomes[0].ID {
			t.Fatalf("commit %d has another outcome", ref.Commit)
		}
	}
}

// TestLargestAppend: the most that may be appended at once fits into one
// document, even when all of it is outcomes, of which most is kept twice.
func TestLargestAppend(t *testing.T) {
	t.Parallel()
	var commits []*sync.Commit
	head, size := sync.Head{}, 0
	for {
		c := after(head)
		c.Changes, c.Outcomes[0].User = nil, ""
		c.Outcomes = slices.Repeat(c.Outcomes, sync.MaxMutations)
		c.Seal()
		if size += len(c.Encode()); size > sync.MaxAppendBytes {
			break
		}
		commits, head = append(commits, c), headOf(c)
	}
	document, err := bson.Marshal(newSegment(bson.NewObjectID().Hex(), commits))
	if err != nil || len(document) > maxDocument {
		t.Errorf("%d commits need %d bytes, %v", len(commits), len(document), err)
	}
}

// TestFollowing compares prefixes and ranges of all short texts, of letters
// around the places where the order of letters has its gaps and its end.
func TestFollowing(t *testing.T) {
	t.Parallel()
	texts := []string{""}
	for from := range slices.Values([]int{0, 1}) {
		for _, text := range texts[from:] {
			for _, letter := range []rune{'/', 'a', 'b', 'é', 0xD7FF, 0xE000, 0xFFFD, 0x10FFFE, 0x10FFFF} {
				texts = append(texts, text+string(letter))
			}
		}
	}
	for _, prefix := range texts {
		next, ok := following(prefix).(string)
		for _, s := range texts {
			if in := s >= prefix && (!ok || s < next); in != strings.HasPrefix(s, prefix) {
				t.Errorf("%q is in [%q, %q): %t", s, prefix, next, in)
			}
		}
	}
}
