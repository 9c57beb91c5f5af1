package simulate

import (
	"math/rand/v2"
	stdsync "sync"

	"github.com/enroute-field/enroute/store/faulty"
)

// disk decides, call by call, what goes wrong at the store, and counts calls.
type disk struct {
	mu    stdsync.Mutex
	rng   *rand.Rand
	bad   bool // calls may fail
	row   int  // failures without a success between them
	calls map[string]int
	count func(what string)
}

// mostInARow bounds how often calls fail one after another, so that nobody
// waits for long.
const mostInARow = 3

func newDisk(seed uint64, count func(string)) *disk {
	return &disk{rng: rand.New(rand.NewPCG(seed, 0xd15c)), calls: map[string]int{}, count: count}
}

// plan is what happens to one call.
func (d *disk) plan(call string) faulty.Mode {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[call]++
	if !d.bad || d.row >= mostInARow || d.rng.IntN(100) < 50 {
		d.row = 0
		return faulty.Pass
	}
	modes := []faulty.Mode{faulty.Before}
	if call == "Append" {
		modes = []faulty.Mode{faulty.Before, faulty.After, faulty.UnknownDone, faulty.UnknownNotDone}
	}
	m := modes[d.rng.IntN(len(modes))]
	d.row++
	d.count("store " + call + " " + modeNames[m])
	return m
}

var modeNames = map[faulty.Mode]string{
	faulty.Before: "fails before", faulty.After: "fails after",
	faulty.UnknownDone: "unknown, done", faulty.UnknownNotDone: "unknown, not done",
}

// fail begins or ends a time in which calls may fail.
func (d *disk) fail(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad = on
}

func (d *disk) failing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bad
}

// called counts the calls so far that a request makes; notes are saved by the
// clock on the wall.
func (d *disk) called() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for call, times := range d.calls {
		if call != "SaveNotes" {
			n += times
		}
	}
	return n
}
