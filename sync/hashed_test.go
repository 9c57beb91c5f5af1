package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// With so few hashes that most numbers share one, hashed gives what a plain
// list gives.
func TestHashedWithCollisions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h, model := newHashed(0), map[uint64][]uint32{}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			hash, n := rapid.Uint64Range(0, 2).Draw(rt, "hash"), rapid.Uint32Range(0, 9).Draw(rt, "number")
			if slices.Contains(model[hash], n) || rapid.Bool().Draw(rt, "remove") {
				h.remove(hash, n)
				model[hash] = without(model[hash], n)
			} else {
				h.add(hash, n)
				model[hash] = append(model[hash], n)
			}
			for hash, want := range model {
				if got := h.all(hash); !slices.Equal(got, want) {
					rt.Fatalf("hash %d has %v, want %v", hash, got, want)
				}
				for n := range uint32(10) {
					if _, ok := h.find(hash, func(m uint32) bool { return m == n }); ok != slices.Contains(want, n) {
						rt.Fatalf("hash %d: found %d: %t", hash, n, ok)
					}
				}
			}
		}
		used, several := 0, 0
		for _, list := range model {
			used += min(len(list), 1)
			several += min(len(list)/2, 1)
		}
		if len(h.first) != used || len(h.more) != several {
			rt.Fatalf("%d and %d entries, want %d and %d", len(h.first), len(h.more), used, several)
		}
	})
}

// Texts stay what they were, however many come after them.
func TestTexts(t *testing.T) {
	t.Parallel()
	var kept texts
	var want, got []string
	for i := range 5000 {
		s := strings.Repeat("é", i%40) + fmt.Sprint(i)
		if i%1000 == 999 {
			s = strings.Repeat("long ", textBlock/4)
		}
		want, got = append(want, s), append(got, kept.keep(s))
	}
	if !slices.Equal(want, got) {
		t.Fatal("texts have changed")
	}
}

// Links come out as they went in.
func TestLinksPacked(t *testing.T) {
	t.Parallel()
	numbers := rapid.SliceOfN(rapid.Uint32(), 0, 4)
	rapid.Check(t, func(rt *rapid.T) {
		in := &links{
			open:   rapid.Bool().Draw(rt, "open"),
			unique: rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(rt, "unique"),
			refs:   numbers.Draw(rt, "refs"),
		}
		for range rapid.IntRange(0, 3).Draw(rt, "grants") {
			in.grants = append(in.grants, grant{
				always: rapid.Bool().Draw(rt, "always"), start: rapid.Int64().Draw(rt, "start"), end: rapid.Int64().Draw(rt, "end"),
				holders: numbers.Draw(rt, "holders"), scopes: numbers.Draw(rt, "scopes"), of: numbers.Draw(rt, "of"),
			})
		}
		out, err := unpackLinks(in.pack())
		if err != nil || fmt.Sprint(*out) != fmt.Sprint(*in) {
			rt.Fatalf("%+v, %v, want %+v", out, err, in)
		}
	})
}
