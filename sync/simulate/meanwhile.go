package simulate

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

// readMeanwhile lets devices pull while an append is under way. Then it
// arrives, or a crash loses it: what it was to bring nobody may have seen.
func (w *world) readMeanwhile(ctx context.Context) error {
	e := w.prepareDesk()
	if e == nil || w.server.failing() || !w.sameDay() || e.about("workspaceSettings") {
		return nil // what has to move the date first waits for the append
	}
	e.Key = uuid.Nil // nobody asks again
	n := w.server.holder()
	if err := w.server.began(ctx); err != nil {
		return tolerable(err)
	}
	e.at = n
	h := n.disk.hold()
	written := make(chan error, 1)
	go func() { written <- w.write(ctx, e) }()
	select {
	case err := <-written: // it came to nothing
		n.disk.release(h)
		return err
	case <-h.begun:
	}
	err := w.pullSome(ctx)
	if w.chance(60) {
		w.count("read during an append")
		n.disk.release(h)
		return errors.Join(err, <-written)
	}
	return errors.Join(err, w.loseAppend(ctx, n, h, written))
}

// loseAppend is a crash before an append had its effect.
func (w *world) loseAppend(ctx context.Context, n *node, h *hold, written <-chan error) error {
	w.logf("crash before it is appended")
	w.count("append lost in a crash")
	n.disk.die(true)
	n.disk.release(h)
	err := w.server.crash(ctx, n)
	err = errors.Join(err, <-written)
	n.disk.die(false)
	return err
}

// pullSome lets a few devices pull, and looks at what they were given.
func (w *world) pullSome(ctx context.Context) error {
	const few = 3
	for range few {
		p := pick(w, w.online())
		if p == nil || w.server.many() && p.astray() {
			continue
		}
		if _, err := p.dev.PullPage(ctx); tolerable(err) != nil {
			return err
		}
	}
	return w.read(ctx)
}

// astray says whether the device has a cursor of a history that was lost. One
// above the head makes a node read on, which it cannot during an append.
func (p *phone) astray() bool {
	cursor := p.dev.Condition().Cursor
	_, known := p.given[cursor]
	return cursor != "" && !known
}

// about says whether an errand changes a document of the kind.
func (e *errand) about(kind string) bool {
	return slices.ContainsFunc(e.Mutations, func(m sync.Mutation) bool { return m.Kind == kind })
}
