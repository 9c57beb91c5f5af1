package mongo

import (
	"time"

	"github.com/enroute-field/enroute/sync"
)

// job is what a worker does next for a history.
type job struct {
	history string
	meet    bool        // read the marks; nothing else can be done before
	sides   [sides]span // commits to project; empty: none
	make    string
	old     []mark // makes to remove
}

// span of commits, both ends included.
type span struct{ from, to uint64 }

func (s span) empty() bool { return s.from == 0 }

// Projecting competes with appends, for the database at least. So while they
// come a history rests after each turn, for several times as long as that took;
// not when a query waits for it.
const (
	recently  = 100 * time.Millisecond // after an append others are expected
	restShare = 4                      // rests per turn
	restLeast = 50 * time.Millisecond  // so that commits gather
)

// next finds work, and marks its history as busy. Where there is none yet,
// wait is how long until there is some; 0: until somebody tells.
func (p *progress) next() (j *job, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, 0
	}
	for history, t := range p.of {
		j := t.job(history)
		if j == nil || t.busy {
			continue
		}
		if left := time.Until(t.due); t.waiting == 0 && left > 0 {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		t.busy = true
		p.nudge() // there may be work for another
		return j, 0
	}
	return nil, wait
}

// job of a history; nil when there is nothing to do.
func (t *track) job(history string) *job {
	j := &job{history: history, make: t.make}
	if !t.met {
		j.meet = true
		if t.errs[ofDocuments] != nil && t.errs[ofLists] != nil || t.head == 0 && t.waiting == 0 {
			return nil
		}
		return j
	}
	some := false
	for s := range sides {
		if t.upto[s] < t.head && t.errs[s] == nil {
			j.sides[s] = span{t.upto[s] + 1, t.head}
			some = true
		}
	}
	if !some && len(t.old) > 0 && t.upto[ofLists] >= t.head && t.errs[ofLists] == nil {
		j.old, some = t.old, true
	}
	if !some {
		return nil
	}
	return j
}

// pendingFrom gives what is pending of a history from a number on.
func (p *progress) pendingFrom(history string, number uint64) []*sync.Commit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.track(history).pending.from(number)
}

// removed hears that makes of no use are gone.
func (p *progress) removed(history string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.track(history).old = nil
}

// done hears that a worker has left a history.
func (p *progress) done(history string, worked time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(history)
	t.busy, t.due = false, time.Time{}
	if time.Since(t.append) < recently {
		t.due = time.Now().Add(max(restShare*worked, restLeast))
	}
	p.changed()
	p.nudge()
}
