package sync

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Tx is how rules see and change other documents: the state on which a
// mutation lands, with all that came before it in its batch. What a refused
// mutation did through it is undone.
type Tx struct {
	ctx    context.Context //nolint:containedctx // rules run within one request
	w      *work
	m      *Mutation
	active []Key // documents being changed: the mutation's, and those rules reached from it
}

var _ Reader = (*Tx)(nil)

// Get a live document, which must not be changed; ErrMissing if there is none.
func (t *Tx) Get(key Key) (*Document, error) {
	d, err := t.w.b.load(t.ctx, key)
	if err != nil {
		return nil, err
	}
	if d.doc.Deleted {
		return nil, ErrMissing
	}
	return d.doc, nil
}

// Referrers are the ids of the live documents of a kind whose edges name the
// key, sorted.
func (t *Tx) Referrers(key Key, kind string) []string {
	keys := t.w.b.referrers(key, kind)
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return ids
}

// InScope are the keys of the live documents in a scope, sorted.
func (t *Tx) InScope(scope string) []Key { return t.w.b.inScope(scope) }

// ByUnique finds the live document that has a unique value; "" if none.
func (t *Tx) ByUnique(kind, field, value string) (string, error) {
	return t.w.b.byUnique(t.ctx, kind, field, value)
}

// Principal of an account; the zero Principal if there is none.
func (t *Tx) Principal(id string) Principal { return t.w.b.principal(id) }

// Principals are the ids of the active accounts with the role, sorted.
func (t *Tx) Principals(role Role) []string { return t.w.b.principals(role) }

// Now is when the request was received, UTC.
func (t *Tx) Now() time.Time { return t.w.b.now }

// Day is the workspace's date, as "2026-11-21".
func (t *Tx) Day() string {
	day, _ := t.w.b.base.today()
	return day
}

// Zone is the workspace's time zone.
func (t *Tx) Zone() *time.Location { return t.w.b.base.zone() }

// Actor of the request.
func (t *Tx) Actor() Actor { return t.w.actor }

// Role of the actor when the request began.
func (t *Tx) Role() Role { return t.w.role }

// Create makes a document in the name of the rules: without permissions and
// policies, but with validation and its kind's own rules. Fault IDExists if
// the id was ever taken.
func (t *Tx) Create(key Key, fields Fields) error {
	return t.nested(Create, key, fields, nil)
}

// Update changes a live document in the name of the rules; ErrMissing if there
// is none.
func (t *Tx) Update(key Key, set Fields, unset ...string) error {
	if _, err := t.Get(key); err != nil {
		return fmt.Errorf("update %s: %w", key, err)
	}
	return t.nested(Update, key, set, unset)
}

// Delete removes a document in the name of the rules; ErrMissing if there
// never was one, nothing if it is deleted already.
func (t *Tx) Delete(key Key) error {
	f, ok := t.w.b.find(key)
	switch {
	case !ok:
		return fmt.Errorf("delete %s: %w", key, ErrMissing)
	case f.deleted:
		return nil
	}
	return t.nested(Delete, key, nil, nil)
}

// nested makes a change for rules; if it fails all it did is undone, so that
// rules may go on without it.
func (t *Tx) nested(op Op, key Key, set Fields, unset []string) error {
	in, err := t.w.byRules(op, key, set, unset)
	if err != nil {
		return fmt.Errorf("%s %s by rules: %w", op, key, err)
	}
	mark := t.w.b.over.mark()
	if _, err := t.do(in); err != nil {
		t.w.b.over.rollback(mark)
		return err
	}
	return nil
}

// byRules is the intent of a change that rules make.
func (w *work) byRules(op Op, key Key, set Fields, unset []string) (*intent, error) {
	k := w.b.reg.Kind(key.Kind)
	if k == nil || !validID(key.ID) {
		return nil, fmt.Errorf("%q is no key of a document", key)
	}
	in := &intent{kind: k, key: key, op: op, base: math.MaxUint64, set: set, byRules: true, at: w.b.now, deviceAt: w.b.now}
	if err := in.clear(unset); err != nil {
		return nil, err
	}
	c := checker{trusted: true}
	c.members(k.Fields, in.set, "", 1)
	return in, c.err()
}

// enter notes that a document is being changed. Rules that would come back to
// it while that lasts are in a circle, and what they did would be lost.
func (t *Tx) enter(key Key) error {
	if slices.Contains(t.active, key) {
		return fmt.Errorf("rules change %s while it is being changed", key)
	}
	t.active = append(t.active, key)
	return nil
}

func (t *Tx) leave() { t.active = t.active[:len(t.active)-1] }

// derived is an id that follows from the mutation and a name, so that the same
// mutation evaluated again makes the same documents.
func (t *Tx) derived(name string) string {
	return uuid.NewSHA1(t.m.ID, []byte(name)).String()
}

// missing says whether the error tells of a document that is not there.
func missing(err error) bool { return errors.Is(err, ErrMissing) }
