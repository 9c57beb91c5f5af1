package simulate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

// everybodyAtOnce lets devices sync and consoles write at the same moment, so
// that the server has several in one batch. In which order it meets them is
// not for the seed to say.
func (w *world) everybodyAtOnce(ctx context.Context) error {
	w.logf("everybody at once")
	w.count("concurrent requests")
	var g errgroup.Group
	for _, request := range w.everybody() {
		g.Go(func() error { return request(ctx) })
	}
	return g.Wait()
}

// everybodyInTurn does the same one after another. Seeds do not draw it; it
// takes the place of the other where a history has to repeat exactly.
func (w *world) everybodyInTurn(ctx context.Context) error {
	w.logf("everybody in turn")
	for _, request := range w.everybody() {
		if err := request(ctx); err != nil {
			return err
		}
	}
	return nil
}

// everybody who has something to do.
func (w *world) everybody() []func(context.Context) error {
	var all []func(context.Context) error
	for _, p := range w.online() {
		if p.rough || w.chance(40) {
			continue // chance belongs to one goroutine
		}
		all = append(all, func(ctx context.Context) error { return tolerable(p.dev.Sync(ctx)) })
	}
	for range w.rng.IntN(4) {
		if e := w.prepareDesk(); e != nil {
			all = append(all, func(ctx context.Context) error { return w.write(ctx, e) })
		}
	}
	return all
}

// liveDeadline is how long a stream that has something to tell may keep
// silent: for ever, as far as a test can tell.
const liveDeadline = 10 * time.Second

// followLive lets a device follow the live stream while others work.
func (w *world) followLive(ctx context.Context) error {
	p := pick(w, w.online())
	if p == nil || !w.model.active(p.actor.User) || w.server.failing() {
		return nil
	}
	w.logf("%s follows live", p.actor.Device)
	w.count("live")
	cursor := p.dev.Condition().Cursor
	s, err := w.server.holder().ws.Live(ctx, p.actor, cursor)
	if err != nil {
		return tolerable(w.refused("live", asked{sole: true}, err))
	}
	defer s.Close()
	for range 3 {
		if cursor, err = w.catchUpLive(ctx, p, s, cursor); err != nil || cursor == "" {
			return err
		}
		if err := w.deskWork(ctx); err != nil {
			return err
		}
		if err := w.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// catchUpLive reads the stream until the device equals the view: as long as
// it does not, there must be a page. It returns the newest cursor, "" if the
// stream has ended.
func (w *world) catchUpLive(ctx context.Context, p *phone, s *sync.Stream, cursor string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, liveDeadline)
	defer cancel()
	for w.compareOne(p) != nil {
		if !w.model.active(p.actor.User) {
			return "", nil
		}
		page, err := s.Next(ctx)
		if ctx.Err() != nil {
			return "", violated("live", "%s hears nothing: %v", p.actor.Device, w.compareOne(p))
		}
		if err != nil {
			return "", fmt.Errorf("live stream of %s: %w", p.actor.Device, err)
		}
		in, err := p.took(cursor, asked{known: w.model.head, sole: true}, page, 0)
		if err != nil {
			return "", err
		}
		if err := p.receive(ctx, cursor, in); err != nil {
			return "", err
		}
		if p.dev.Condition().Cursor != in.Cursor {
			return "", nil // a late page was quicker
		}
		cursor = in.Cursor
		if err := w.read(ctx); err != nil {
			return "", err
		}
	}
	return cursor, nil
}
