package sync

import (
	"context"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// write evaluates what a console, an integration or the server itself does:
// all of it in one commit, or nothing and an error.
func (b *batch) write(ctx context.Context, a Actor, req *Write, k known) (*staged, error) {
	w, err := b.begin(a, k)
	if err != nil {
		return nil, err
	}
	w.trusted = w.trusted || req.Admit
	w.presented = b.head.Number // he sees what is there now
	st, err := w.writeAll(ctx, req)
	if err != nil {
		b.over.rollback(w.start)
		return nil, err
	}
	return st, nil
}

func (w *work) writeAll(ctx context.Context, req *Write) (*staged, error) {
	if len(req.Mutations) > MaxMutations {
		return nil, fault.New(fault.PushTooLarge)
	}
	digest, err := req.digest()
	if err != nil {
		return nil, err
	}
	if st, err := w.repeated(ctx, req, digest); st != nil || err != nil {
		return st, err
	}
	for i := range req.Mutations {
		if err := w.writeOne(ctx, req, i); err != nil {
			return nil, err
		}
	}
	if req.Key != uuid.Nil {
		// A key always makes a commit, if only to be remembered.
		if err := w.remember(req.Key, digest, &Result{Status: Applied, Rev: w.number}); err != nil {
			return nil, err
		}
	}
	docs, err := w.documents(ctx, req.Mutations)
	if err != nil {
		return nil, err
	}
	st, err := w.stage(req.Cause)
	if err != nil {
		return nil, err
	}
	st.written = &Written{Rev: w.b.head.Number, Docs: docs}
	return st, nil
}

// writeOne applies the i-th mutation of a write.
func (w *work) writeOne(ctx context.Context, req *Write, i int) error {
	m := req.Mutations[i]
	if m.ID == uuid.Nil {
		m.ID = req.derived(i)
	}
	if i == 0 {
		w.ifMatch = req.IfMatch
	}
	_, err := w.apply(ctx, &m)
	w.ifMatch = 0
	if err == nil {
		return nil
	}
	if _, isFault := errors.AsType[*fault.Error](err); !isFault && missing(err) {
		return fault.New(fault.NotFound).Because(err)
	}
	return err
}

// derived is the id of a mutation that came without one: the same for each
// repetition of a keyed write.
func (req *Write) derived(i int) uuid.UUID {
	if req.Key == uuid.Nil {
		return uuid.New()
	}
	return uuid.NewSHA1(req.Key, []byte(strconv.Itoa(i)))
}

// digest of all that the write changes; nothing looks at it without a key.
func (req *Write) digest() (digest [16]byte, err error) {
	if req.Key == uuid.Nil {
		return digest, nil
	}
	var content []byte
	for i := range req.Mutations {
		if content, err = req.Mutations[i].content(content); err != nil {
			return digest, err
		}
	}
	return digestOf(content), nil
}

// repeated answers a write that was made before; nil if it was not. Fault
// KeyReused if the key stands for another one.
func (w *work) repeated(ctx context.Context, req *Write, digest [16]byte) (*staged, error) {
	if req.Key == uuid.Nil {
		return nil, nil
	}
	o, ok := w.outcome(req.Key)
	if !ok {
		return nil, nil
	}
	if o.Digest != digest || o.User != w.actor.User {
		return nil, fault.New(fault.KeyReused)
	}
	var res Result
	if err := res.decode(o.Result); err != nil {
		return nil, err
	}
	docs, err := w.documents(ctx, req.Mutations)
	if err != nil {
		return nil, err
	}
	return &staged{written: &Written{Rev: res.Rev, Duplicate: true, Docs: docs}}, nil
}

// documents are those of the mutations as they are now, in order. One that
// is not there any more, or not for the actor's eyes, is only its key.
func (w *work) documents(ctx context.Context, muts []Mutation) ([]Version, error) {
	out := make([]Version, len(muts))
	for i := range muts {
		key := muts[i].Key()
		d, err := w.b.load(ctx, key)
		if err != nil && !missing(err) {
			return nil, err
		}
		out[i] = Version{Key: key, Deleted: true}
		if err == nil && w.holds(d.doc.Scope) {
			out[i] = d.version()
		}
	}
	return out, nil
}
