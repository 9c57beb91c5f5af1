package device

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// ErrRevoked is the error of a device that an administrator has removed. Its
// copies are gone; it is of no use until its user signs in with a new store.
var ErrRevoked = errors.New("this device was removed by an administrator")

// Push sends the waiting mutations in their order, batch after batch, until
// none waits. What the server refuses is parked with its reason, and never
// holds up what comes after. An error without a *Problem means that no answer
// arrived: everything stays as it was and is sent again by the next Push.
func (d *Device) Push(ctx context.Context) error {
	select {
	case d.sending <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-d.sending }()
	limit := d.o.BatchSize
	for {
		batch := d.nextBatch(limit)
		if len(batch) == 0 {
			return d.handedIn(ctx)
		}
		err := d.send(ctx, batch)
		switch p := problem(err); {
		case err == nil:
			limit = min(2*limit, d.o.BatchSize)
		case p == nil || !p.final():
			return d.pushRefused(ctx, err)
		case oneUnit(batch):
			if err := d.park(ctx, batch, p); err != nil {
				return err
			}
			limit = d.o.BatchSize
		default:
			limit = max(1, len(batch)/2)
		}
	}
}

func (d *Device) nextBatch(limit int) []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.batch(limit)
}

// send makes one request of a batch and files its answer.
func (d *Device) send(ctx context.Context, batch []Entry) error {
	req := PushRequest{SentAt: d.o.Clock().UTC()}
	for _, e := range batch {
		req.Mutations = append(req.Mutations, e.Mutation)
	}
	resp, err := d.o.Transport.Push(ctx, req)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	if err := matches(batch, resp); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	return d.file(ctx, batch, func(i int, e *Entry) { e.answer(&resp.Results[i], d.meta.Head) })
}

// matches checks that an answer speaks of the batch.
func matches(batch []Entry, resp *PushResponse) error {
	if len(resp.Results) != len(batch) {
		return fmt.Errorf("%d results for %d mutations", len(resp.Results), len(batch))
	}
	for i := range batch {
		if resp.Results[i].ID != batch[i].Mutation.ID {
			return fmt.Errorf("result %d is of mutation %s, not %s", i, resp.Results[i].ID, batch[i].Mutation.ID)
		}
		if !slices.Contains([]Status{Applied, Merged, Rejected}, resp.Results[i].Status) {
			return fmt.Errorf("result %d has the unknown status %q", i, resp.Results[i].Status)
		}
	}
	return nil
}

// answer files a result. A mutation that was sent once more, and that the
// server had before the head that the device's cursor covers, is settled.
func (e *Entry) answer(r *Result, head uint64) {
	if r.Status != Rejected {
		e.Phase, e.Rev, e.Settled = Acknowledged, r.Rev, e.Doubts > 0 && r.Duplicate && r.Rev <= head
		return
	}
	e.Phase, e.Problem = Refused, r.Error
	if e.Problem == nil {
		e.Problem = &Problem{Status: http.StatusUnprocessableEntity, Code: "rejected"}
	}
}

// park sets aside mutations that the server will not even look at.
func (d *Device) park(ctx context.Context, batch []Entry, p *Problem) error {
	return d.file(ctx, batch, func(_ int, e *Entry) { e.Phase, e.Problem = Refused, p })
}

// file changes those entries of a batch that still wait.
func (d *Device) file(ctx context.Context, batch []Entry, change func(i int, e *Entry)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Clock()
	b := &Batch{Forget: d.out.expired(now)}
	for i, e := range batch {
		at, found := slices.BinarySearchFunc(d.out.entries, e, bySeq)
		if !found || d.out.entries[at].Phase != Waiting {
			continue
		}
		change(i, &e)
		e.Answered = now
		b.Save = append(b.Save, e)
	}
	return d.save(ctx, b)
}

// oneUnit says whether a batch cannot be divided.
func oneUnit(batch []Entry) bool {
	first, last := batch[0].Mutation.Group, batch[len(batch)-1].Mutation.Group
	return len(batch) == 1 || first != "" && first == last
}

// final says whether a batch is refused for what it is, so that a part of it
// may fare better. Everything else is asked again another time.
func (p *Problem) final() bool {
	switch p.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// pushRefused acts on an answer to a whole push; a device that may not even
// hand in its work any more forgets that too.
func (d *Device) pushRefused(ctx context.Context, err error) error {
	if p := problem(err); p == nil || p.Code != codeDeviceRevoked {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(ErrRevoked, d.wipe(ctx, true))
}

// handedIn ends the life of a removed device whose last work has been sent.
func (d *Device) handedIn(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.meta.Revoked {
		return nil
	}
	return errors.Join(ErrRevoked, d.wipe(ctx, true))
}

// wipe forgets the documents, and the outbox too if work says so. The caller
// holds mu.
func (d *Device) wipe(ctx context.Context, work bool) error {
	b := &Batch{Clear: true, Meta: &Meta{Revoked: true}}
	if work || d.out.waiting() == 0 {
		for _, e := range d.out.entries {
			b.Forget = append(b.Forget, e.Seq)
		}
	}
	return d.save(ctx, b)
}
