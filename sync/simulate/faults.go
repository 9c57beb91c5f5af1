package simulate

import (
	"math/rand/v2"
	stdsync "sync"
	"time"

	"github.com/enroute-field/enroute/store/faulty"
)

// disk decides, call by call, what goes wrong at the store, and counts calls.
type disk struct {
	mu    stdsync.Mutex
	rng   *rand.Rand
	bad   bool // calls may fail
	row   int  // failures without a success between them
	calls int
	late  *stragglers
	held  *hold // for the next append
	dead  bool  // no append arrives any more
	count func(what string)
}

// mostInARow bounds how often calls fail one after another, so that nobody
// waits for long.
const mostInARow = 3

// stragglers are appends that have not come yet, of all nodes: they come with
// the next append, whoever makes it.
type stragglers struct {
	mu   stdsync.Mutex
	list []chan struct{}
}

func (s *stragglers) add(ch chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, ch)
}

func (s *stragglers) come() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.list {
		close(ch)
	}
	s.list = nil
}

// delay is how long a slow call takes.
const delay = 100 * time.Microsecond

// begin is a new step, which has its own chance.
func (d *disk) begin(rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rng = rng
}

// plan is what happens to one call.
func (d *disk) plan(call string) faulty.Mode {
	if call == "Append" {
		d.wait()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if call == "Append" {
		if d.dead {
			return faulty.Mode{Kind: faulty.FailBefore}
		}
		d.late.come()
	}
	if !d.bad || d.row >= mostInARow || d.rng.IntN(100) < 50 {
		d.row = 0
		return faulty.Mode{}
	}
	d.row++
	kinds := []faulty.Kind{faulty.FailBefore, faulty.Delay}
	if call == "Append" {
		kinds = []faulty.Kind{faulty.FailBefore, faulty.FailAfter, faulty.UnknownDone, faulty.UnknownUndone, faulty.Delay, faulty.Late}
	}
	k := kinds[d.rng.IntN(len(kinds))]
	d.count("store " + call + ": " + k.String())
	return faulty.Mode{Kind: k, Until: d.until(k)}
}

// until is when a call goes on: a slow one soon, a late append together with
// its repetition.
func (d *disk) until(k faulty.Kind) <-chan struct{} {
	if k != faulty.Delay && k != faulty.Late {
		return nil
	}
	ch := make(chan struct{})
	if k == faulty.Late {
		d.late.add(ch)
	} else {
		time.AfterFunc(delay, func() { close(ch) })
	}
	return ch
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
	return d.bad || d.dead
}

// hold makes an append wait.
type hold struct {
	begun chan struct{} // closed when it is there
	end   chan struct{} // closed to let it go on
}

// hold back the next append.
func (d *disk) hold() *hold {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = &hold{begun: make(chan struct{}), end: make(chan struct{})}
	return d.held
}

// release what is held back, or would be.
func (d *disk) release(h *hold) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = nil
	close(h.end)
}

// wait as long as an append is held back.
func (d *disk) wait() {
	d.mu.Lock()
	h := d.held
	d.held = nil
	d.mu.Unlock()
	if h != nil {
		close(h.begun)
		<-h.end
	}
}

// die lets no append arrive, or again all.
func (d *disk) die(dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = dead
}

// called counts the calls so far.
func (d *disk) called() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}
