package sqlite

import "sync"

// lane lets one at a time write to the file: appends go first, but now and
// then the projector gets a turn between them, sooner when a query waits for
// it.
type lane struct {
	mu      sync.Mutex
	free    *sync.Cond
	busy    bool
	appends int // that wait
	passed  int // appends since the projector's last turn
	owed    int // how many may pass a projector that waits; 0: none waits
}

// How many appends go before a projector that waits.
const (
	patience       = 8
	patienceUrgent = 1
)

func newLane() *lane {
	l := &lane{}
	l.free = sync.NewCond(&l.mu)
	return l
}

// enter waits for an append's turn; leave gives it back.
func (l *lane) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appends++
	for l.busy || l.owed > 0 && l.passed >= l.owed {
		l.free.Wait()
	}
	l.appends--
	l.passed++
	l.busy = true
}

// enterBehind waits for a turn of the projector.
func (l *lane) enterBehind(urgent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed = patience
	if urgent {
		l.owed = patienceUrgent
	}
	for l.busy || l.appends > 0 && l.passed < l.owed {
		l.free.Wait()
	}
	l.owed = 0
	l.passed = 0
	l.busy = true
}

func (l *lane) leave() {
	l.mu.Lock()
	l.busy = false
	l.mu.Unlock()
	l.free.Broadcast()
}
