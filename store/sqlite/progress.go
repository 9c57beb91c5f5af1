package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// progress tells how far the projections of each workspace are, and lets
// queries wait until they are far enough.
type progress struct {
	mu      sync.Mutex
	of      map[int64]*track
	gone    map[int64]bool // dropped histories; true while there are lists of them
	last    time.Time      // of the newest append
	closed  bool
	waiting int           // queries that wait
	moved   chan struct{} // closed, and made anew, whenever something changes
	wake    chan struct{} // tells the projector that there is work
}

// track is one workspace's progress.
type track struct {
	head, projected uint64
	err             error // the last attempt failed; nil: none, or worth another
	last            error // of the last attempt that failed
	failures        int
}

// job is what the projector does next.
type job struct {
	ws       int64
	from, to uint64
	drop     bool // remove what there is of a dropped history
}

// errDropped is of queries that had begun when the history they were for was
// dropped.
var errDropped = errors.New("the history was dropped meanwhile")

func newProgress() *progress {
	return &progress{of: map[int64]*track{}, gone: map[int64]bool{}, moved: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// track of a workspace; the caller holds mu.
func (p *progress) track(ws int64) *track {
	t := p.of[ws]
	if t == nil {
		t = &track{}
		p.of[ws] = t
	}
	return t
}

// appended hears of a new head.
func (p *progress) appended(ws int64, head uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(ws)
	t.head, t.err = max(t.head, head), nil
	p.last = time.Now()
	p.nudge()
}

// behind is how many commits, of all workspaces, are not projected yet.
func (p *progress) behind() (commits uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.of {
		commits += t.head - t.projected
	}
	return commits
}

func (p *progress) lastAppend() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// projected hears that the projections show all commits up to number.
func (p *progress) projected(ws int64, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, gone := p.gone[ws]; !gone {
		p.track(ws).projected = number
	}
	p.changed()
}

// dropped hears of all histories that were ever dropped.
func (p *progress) dropped(all []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ws := range all {
		if _, known := p.gone[ws]; known {
			continue
		}
		p.gone[ws] = true
		if t := p.of[ws]; t != nil { // frees who waits
			t.last = errDropped
			t.failures++
		}
		delete(p.of, ws)
	}
	p.changed()
	p.nudge()
}

// isGone says whether a history was dropped.
func (p *progress) isGone(ws int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, gone := p.gone[ws]
	return gone
}

// cleared hears that nothing is left of a dropped history.
func (p *progress) cleared(ws int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[ws] = false
	p.changed()
}

// failed hands an error to the queries that wait for the workspace. The work
// is tried again when somebody asks or appends.
func (p *progress) failed(ws int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, gone := p.gone[ws]; gone {
		p.gone[ws] = false // the next opening tries again
		return
	}
	t := p.track(ws)
	t.err, t.last = err, err
	t.failures++
	p.changed()
}

// close frees who waits.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed()
}

// next finds work.
func (p *progress) next() (job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ws, t := range p.of {
		if t.projected < t.head && t.err == nil {
			return job{ws: ws, from: t.projected + 1, to: t.head}, true
		}
	}
	for ws, left := range p.gone {
		if left {
			return job{ws: ws, drop: true}, true
		}
	}
	return job{}, false
}

func (p *progress) urgent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting > 0
}

// reach waits until the projections of a workspace show its commit number.
func (p *progress) reach(ctx context.Context, ws int64, number uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, gone := p.gone[ws]; gone {
		return errDropped
	}
	t := p.track(ws)
	if number > t.head {
		return fmt.Errorf("commit %d is asked for, the head is %d", number, t.head)
	}
	t.err = nil
	failures := t.failures
	for t.projected < number {
		if p.closed {
			return ErrClosed
		}
		if t.failures > failures {
			return fmt.Errorf("bring lists up to date: %w", t.last)
		}
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("bring lists up to date: %w", err)
		}
	}
	return nil
}

// wait for a change, without holding mu.
func (p *progress) wait(ctx context.Context) error {
	moved := p.moved
	p.waiting++
	p.nudge()
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.waiting--
	}()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// changed wakes all who wait; the caller holds mu.
func (p *progress) changed() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// nudge the projector.
func (p *progress) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
