package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Waits between attempts of Run: doubled from the first to the longest.
const (
	firstWait   = time.Second
	longestWait = 2 * time.Minute
)

// Listen follows the live stream from the cursor held until the server ends
// it or a page arrives that does not follow on. A nil error means that it is
// worth listening again at once.
func (d *Device) Listen(ctx context.Context) error {
	asked := d.Condition().Cursor
	s, err := d.o.Transport.Live(ctx, asked)
	if err != nil {
		return d.pullRefused(ctx, asked, err)
	}
	defer func() { _ = s.Close() }() // nothing depends on it
	for {
		p, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return d.pullRefused(ctx, asked, err)
		}
		if _, err := d.Receive(ctx, asked, p); err != nil {
			return err
		}
		if d.Condition().Cursor != p.Cursor {
			return nil
		}
		asked = p.Cursor
		signal(d.heard)
	}
}

// Run keeps the device in step until ctx ends: it syncs, follows the live
// stream, sends what is done meanwhile, and connects again after every break.
// It returns an error only when the user must sign in again (a *Problem with
// status 401) or the device was removed (ErrRevoked).
func (d *Device) Run(ctx context.Context) error {
	wait := firstWait
	for {
		connected, err := d.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case signedOut(err) && !d.handsIn():
			return err
		case connected:
			wait = firstWait
		}
		d.o.Logger.DebugContext(ctx, "not connected", "err", err, "wait", wait)
		if p := problem(err); p != nil {
			wait = max(wait, p.RetryAfter)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.o.After(wait/2 + time.Duration(d.o.Rand()*float64(wait/2))):
			wait = min(2*wait, longestWait)
		}
	}
}

// session syncs and then stays connected for as long as it can.
func (d *Device) session(ctx context.Context) (connected bool, err error) {
	if err := d.Sync(ctx); err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var g errgroup.Group
	g.Go(func() error {
		err := d.Listen(ctx)
		cancel(fmt.Errorf("live stream ended: %w", err))
		return err
	})
	g.Go(func() error {
		err := d.pushChanges(ctx)
		cancel(fmt.Errorf("push failed: %w", err))
		return err
	})
	g.Go(func() error {
		err := d.showCursor(ctx)
		cancel(fmt.Errorf("pull failed: %w", err))
		return err
	})
	return true, g.Wait()
}

// showAfter is how long the pages of a stream gather before the cursor they
// lead to is shown.
const showAfter = 2 * time.Second

// showCursor asks for one row after pages have come live. The server cannot
// know that a stream's pages arrived; a pull with their cursor tells it, so
// that what was dispatched counts as received. The answer is thrown away: the
// stream brings the same, and must not find its place taken.
func (d *Device) showCursor(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.heard:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.o.After(showAfter):
		}
		asked := d.Condition().Cursor
		if _, err := d.o.Transport.Pull(ctx, asked, 1); err != nil && ctx.Err() == nil {
			return d.pullRefused(ctx, asked, err)
		}
	}
}

// pushChanges sends mutations as they are queued.
func (d *Device) pushChanges(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.changed:
		}
		if err := d.Push(ctx); err != nil {
			return err
		}
	}
}

func signedOut(err error) bool {
	p := problem(err)
	return errors.Is(err, ErrRevoked) || p != nil && p.Status == http.StatusUnauthorized
}

// handsIn says whether a removed device still has work to hand in.
func (d *Device) handsIn() bool {
	c := d.Condition()
	return c.Revoked && c.Waiting > 0
}
