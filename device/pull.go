package device

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// startOverEvery bounds how often a device starts over because of a digest.
const startOverEvery = 24 * time.Hour

// Sync sends what waits and pulls until the device is at the server's head.
// A push that the server answers with a refusal holds up no pull; it is
// returned at the end. A push without an answer ends the attempt.
func (d *Device) Sync(ctx context.Context) error {
	for {
		pushed := d.Push(ctx)
		if pushed != nil && problem(pushed) == nil {
			return pushed
		}
		more, err := d.PullPage(ctx)
		if err != nil {
			return errors.Join(pushed, err)
		}
		if !more && (pushed != nil || d.Condition().Waiting == 0) {
			return pushed
		}
	}
}

// PullPage asks for one page and applies it; more says that there is more to
// ask for.
func (d *Device) PullPage(ctx context.Context) (more bool, err error) {
	d.mu.Lock()
	asked, acknowledged, revoked := d.meta.Cursor, d.out.acknowledged(), d.meta.Revoked
	d.mu.Unlock()
	if revoked {
		return false, ErrRevoked
	}
	p, err := d.o.Transport.Pull(ctx, asked, d.o.PageLimit)
	if err != nil {
		err = d.pullRefused(ctx, asked, err)
		return err == nil, err
	}
	applied, err := d.receive(ctx, asked, p, acknowledged)
	return p.More || !applied || d.Condition().Cursor != p.Cursor, err
}

// Receive applies a page that was asked for with a cursor, if that is the one
// the device still holds; otherwise the page is thrown away and applied is
// false. Pull and live end here.
func (d *Device) Receive(ctx context.Context, asked string, p *Page) (applied bool, err error) {
	return d.receive(ctx, asked, p, 0)
}

// receive is Receive; a page at the head must reach the rev that had been
// acknowledged before it was asked for, else the server has lost it.
func (d *Device) receive(ctx context.Context, asked string, p *Page, acknowledged uint64) (bool, error) {
	applied, err := d.apply(ctx, asked, p, acknowledged)
	if err != nil || !applied || p.More || p.Digest == nil {
		return applied, err
	}
	r, err := d.check(ctx, p)
	if r == nil || err != nil {
		return true, err
	}
	if err := d.o.Transport.Report(ctx, *r); err != nil {
		d.o.Logger.WarnContext(ctx, "report was not taken", "err", err)
	}
	return true, nil
}

// apply makes a page and the cursor it brings one change of the local copy,
// and a second one of what the page shows about acknowledged work. A crash
// between the two does no harm: the next complete page shows it too.
func (d *Device) apply(ctx context.Context, asked string, p *Page, acknowledged uint64) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.meta.Revoked || asked != d.meta.Cursor && !d.o.Faults.TakeLatePages {
		return false, nil
	}
	b := &Batch{Clear: p.Reset, Drop: p.Drop, Remove: p.Remove, Put: p.Put, Meta: new(d.meta)}
	b.Meta.Cursor = p.Cursor
	if p.Reset {
		b.Meta.Head = 0
	}
	if !p.More {
		b.Meta.Head = p.Head
	}
	lost := p.Reset || !p.More && p.Head < acknowledged
	if lost {
		b.Save = d.out.again()
	}
	if err := d.save(ctx, b); err != nil {
		return false, err
	}
	if lost {
		signal(d.changed)
		return true, nil
	}
	return true, d.settle(ctx, p)
}

// settle sees to the mutations that a page shows, or should show.
func (d *Device) settle(ctx context.Context, p *Page) error {
	shown, err := d.out.shown(p, d.copy)
	if err != nil || len(shown) == 0 {
		return err
	}
	if err := d.save(ctx, &Batch{Save: shown}); err != nil {
		return err
	}
	signal(d.changed) // some may have to be sent once more
	return nil
}

// check compares the copies with the digest of the page that was applied
// last. If they differ the device starts over, unless it did so within a day,
// and r is what to report.
func (d *Device) check(ctx context.Context, p *Page) (r *Report, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.meta.Cursor != p.Cursor || *p.Digest == d.copy.digest {
		return nil, nil
	}
	now := d.o.Clock()
	log := d.o.Logger.With("head", p.Head, "expected", *p.Digest, "actual", d.copy.digest)
	if !d.meta.StartedOver.IsZero() && now.Sub(d.meta.StartedOver).Abs() < startOverEvery {
		log.WarnContext(ctx, "documents differ from the digest again")
		return nil, nil
	}
	log.WarnContext(ctx, "documents differ from the digest, starting over")
	r = &Report{Kind: "digest", Head: p.Head, Expected: *p.Digest, Actual: d.copy.digest}
	return r, d.save(ctx, &Batch{Clear: true, Meta: &Meta{StartedOver: now}})
}

// pullRefused acts on the answer to a pull or to the opening of a stream; nil
// means to ask again.
func (d *Device) pullRefused(ctx context.Context, asked string, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := problem(err)
	switch {
	case p != nil && p.Code == codeDeviceRevoked:
		return errors.Join(ErrRevoked, d.wipe(ctx, false))
	case p != nil && p.Code == codeBadCursor && asked != "" && asked == d.meta.Cursor:
		return d.save(ctx, &Batch{Clear: true, Meta: &Meta{StartedOver: d.meta.StartedOver}})
	}
	return fmt.Errorf("pull: %w", err)
}
