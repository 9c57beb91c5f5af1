package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// quiet lets everything arrive and everybody sync until nothing moves, and
// then compares every device with the model.
func (w *world) quiet(ctx context.Context) error {
	w.server.mend()
	if err := w.server.settle(ctx); err != nil {
		return err
	}
	w.calm = true
	defer func() { w.calm = false }()
	for _, p := range w.phones {
		p.offline = 0
		if err := p.receiveLate(ctx, len(p.late)); err != nil {
			return err
		}
	}
	const mostRounds = 8
	for range mostRounds {
		before := w.model.head
		for _, p := range w.phones {
			if err := w.settle(ctx, p); err != nil {
				return err
			}
		}
		if w.model.head == before {
			w.logf("quiet")
			w.report.Quiet++
			if err := w.compare(ctx); err != nil {
				return err
			}
			return w.checkLists(ctx)
		}
	}
	return violated("convergence", "the head still moves after %d rounds", mostRounds)
}

// settle syncs one device, and measures what that took.
func (w *world) settle(ctx context.Context, p *phone) error {
	c := p.dev.Condition()
	n, exact := p.reached[c.Cursor], p.complete[c.Cursor] && c.Waiting == 0
	head := w.model.head
	p.rows = 0
	var err error
	if c.Waiting == 0 {
		err = w.drain(ctx, p)
	}
	if err == nil {
		err = p.dev.Sync(ctx)
	}
	if bad := w.read(ctx); bad != nil {
		return bad
	}
	if !w.model.active(p.actor.User) {
		return w.checkTurnedAway(p, err)
	}
	if err != nil {
		return violated("convergence", "%s cannot sync: %v", p.actor.Device, err)
	}
	if most := w.model.mostRows(p.actor.User, n); exact && n > 0 && n >= w.horizon() && w.model.head == head && p.rows > most {
		return violated("cost", "%s got %d rows for the step from %d to %d, %d would do", p.actor.Device, p.rows, n, head, most)
	}
	return nil
}

// horizon is a number below which a cursor may be too old, or become so when
// the server next saves its state.
func (w *world) horizon() uint64 {
	now := w.clock.Now()
	for _, n := range w.server.nodes {
		if n.now().After(now) {
			now = n.now()
		}
	}
	for i, at := range w.model.ends {
		if now.Sub(at) < horizon {
			return max(uint64(i)+1, w.model.epoch)
		}
	}
	return w.model.head
}

// checkTurnedAway: somebody who may not sign in is told so.
func (w *world) checkTurnedAway(p *phone, err error) error {
	problem, _ := errors.AsType[*device.Problem](err)
	if problem == nil || problem.Code != string(fault.NotSignedIn) {
		return violated("access", "%s of %s, who may not sign in, was answered %v", p.actor.Device, p.actor.User, err)
	}
	return nil
}

// compare every device with the model.
func (w *world) compare(ctx context.Context) error {
	if earliest, latest := w.today(); w.model.day < earliest || w.model.day > latest {
		return violated("time", "the workspace's date is %s on %s", w.model.day, earliest)
	}
	for _, p := range w.phones {
		if !w.model.active(p.actor.User) {
			continue
		}
		w.report.Compared++
		if err := w.compareOne(p); err != nil {
			return err
		}
		if err := p.checkWork(); err != nil {
			return err
		}
		if err := w.checkIdle(ctx, p); err != nil {
			return err
		}
	}
	return w.checkDelivered()
}

// compareOne: the device's documents are the view, bodies included.
func (w *world) compareOne(p *phone) error {
	view := w.model.view(p.actor.User)
	for _, got := range p.dev.Received() {
		want := view[sync.Key(got.Key)]
		if want == nil {
			return violated("oracle", "%s has %s@%d in %s, which %s does not see at %d", p.actor.Device, got.Key, got.Rev, got.Scope, p.actor.User, w.model.head)
		}
		if got.Rev != want.rev || !bytes.Equal(got.Body, want.body) {
			return violated("oracle", "%s has %s@%d, at %d it is @%d", p.actor.Device, got.Key, got.Rev, w.model.head, want.rev)
		}
		delete(view, want.key)
	}
	for key, d := range view {
		return violated("oracle", "%s lacks %s@%d in %s at %d", p.actor.Device, key, d.rev, d.scope, w.model.head)
	}
	return nil
}

// checkIdle: nothing new costs one page, no row and no call to the store, or
// one where the node does not hold the seat.
func (w *world) checkIdle(ctx context.Context, p *phone) error {
	if w.server.many() { // the node may not have heard of everything yet
		p.at = w.server.next()
		defer func() { p.at = nil }()
		if _, err := p.dev.PullPage(ctx); err != nil {
			return violated("cost", "%s pulls nothing new: %v", p.actor.Device, err)
		}
	}
	before := w.server.called()
	p.rows = 0
	more, err := p.dev.PullPage(ctx)
	if err != nil || more {
		return violated("cost", "%s pulls nothing new: more %v, %v", p.actor.Device, more, err)
	}
	most := 0
	if p.at != nil && p.at != w.server.holder() {
		most = 1 // the head
	}
	if calls := w.server.called() - before; calls > most || p.rows != 0 {
		return violated("cost", "%s pulled nothing new with %d rows and %d calls to the store", p.actor.Device, p.rows, calls)
	}
	return w.read(ctx)
}

// pagesBound is the greatest number of pages that a device with a page limit
// may need while nobody writes: the rest of one step and the whole of another.
func (w *world) pagesBound(p *phone) int {
	if p.limit == 0 {
		return 4
	}
	return 4 + 2*(2*len(w.model.docs)+len(w.model.spans[p.actor.User]))/p.limit
}

// drain pulls page by page until there is no more, within the bound.
func (w *world) drain(ctx context.Context, p *phone) error {
	for n := 0; ; n++ {
		more, err := p.dev.PullPage(ctx)
		if err != nil {
			return fmt.Errorf("drain %s: %w", p.actor.Device, err)
		}
		if !more {
			return nil
		}
		if n > w.pagesBound(p) {
			return violated("pages", "%s was given %d pages and is not at an end", p.actor.Device, n)
		}
	}
}
