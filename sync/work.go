package sync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// work is one request on its way to a commit.
type work struct {
	b         *batch
	actor     Actor
	role      Role
	profile   Profile
	ifMatch   uint64 // unless 0, the rev that the next mutation's document must have
	trusted   bool   // the system, or in its name: sees and sets everything
	offline   bool   // came by push
	presented uint64 // greatest cursor the actor's device ever showed
	sent      time.Time
	known     known
	number    uint64 // of the commit to be
	start     int    // mark of the overlay
	outcomes  []Outcome
	byID      map[uuid.UUID]int // index of outcomes
}

// begin identifies who asks. Fault NotSignedIn if there is no such account.
func (b *batch) begin(a Actor, k known) (*work, error) {
	w := &work{b: b, actor: a, known: k, number: b.head.Number + 1, start: b.over.mark(), byID: map[uuid.UUID]int{}}
	if a.User == "" {
		w.role, w.trusted = RoleSystem, true
		return w, nil
	}
	p, profile := b.base.principal(a.User)
	if !p.Active {
		return nil, fault.New(fault.NotSignedIn)
	}
	w.role, w.profile = p.Role, profile
	return w, nil
}

// apply takes one mutation through all of its steps. What a refused one did
// is the caller's to undo.
func (w *work) apply(ctx context.Context, m *Mutation) (Result, error) {
	in, err := w.intend(ctx, m)
	if err != nil {
		return Result{}, err
	}
	mark := w.b.over.mark()
	ch, err := (&Tx{ctx: ctx, w: w, m: m}).do(in)
	if err != nil {
		return Result{}, err
	}
	res := Result{ID: m.ID, Status: Applied, Rev: w.number}
	if len(ch.conflicts) > 0 {
		res.Status, res.Conflicts = Merged, ch.conflicts
	}
	if w.b.over.mark() == mark { // nothing came of it
		f, _ := w.b.find(in.key)
		res.Rev = f.rev
	}
	return res, nil
}

// mutate is apply with the refusal as a result. The error is of what keeps the
// whole request from being answered.
func (w *work) mutate(ctx context.Context, m *Mutation) (Result, error) {
	res, err := w.apply(ctx, m)
	if err == nil {
		return res, nil
	}
	if refusal := refused(err); refusal != nil {
		return Result{ID: m.ID, Status: Rejected, Error: refusal}, nil
	}
	return Result{}, fmt.Errorf("%s %s: %w", m.Op, m.Key(), err)
}

// refused gives the fault that a mutation was refused with; nil if the error
// is a failure of ours.
func refused(err error) *fault.Error {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Code.Status() < http.StatusInternalServerError {
		return e
	}
	if missing(err) {
		return fault.New(fault.NotFound).Because(err)
	}
	return nil
}

// stage makes a commit of what was changed. It is an error, and nothing is
// staged, if that is too large.
func (w *work) stage(cause Cause) (*staged, error) {
	changes := w.b.over.changes(w.start)
	st := &staged{}
	if len(changes) == 0 && len(w.outcomes) == 0 {
		return st, nil
	}
	c := &Commit{
		Number: w.number, Prev: w.b.head.Hash, Nonce: uuid.New(), At: w.b.now,
		Actor: w.actor, Cause: cause, Outcomes: w.outcomes,
		Changes: make([]Version, len(changes)),
	}
	st.commit, st.facts = c, make([]facts, len(changes))
	for i, l := range changes {
		c.Changes[i] = l.now.version()
		st.facts[i] = l.now.facts
		st.structural = st.structural || l.now.structural() || l.before != nil && l.before.structural()
	}
	if c.size() > MaxCommitBytes {
		return nil, fault.New(fault.PushTooLarge)
	}
	if err := setDay(c, changes); err != nil {
		return nil, err
	}
	c.Seal()
	w.b.accept(c)
	return st, nil
}

// accept makes a staged commit what the next request builds on.
func (b *batch) accept(c *Commit) {
	b.head = Head{Number: c.Number, Hash: c.Hash, At: c.At}
	b.size += c.size()
	for i := range c.Outcomes {
		b.outcomes[c.Outcomes[i].ID] = &c.Outcomes[i]
	}
}

func (d *draft) version() Version {
	return Version{
		Key: d.doc.Key, Rev: d.doc.Rev, Scope: d.doc.Scope, Deleted: d.doc.Deleted,
		Body: d.body, Marks: d.doc.Marks.encode(),
	}
}

func (d *draft) structural() bool {
	e := &d.facts.edges
	return e.Principal != nil || e.Profile != nil || e.Members != nil || e.Zone != ""
}

// setDay gives the commit the date of its time zone when it brings another one.
func setDay(c *Commit, changes []logged) error {
	for _, l := range changes {
		zone := l.now.facts.edges.Zone
		if zone == "" || l.before != nil && l.before.facts.edges.Zone == zone {
			continue
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return fmt.Errorf("time zone of %s: %w", l.now.doc.Key, err)
		}
		c.Day = c.At.In(loc).Format(time.DateOnly)
	}
	return nil
}

// outcome of a mutation: in this request, this batch or the journal.
func (w *work) outcome(id uuid.UUID) (*Outcome, bool) {
	if i, ok := w.byID[id]; ok {
		return &w.outcomes[i], true
	}
	if o, ok := w.b.outcomes[id]; ok {
		return o, true
	}
	return w.known(id)
}

// remember keeps what became of a mutation.
func (w *work) remember(id uuid.UUID, digest [16]byte, res *Result) error {
	stored, err := res.encode()
	if err != nil {
		return err
	}
	w.byID[id] = len(w.outcomes)
	w.outcomes = append(w.outcomes, Outcome{ID: id, User: w.actor.User, Digest: digest, Result: stored})
	return nil
}
