package mongo

import (
	"context"
	"errors"
	"fmt"
	stdsync "sync"
	"time"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// Bounds of what one turn projects.
const (
	turnCommits = 500
	turnBytes   = 8 << 20
)

// work until the projections are closed.
func (p *projections) work(ctx context.Context) {
	for ctx.Err() == nil {
		j, wait := p.state.next()
		if j == nil {
			p.idle(ctx, wait)
			continue
		}
		begun := time.Now()
		p.turn(ctx, j)
		p.state.done(j.history, time.Since(begun))
	}
}

// idle until somebody tells of work, or for as long as wait says.
func (p *projections) idle(ctx context.Context, wait time.Duration) {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-p.state.wake:
	}
}

// turn does a job, and tells its errors to who waits.
func (p *projections) turn(ctx context.Context, j *job) {
	if j.meet {
		if err := p.meet(ctx, j.history); err != nil {
			p.fail(ctx, j, ofDocuments, err)
			p.fail(ctx, j, ofLists, err)
		}
		return
	}
	var both stdsync.WaitGroup
	for s := range sides {
		if !j.sides[s].empty() {
			both.Go(func() { p.bring(ctx, j, s) })
		}
	}
	both.Wait()
	if len(j.old) > 0 {
		p.removeOld(ctx, j)
	}
}

// bring a side on.
func (p *projections) bring(ctx context.Context, j *job, s side) {
	err := p.follow(ctx, j, s)
	switch {
	case errors.Is(err, errRetired):
		p.state.mislaid(j.history)
	case err != nil:
		p.fail(ctx, j, s, err)
	}
}

func (p *projections) removeOld(ctx context.Context, j *job) {
	for _, old := range j.old {
		if err := p.marks.retire(ctx, old, p.lists.drop); err != nil {
			p.fail(ctx, j, ofLists, err)
			return
		}
	}
	p.state.removed(j.history)
}

func (p *projections) fail(ctx context.Context, j *job, s side, err error) {
	if ctx.Err() == nil { // else it only says that we are closing
		p.log.Error("projection failed", "history", j.history, "from", j.sides[s].from, "error", err)
	}
	p.state.fail(j.history, s, err)
}

// meet a history: read how far it is, and how far its projections are.
func (p *projections) meet(ctx context.Context, history string) error {
	m, err := p.marks.meet(ctx, history)
	if err != nil {
		return err
	}
	head, err := p.journal.head(ctx, history)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	p.state.meeting(history, m, head)
	return nil
}

// follow projects the next commits of a history to one side.
func (p *projections) follow(ctx context.Context, j *job, s side) error {
	commits, err := p.window(ctx, j.history, j.sides[s])
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	changes, last := listing.Changes(commits), commits[len(commits)-1].Number
	if s == ofDocuments {
		if err := p.docs.write(ctx, j.history, changes); err != nil {
			return err
		}
		err = p.marks.raiseDocuments(ctx, j.history, last)
	} else {
		if err := p.lists.write(ctx, j.make, changes); err != nil {
			return err
		}
		err = p.marks.raiseLists(ctx, j.history, j.make, last)
	}
	if err == nil {
		p.state.projected(j.history, s, last)
	}
	return err
}

// errFull ends the reading of a window.
var errFull = errors.New("enough for one turn")

// window gives the first commits of a span, as many as one turn takes: out of
// memory if they are pending, else from the journal.
func (p *projections) window(ctx context.Context, history string, s span) ([]*sync.Commit, error) {
	var out []*sync.Commit
	size := 0
	add := func(c *sync.Commit) error {
		out = append(out, c)
		if size += bytesOf(c); size >= turnBytes || len(out) == turnCommits || c.Number == s.to {
			return errFull
		}
		return nil
	}
	for _, c := range p.state.pendingFrom(history, s.from) {
		if add(c) != nil {
			break
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	err := p.journal.commits(ctx, history, s.from, min(s.to, s.from+turnCommits-1), add)
	if err != nil && !errors.Is(err, errFull) {
		return nil, err
	}
	if len(out) == 0 || out[0].Number != s.from {
		return nil, fmt.Errorf("commit %d is missing: %w", s.from, sync.ErrDamaged)
	}
	return out, nil
}
