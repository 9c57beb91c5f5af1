package sync

import (
	"context"
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// push evaluates a device's mutations as one commit. presented is the greatest
// cursor number the device ever showed. A refused mutation is a result; the
// error is of a push that cannot be answered, and leaves nothing behind.
func (b *batch) push(ctx context.Context, a Actor, presented uint64, req *PushRequest, k known) (*staged, error) {
	w, err := b.begin(a, k)
	if err != nil {
		return nil, err
	}
	if len(req.Mutations) > MaxMutations {
		return nil, fault.New(fault.PushTooLarge)
	}
	w.offline, w.presented, w.sent = true, presented, req.SentAt
	if req.digests == nil { // not prepared
		if req.digests, err = digestsOf(req.Mutations); err != nil {
			return nil, err
		}
	}
	results, err := w.pushAll(ctx, req)
	if err == nil {
		var st *staged
		if st, err = w.stage(Cause{Kind: "push"}); err == nil {
			st.push = &PushResponse{Results: results, Head: b.head.Number}
			return st, nil
		}
	}
	b.over.rollback(w.start)
	return nil, err
}

func (w *work) pushAll(ctx context.Context, req *PushRequest) ([]Result, error) {
	p := pushing{w: w, ctx: ctx, refused: map[Key]bool{}, digests: req.digests}
	muts := req.Mutations
	results := make([]Result, 0, len(muts))
	for len(muts) > 0 {
		n := groupLength(muts)
		group, err := p.group(muts[:n])
		if err != nil {
			return nil, err
		}
		results, muts = append(results, group...), muts[n:]
	}
	return results, nil
}

// groupLength counts the mutations at the front that stand or fall together.
func groupLength(muts []Mutation) int {
	n := 1
	for muts[0].Group != "" && n < len(muts) && muts[n].Group == muts[0].Group {
		n++
	}
	return n
}

// pushing is a push under way.
type pushing struct {
	w       *work
	ctx     context.Context //nolint:containedctx // lives for one push
	refused map[Key]bool    // documents whose creation was refused
	digests [][16]byte      // of the mutations still to come
}

// attempt is one mutation of a group and what became of it.
type attempt struct {
	m      *Mutation
	digest [16]byte
	res    *Result  // nil: not yet known
	same   *attempt // an earlier one of the group that this repeats
	kept   bool     // its outcome is not to be recorded: it has one, or another has its id
}

// group evaluates mutations that are applied together or not at all.
func (p *pushing) group(muts []Mutation) ([]Result, error) {
	attempts := make([]attempt, len(muts))
	mark := p.w.b.over.mark()
	refused := false
	for i := range muts {
		a := &attempts[i]
		if err := p.known(a, &muts[i], attempts[:i]); err != nil {
			return nil, err
		}
		if a.res == nil && a.same == nil && !refused {
			res, err := p.evaluate(a.m)
			if err != nil {
				return nil, err
			}
			a.res = &res
		}
		refused = refused || a.res != nil && a.res.Status == Rejected
	}
	if refused {
		p.w.b.over.rollback(mark)
	}
	return p.settle(attempts, refused)
}

// known finds out whether the mutation was answered before, or its id used
// for something else.
func (p *pushing) known(a *attempt, m *Mutation, earlier []attempt) error {
	a.m, a.digest = m, p.digests[0]
	p.digests = p.digests[1:]
	if m.ID == uuid.Nil {
		a.refuse(fault.Invalid(fault.At("id", fault.Required)))
		return nil
	}
	for i := range earlier {
		if earlier[i].m.ID != m.ID || earlier[i].kept {
			continue
		}
		if a.same, a.kept = &earlier[i], true; a.same.digest != a.digest {
			a.refuse(fault.New(fault.MutationIDReused))
		}
		return nil
	}
	o, ok := p.w.outcome(m.ID)
	if !ok {
		return nil
	}
	if o.Digest != a.digest || o.User != p.w.actor.User {
		a.refuse(fault.New(fault.MutationIDReused))
		return nil
	}
	a.res, a.kept = &Result{}, true
	if err := a.res.decode(o.Result); err != nil {
		return err
	}
	a.res.ID, a.res.Duplicate = m.ID, true
	return nil
}

// refuse answers without recording an outcome.
func (a *attempt) refuse(e *fault.Error) {
	a.res, a.same, a.kept = &Result{ID: a.m.ID, Status: Rejected, Error: e}, nil, true
}

// digestsOf the contents of mutations, in order.
func digestsOf(muts []Mutation) ([][16]byte, error) {
	digests := make([][16]byte, len(muts))
	for i := range muts {
		content, err := muts[i].content(nil)
		if err != nil {
			return nil, err
		}
		digests[i] = digestOf(content)
	}
	return digests, nil
}

func digestOf(content []byte) (digest [16]byte) {
	sum := sha256.Sum256(content)
	copy(digest[:], sum[:])
	return digest
}

func (p *pushing) evaluate(m *Mutation) (Result, error) {
	if p.refused[m.Key()] {
		return Result{ID: m.ID, Status: Rejected, Error: fault.New(fault.CreateRefused)}, nil
	}
	return p.w.mutate(p.ctx, m)
}

// settle records what became of a group's mutations and keeps the refused.
func (p *pushing) settle(attempts []attempt, refused bool) ([]Result, error) {
	results := make([]Result, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		if a.same != nil {
			again := *a.same.res
			again.Duplicate = true
			a.res = &again
		} else if refused && (a.res == nil || a.res.Status != Rejected && !a.res.Duplicate) {
			a.res = &Result{ID: a.m.ID, Status: Rejected, Error: fault.New(fault.GroupRefused)}
		}
		results[i] = *a.res
		if err := p.record(a); err != nil {
			return nil, err
		}
	}
	return results, nil
}

func (p *pushing) record(a *attempt) error {
	if a.res.Status == Rejected {
		if a.m.Op == Create {
			p.refused[a.m.Key()] = true
		}
		if !a.res.Duplicate {
			if err := (&Tx{ctx: p.ctx, w: p.w, m: a.m}).reject(a.digest, a.res.Error); err != nil {
				return err
			}
		}
	}
	if a.kept {
		return nil
	}
	return p.w.remember(a.m.ID, a.digest, a.res)
}
