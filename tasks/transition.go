package tasks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// begin puts a new task into its first state.
func (t taskRules) begin(tx *sync.Tx, ch *sync.Change) error {
	state := members.Text(ch.Asked, "state")
	switch {
	case state != "":
	case tx.Role() == sync.RoleTechnician:
		state = StateDispatched
	default:
		state = StateDraft
	}
	if err := t.mayBegin(tx.Role(), state, ch); err != nil {
		return err
	}
	if err := t.enter(tx, ch, state); err != nil {
		return err
	}
	if len(members.Objects(ch.New.Fields, "events")) == 0 {
		record(tx, ch, state, "", moved)
	}
	return nil
}

// mayBegin: a task begins before or with its dispatch; only what the system
// brings in from elsewhere may be further on.
func (t taskRules) mayBegin(role sync.Role, state string, ch *sync.Change) error {
	switch state {
	case StateDraft, StateScheduled:
		return nil
	case StateDispatched:
		return needAssignee(ch.New.Fields)
	}
	if role == sync.RoleSystem {
		return nil
	}
	values := fmt.Sprintf("%s, %s, %s", StateDraft, StateScheduled, StateDispatched)
	return fault.Invalid(fault.At("state", fault.NotOneOf, "values", values))
}

// transition takes the step that a mutation asks for. What was done offline
// and cannot be taken any more is kept as an event and put before the office.
func (t taskRules) transition(tx *sync.Tx, ch *sync.Change) error {
	from := members.Text(ch.Old.Fields, "state")
	to, asked := ch.Asked["state"].(string)
	office := tx.Role().Office()
	if !asked || to == from && (office || !ch.Offline) {
		return nil
	}
	if !t.workflow.leadsTo(to, office) {
		return fault.New(fault.Forbidden)
	}
	if to != from {
		err := t.check(tx, ch, from, to)
		if err == nil {
			return t.move(tx, ch, from, to)
		}
		if !ch.Offline || !isFact(err) {
			return err
		}
	}
	return keepFact(tx, ch, from, to)
}

// isFact says whether a refused step may have been taken all the same: it is
// not for lack of something that the step itself should have carried.
func isFact(err error) bool {
	return fault.Is(err, fault.IllegalTransition) || fault.Is(err, fault.SignatureRequired) || fault.Is(err, fault.Forbidden)
}

// check says why a step cannot be taken.
func (t taskRules) check(tx *sync.Tx, ch *sync.Change, from, to string) error {
	office := tx.Role().Office()
	if !office {
		late, err := tooLate(tx, ch)
		if err != nil {
			return err
		}
		if late {
			return fault.New(fault.Forbidden)
		}
	}
	step, ok := t.workflow.step(from, to, office)
	if ok && step.Skips {
		var err error
		if ok, err = maySkip(tx); err != nil {
			return err
		}
	}
	if !ok || step.Within > 0 && !within(ch, from, step) {
		return fault.New(fault.IllegalTransition, "from", from, "to", to)
	}
	if Category(members.Text(ch.Old.Fields, "category")) == Cancelled {
		if err := clientTakesWork(tx, ch); err != nil {
			return err
		}
	}
	return step.lacks(ch)
}

// clientTakesWork refuses to bring a cancelled task back for a client that is
// gone or disabled meanwhile: it would be new work.
func clientTakesWork(r sync.Reader, ch *sync.Change) error {
	if members.Text(ch.New.Fields, "clientId") == "" {
		return nil
	}
	client, err := clientOf(r, ch.New.Fields)
	switch {
	case errors.Is(err, sync.ErrMissing):
		return fault.Invalid(fault.At("clientId", fault.UnknownRef, "kind", "client"))
	case err == nil && members.Flag(client.Fields, "disabled"):
		return fault.New(fault.ClientDisabled)
	}
	return err
}

// lacks says what the step asks for and is not there.
func (t Transition) lacks(ch *sync.Change) error {
	if t.Reason && ch.Reason == "" {
		return fault.New(fault.ReasonRequired, "to", t.To)
	}
	f := ch.New.Fields
	if t.Signed && members.Flag(f, "signatureRequired") && !signed(members.Object(f, "signature")) {
		return fault.New(fault.SignatureRequired)
	}
	if t.Assignee {
		return needAssignee(f)
	}
	return nil
}

// signed says whether a signature counts. Somebody absent or unwilling is as
// good as one, if it is said why.
func signed(signature map[string]any) bool {
	switch members.Text(signature, "outcome") {
	case "signed":
		return true
	case "absent", "refused":
		return strings.TrimSpace(members.Text(signature, "reason")) != ""
	}
	return members.Text(signature, "name")+members.Text(signature, "drawing") != ""
}

func needAssignee(f sync.Fields) error {
	if len(members.Texts(f, "employeeIds"))+len(members.Texts(f, "teamIds")) == 0 {
		return fault.Invalid(fault.At("employeeIds", fault.Required))
	}
	return nil
}
