package simulate

import (
	"os"
	"slices"
	"testing"
)

// Where nothing happens at once a history is the same each time it is played:
// what was found can be found again. A step left out leaves those before it
// as they were.
func TestHistoriesRepeat(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 2; seed++ {
		steps := oneByOne(Steps(seed, 150))
		whole := lines(t, seed, steps)
		if again := lines(t, seed, steps); !slices.Equal(whole, again) {
			t.Errorf("seed %d: line %d differs when it is played again", seed, common(whole, again))
		}
		fewer := lines(t, seed, slices.Delete(slices.Clone(steps), 100, 101))
		if n := common(whole, fewer); n < len(whole) && whole[n][:4] < " 101" {
			t.Errorf("seed %d: without step 101 line %d differs: %s", seed, n, whole[n])
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
