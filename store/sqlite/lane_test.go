package sqlite

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestLaneOrder: when all wait at once, appends go first, but the projector
// gets its turn after so many of them.
func TestLaneOrder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		urgent bool
		turn   int // of the projector, from 0
	}{
		"patient": {false, patience},
		"urgent":  {true, patienceUrgent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if got := turns(test.urgent, 2*patience); slices.Index(got, "project") != test.turn {
					t.Errorf("turns were %q, want the projector's to be number %d", got, test.turn)
				}
			})
		})
	}
}

// turns lets so many appends and one projection queue behind a busy lane, and
// gives the order in which they got through. It runs in a synctest bubble.
func turns(urgent bool, appends int) (got []string) {
	l := newLane()
	l.enterBehind(false) // busy until all wait
	var wg sync.WaitGroup
	pass := func(name string, enter func()) {
		wg.Go(func() {
			enter()
			got = append(got, name)
			l.leave()
		})
	}
	for range appends {
		pass("append", l.enter)
	}
	pass("project", func() { l.enterBehind(urgent) })
	synctest.Wait()
	l.leave()
	wg.Wait()
	return got
}
