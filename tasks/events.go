package tasks

import (
	"errors"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// move takes a step and records it.
func (t taskRules) move(tx *sync.Tx, ch *sync.Change, from, to string) error {
	if err := t.enter(tx, ch, to); err != nil {
		return err
	}
	record(tx, ch, to, from, moved)
	if t.workflow.Category(to) == Planned {
		endVisit(ch.New.Fields)
	}
	return nil
}

// endVisit takes the signature of the visit that is over off the task, so that
// it does not pass for that of the next one. It stays with the event that
// ended the visit.
func endVisit(f sync.Fields) {
	delete(f, "clientSnapshot") // the next end freezes it anew
	signature := f["signature"]
	events, _ := f["events"].([]any)
	if signature == nil || len(events) == 0 {
		return
	}
	last, _ := events[len(events)-1].(map[string]any)
	last["signature"] = signature // record made this event just now
	delete(f, "signature")
}

// enter puts the task into a state, with what comes of it: a dispatch asks
// for receipts anew and for the signature its client owes, an end freezes
// what the client was called.
func (t taskRules) enter(tx *sync.Tx, ch *sync.Change, state string) error {
	f := ch.New.Fields
	before, now := Category(members.Text(f, "category")), t.workflow.Category(state)
	f["state"], f["category"] = state, string(now)
	switch {
	case now == Open && before != Open && before != Done:
		if ch.Old != nil {
			delete(f, "receipts")
		}
		return t.askSignature(tx, f)
	case now == Done, now == Cancelled:
		return freezeClient(tx, f)
	}
	return nil
}

// askSignature says on the task whether it needs a signature, so that the
// phone knows it offline; what a dispatcher said stays.
func (t taskRules) askSignature(r sync.Reader, f sync.Fields) error {
	if _, said := f["signatureRequired"]; said {
		return nil
	}
	client, err := clientOf(r, f)
	if err != nil && !errors.Is(err, sync.ErrMissing) {
		return err
	}
	lifted := client != nil && members.Flag(client.Fields, "signatureNotRequired")
	f["signatureRequired"] = t.workflow.Signature && !lifted
	return nil
}

// freezeClient copies what the client is called and where it is onto the task.
func freezeClient(r sync.Reader, f sync.Fields) error {
	client, err := clientOf(r, f)
	if errors.Is(err, sync.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	snapshot := map[string]any{}
	for _, name := range []string{"name", "companyName", "phone", "phoneE164", "address", "shippingAddress", "billingAddress"} {
		if v, ok := client.Fields[name]; ok {
			snapshot[name] = v
		}
	}
	f["clientSnapshot"] = snapshot
	return nil
}

// eventSpace is the name space of the ids of events (RFC 9562, version 5).
var eventSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("urn:enroute:task-event"))

// effect of a reported state.
type effect int

const (
	moved    effect = iota // the task went there
	repeated               // it had been there in this visit
	flagged                // it could not go there, a person must look
)

// record appends an event. Its id is its place in the list, which only grows.
func record(tx *sync.Tx, ch *sync.Change, state, from string, e effect) {
	events, _ := ch.New.Fields["events"].([]any)
	place := ch.Key.ID + "/" + strconv.Itoa(len(events))
	event := map[string]any{
		"id":         uuid.NewSHA1(eventSpace, []byte(place)).String(),
		"state":      state,
		"at":         members.Instant(ch.At),
		"deviceAt":   members.Instant(ch.DeviceAt),
		"receivedAt": members.Instant(ch.Received),
		"moved":      e == moved,
		"flagged":    e == flagged,
	}
	for name, value := range map[string]string{
		"from": from, "reason": ch.Reason, "employee": tx.Actor().User, "device": tx.Actor().Device,
	} {
		if value != "" {
			event[name] = value
		}
	}
	if position := members.Object(ch.Asked, "position"); position != nil {
		event["position"] = position
	}
	ch.New.Fields["events"] = append(slices.Clone(events), event)
}

// keepFact records a state that was reached offline and does not move the
// task. Unless the visit has been there already, a person must look at it.
func keepFact(tx *sync.Tx, ch *sync.Change, from, to string) error {
	if slices.Contains(visit(ch.Old.Fields), to) {
		record(tx, ch, to, from, repeated)
		return nil
	}
	record(tx, ch, to, from, flagged)
	reason := "illegalState"
	if !tx.Role().Office() {
		late, err := tooLate(tx, ch)
		if err != nil {
			return err
		}
		if late {
			reason = "afterReassignment"
		}
	}
	ch.Conflict(sync.Conflict{
		Field: "state", Kept: from, Discarded: to,
		Level: sync.LevelDecide, Reason: reason,
	})
	return nil
}

// visit are the states that the task has been in since it was last
// dispatched. A task that was taken back has none.
func visit(f sync.Fields) []string {
	var out []string
	for _, event := range slices.Backward(members.Objects(f, "events")) {
		if !members.Flag(event, "moved") {
			continue
		}
		state, from := members.Text(event, "state"), members.Text(event, "from")
		if state == StateDraft || state == StateScheduled {
			break
		}
		out = append(out, state)
		if state == StateDispatched && (from == "" || from == StateDraft || from == StateScheduled) {
			break
		}
	}
	return out
}

// within says whether the state was reached not longer ago than the step
// allows, by the clocks of those who took both.
func within(ch *sync.Change, state string, step Transition) bool {
	for _, event := range slices.Backward(members.Objects(ch.Old.Fields, "events")) {
		if members.Text(event, "state") != state || !members.Flag(event, "moved") {
			continue
		}
		since := ch.At.Sub(members.Time(event, "at"))
		return since >= 0 && since <= step.Within
	}
	return false
}

// maySkip says whether the actor's profile lets him begin work without having
// been en route.
func maySkip(r sync.Reader) (bool, error) {
	profile, err := company.ProfileOf(r, r.Actor().User)
	return profile.SkipEnRoute, err
}
