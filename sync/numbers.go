package sync

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// maxNumbers is the largest block lent at once.
const maxNumbers = 1000

// Numbers lends a block of numbers from..to for documents of a kind. Each
// number is lent once; not all need be used.
func (w *Workspace) Numbers(ctx context.Context, a Actor, kind string, count int) (from, to uint64, err error) {
	if count < 1 || count > maxNumbers {
		return 0, 0, fault.Invalid(fault.At("count", fault.OutOfRange, "min", "1", "max", "1000"))
	}
	if w.e.o.Registry.Kind(kind) == nil {
		return 0, 0, fault.Invalid(fault.At("kind", fault.UnknownKind, "kind", kind))
	}
	key := Key{"counter", kind}
	for {
		next, rev := uint64(1), uint64(0)
		d, err := w.Document(ctx, key)
		switch {
		case err == nil:
			n, _ := d.Fields["next"].(float64)
			next, rev = uint64(n), d.Rev
		case !errors.Is(err, ErrMissing):
			return 0, 0, err
		}
		m := Mutation{ID: uuid.New(), Kind: key.Kind, DocID: key.ID, Op: Update, Set: Fields{"next": float64(next) + float64(count)}}
		if rev == 0 {
			m.Op = Create
		}
		_, err = w.Write(ctx, System("numbers"), Write{
			Cause: Cause{Kind: "system", Ref: "numbers/" + a.Origin()}, Mutations: []Mutation{m}, IfMatch: rev, Admit: true})
		if fault.Is(err, fault.PreconditionFail) || fault.Is(err, fault.IDExists) {
			continue // somebody else took a block meanwhile
		}
		if err != nil {
			return 0, 0, err
		}
		return next, next + uint64(count) - 1, nil
	}
}

// DerivedID is the mutation id of what a follower writes because of a commit:
// the same however often it is tried.
func DerivedID(workspace, follower string, commit Hash, index int) uuid.UUID {
	space := uuid.NewSHA1(uuid.NameSpaceOID, []byte("enroute/"+workspace+"/"+follower))
	return uuid.NewSHA1(space, append(commit[:], byte(index>>8), byte(index)))
}
