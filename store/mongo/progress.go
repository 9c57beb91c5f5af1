package mongo

import (
	"context"
	"fmt"
	stdsync "sync"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// side is one of the two projections that have marks of their own.
type side int

const (
	ofDocuments side = iota // and revisions
	ofLists
	sides
)

// pendingBytes is how much of what is not projected yet is kept in memory, of
// all histories together. What is beyond is read from the journal.
const pendingBytes = 64 << 20

// progress tells how far the projections of each history are, and lets queries
// wait until they are far enough.
type progress struct {
	mu     stdsync.Mutex
	of     map[string]*track
	held   int // bytes of all that is pending
	most   int
	closed bool
	moved  chan struct{} // closed, and made anew, whenever something changes
	wake   chan struct{} // tells a worker that there is work
}

// track is one history's progress.
type track struct {
	met     bool   // the marks have been read since others were seen to write
	head    uint64 // the newest commit that is known of
	base    uint64 // rows of documents are believed once they show this commit
	upto    [sides]uint64
	errs    [sides]error // the last attempt failed; nil: none, or worth another
	last    [sides]error // of the last attempt that failed
	failed  [sides]int
	make    string // of the lists
	old     []mark // makes that are of no use
	pending pending
	busy    bool // a worker is at it
	waiting int  // queries that wait
	append  time.Time
	due     time.Time // not before, unless a query waits
}

func newProgress() *progress {
	return &progress{of: map[string]*track{}, most: pendingBytes, moved: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// track of a history; the caller holds mu.
func (p *progress) track(history string) *track {
	t := p.of[history]
	if t == nil {
		t = &track{}
		p.of[history] = t
	}
	return t
}

// appended hears of commits of this process, in order, perhaps again.
func (p *progress) appended(history string, commits []*sync.Commit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(history)
	for len(commits) > 0 && commits[0].Number <= t.head {
		commits = commits[1:]
	}
	if len(commits) == 0 {
		return
	}
	if before := commits[0].Number - 1; before > t.head || !t.met { // others have written, or may have
		t.met, t.base = false, max(t.base, before)
	}
	t.head, t.errs, t.append = commits[len(commits)-1].Number, [sides]error{}, time.Now()
	size := t.pending.size
	if !t.pending.add(commits, p.most-p.held) {
		t.base = t.head // only rows tell
	}
	p.held += t.pending.size - size
	p.nudge()
}

// others have written up to head.
func (p *progress) others(history string, head uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.track(history); head > t.head {
		t.met, t.head, t.base = false, head, max(t.base, head)
	}
}

// mislaid: the make of the lists is not there any more.
func (p *progress) mislaid(history string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.track(history).met = false
}

// known is the newest commit of a history that is known of.
func (p *progress) known(history string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.track(history).head
}

// meeting takes what the marks say. head is of the journal.
func (p *progress) meeting(history string, m met, head uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(history)
	if first, ok := t.pending.first(); t.make == "" && ok {
		t.base = max(t.base, min(head, first-1))
	} else if t.make == "" {
		t.base = max(t.base, head)
	}
	t.met, t.old, t.head = true, m.old, max(t.head, head)
	t.upto[ofDocuments] = max(t.upto[ofDocuments], m.docs)
	if t.make == m.make {
		m.lists = max(m.lists, t.upto[ofLists])
	}
	t.make, t.upto[ofLists] = m.make, m.lists
	p.forgetPending(t)
	p.changed()
}

// projected hears that a side shows all commits up to number.
func (p *progress) projected(history string, s side, number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(history)
	t.upto[s] = number
	p.forgetPending(t)
	p.changed()
}

// forgetPending what the rows of documents show. Lists that are behind them
// are made from the journal.
func (p *progress) forgetPending(t *track) {
	size := t.pending.size
	t.pending.forget(t.upto[ofDocuments])
	p.held += t.pending.size - size
}

// fail hands an error to the queries that wait for a side. The work is tried
// again when somebody asks or appends.
func (p *progress) fail(history string, s side, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(history)
	t.errs[s], t.last[s] = err, err
	t.failed[s]++
	p.changed()
}

// close frees who waits.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed()
}

// forget a history, once nobody is at it.
func (p *progress) forget(ctx context.Context, history string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.track(history).busy {
		if err := p.wait(ctx, p.track(history)); err != nil {
			return fmt.Errorf("forget a history: %w", err)
		}
	}
	p.held -= p.of[history].pending.size
	delete(p.of, history)
	return nil
}

// overlay gives the versions that are pending, and the keys that rows tell of.
func (p *progress) overlay(history string, keys []sync.Key) (found []sync.Version, rest []sync.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.track(history).pending.find(keys)
}

// believable waits until rows of documents may be believed, where nothing
// newer is pending.
func (p *progress) believable(ctx context.Context, history string) error {
	_, err := p.until(ctx, history, ofDocuments, func(t *track) bool { return t.met && t.upto[ofDocuments] >= t.base })
	return err
}

// reach waits until a side shows the commit number, and gives the make of the
// lists.
func (p *progress) reach(ctx context.Context, history string, s side, number uint64) (string, error) {
	return p.until(ctx, history, s, func(t *track) bool { return t.met && t.upto[s] >= number })
}

func (p *progress) until(ctx context.Context, history string, s side, done func(*track) bool) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.track(history)
	t.errs[s] = nil
	failed := t.failed[s]
	for ; !done(t); t = p.track(history) { // which may have been forgotten meanwhile
		if p.closed {
			return "", ErrClosed
		}
		if t.failed[s] > failed {
			return "", fmt.Errorf("bring projections up to date: %w", t.last[s])
		}
		if err := p.wait(ctx, t); err != nil {
			return "", fmt.Errorf("bring projections up to date: %w", err)
		}
	}
	return t.make, nil
}

// wait for a change, without holding mu.
func (p *progress) wait(ctx context.Context, t *track) error {
	moved := p.moved
	t.waiting++
	p.nudge()
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		t.waiting--
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

// nudge a worker.
func (p *progress) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
