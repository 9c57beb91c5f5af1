package simulate

import (
	"os"
	"slices"
	"testing"
)

// Where nothing happens at once a history is the same each time it is played:
// what was found can be found again. A step that is left out changes nothing
// of what the others draw.
func TestHistoriesRepeat(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 2; seed++ {
		steps := oneByOne(Steps(seed, 80, 1))
		whole := lines(t, seed, steps)
		if again := lines(t, seed, steps); !slices.Equal(whole, again) {
			t.Errorf("seed %d: line %d differs when it is played again", seed, common(whole, again))
		}
		fewer := slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return s.Do == "look at a list" })
		if got := lines(t, seed, fewer); len(fewer) == len(steps) || !slices.Equal(whole, got) {
			t.Errorf("seed %d: line %d differs where nobody looks at lists", seed, common(whole, got))
		}
	}
}

// lines are what a history tells.
func lines(t *testing.T, seed uint64, steps []Step) []string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "simulate-")
	if err != nil {
		dir = t.TempDir()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := newWorld(t.Context(), Config{Seed: seed, Steps: steps, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.play(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.server.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w.history
}

// common counts the lines with which both begin.
func common(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
