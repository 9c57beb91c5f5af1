package tasks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

func TestStepsFromAConsole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to, reason string
		want             fault.Code
	}{
		{"scheduled", "dispatched", "", ""},
		{"dispatched", "scheduled", "", ""},
		{"dispatched", "inProgress", "", ""},
		{"inProgress", "incomplete", "", fault.ReasonRequired},
		{"inProgress", "incomplete", "no part", ""},
		{"incomplete", "scheduled", "", ""},
		{"completed", "inProgress", "", ""},
		{"dispatched", "cancelled", "", fault.ReasonRequired},
		{"dispatched", "cancelled", "by mistake", ""},
		{"cancelled", "draft", "", ""},
		{"completed", "cancelled", "by mistake", fault.IllegalTransition},
		{"dispatched", "completed", "", fault.IllegalTransition},
		{"completed", "enRoute", "", fault.IllegalTransition},
		{"draft", "dispatched", "", fault.IllegalTransition},
		{"dispatched", "onSite", "", fault.InvalidInput},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			task(t, w, c.from, "tom")
			expectCode(t, "step", w.Write(denis, step(c.to, c.reason)), c.want)
			want := c.to
			if c.want != "" {
				want = c.from
			}
			if got := w.Fields("task", "t")["state"]; got != want {
				t.Errorf("state is %v, want %s", got, want)
			}
		})
	}
}

// kept is what becomes of a step that a phone reports.
type kept struct {
	state    string // of the task afterwards
	flagged  bool   // of the event
	conflict string // reason of the conflict; "" for none
	refused  fault.Code
}

func TestStepsFromAPhone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to, reason string
		by               sync.Actor
		want             kept
	}{
		{"dispatched", "enRoute", "", tom, kept{state: "enRoute"}},
		{"enRoute", "dispatched", "", tom, kept{state: "dispatched"}},
		{"enRoute", "inProgress", "", tom, kept{state: "inProgress"}},
		{"inProgress", "completed", "", tom, kept{state: "completed"}},
		{"inProgress", "incomplete", "no part", tom, kept{state: "incomplete"}},
		{"inProgress", "incomplete", "", tom, kept{state: "inProgress", refused: fault.ReasonRequired}},
		{"dispatched", "scheduled", "too far", tom, kept{state: "scheduled"}},
		{"dispatched", "scheduled", "", tom, kept{state: "dispatched", refused: fault.ReasonRequired}},
		{"completed", "inProgress", "", tom, kept{state: "inProgress"}},
		{"dispatched", "inProgress", "", tom, kept{state: "dispatched", flagged: true, conflict: "illegalState"}},
		{"dispatched", "completed", "", tom, kept{state: "dispatched", flagged: true, conflict: "illegalState"}},
		{"inProgress", "enRoute", "", tom, kept{state: "inProgress"}},
		{"completed", "enRoute", "", tom, kept{state: "completed"}},
		{"inProgress", "inProgress", "", tom, kept{state: "inProgress"}},
		{"dispatched", "cancelled", "no", tom, kept{state: "dispatched", refused: fault.Forbidden}},
		{"cancelled", "enRoute", "", tom, kept{state: "cancelled", flagged: true, conflict: "afterReassignment"}},
		{"completed", "cancelled", "no", denisPhone, kept{state: "completed", flagged: true, conflict: "illegalState"}},
		{"scheduled", "dispatched", "", denisPhone, kept{state: "dispatched"}},
	} {
		t.Run(c.by.User+" "+c.from+" to "+c.to, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			task(t, w, c.from, "tom")
			before := len(members.Objects(w.Fields("task", "t"), "events"))
			res := w.PushOne(c.by, seen(step(c.to, c.reason)))
			expectRefused(t, "step", res, c.want.refused)
			f := w.Fields("task", "t")
			if f["state"] != c.want.state {
				t.Errorf("state is %v, want %s", f["state"], c.want.state)
			}
			if c.want.refused != "" {
				return
			}
			if got := len(members.Objects(f, "events")); got != before+1 {
				t.Fatalf("%d events were added", got-before)
			}
			if e := lastEvent(w); e["state"] != c.to || e["flagged"] != c.want.flagged {
				t.Errorf("the event is %v", e)
			}
			expectConflict(t, w, c.want.conflict)
		})
	}
}

// expectConflict is that there is one about the state, with this reason; or none.
func expectConflict(t *testing.T, w *enginetest.World, reason string) {
	t.Helper()
	all := w.All("conflict")
	if reason == "" && len(all) != 0 || reason != "" && len(all) != 1 {
		t.Errorf("conflicts: %v", all)
	}
	for _, c := range all {
		if c["docId"] != "t" || c["field"] != "state" || c["reason"] != reason || c["level"] != "decide" {
			t.Errorf("the conflict is %v, want reason %s", c, reason)
		}
	}
}

func TestAFlaggedStateWasNotReached(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom")
	for range 2 {
		res := w.PushOne(tom, seen(step("completed", "")))
		if e := lastEvent(w); res.Status != sync.Merged || e["flagged"] != true {
			t.Errorf("%+v, event %v", res, e)
		}
	}
}

func TestReopeningHasAnEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after time.Duration
		by    sync.Actor
		want  string
	}{
		{15 * time.Minute, tom, "inProgress"},
		{16 * time.Minute, tom, "completed"},
		{time.Hour, denisPhone, "inProgress"},
	} {
		w := world(t)
		task(t, w, "completed", "tom")
		w.Clock.Advance(c.after)
		expectRefused(t, "reopened", w.PushOne(c.by, seen(step("inProgress", ""))), "")
		if got := w.Fields("task", "t")["state"]; got != c.want {
			t.Errorf("%s after %v: %v, want %s", c.by.User, c.after, got, c.want)
		}
	}
}

func TestWhatWasDoneBeforeTheEndDoesNotReopen(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom", "uma")
	begun := w.Clock.Now()
	w.Clock.Advance(10 * time.Minute)
	for _, s := range []string{"enRoute", "inProgress", "completed"} {
		w.PushOne(tom, seen(step(s, "")))
	}
	late := step("inProgress", "")
	late.At = &begun
	expectRefused(t, "the colleague's report", w.PushOne(uma, late), "")
	if got := w.Fields("task", "t")["state"]; got != "completed" {
		t.Errorf("the task went back to %v", got)
	}
	if e := lastEvent(w); e["state"] != "inProgress" || e["employee"] != "uma" || e["flagged"] != false {
		t.Errorf("the report is kept as %v", e)
	}
}

func TestSkippingEnRouteIsTheProfilesLeave(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom")
	w.MustWrite(enginetest.Console("anne"), enginetest.Update("mobileProfile", "filtered", 0, sync.Fields{"skipEnRoute": true}))
	res := w.PushOne(tom, seen(step("inProgress", "")))
	if got := w.Fields("task", "t")["state"]; res.Status != sync.Applied || got != "inProgress" {
		t.Errorf("%+v, state %v", res, got)
	}
}

func TestAnEventTellsWhoWhenWhereAndWhy(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "inProgress", "tom")
	w.Clock.Advance(time.Hour)
	at := w.Clock.Now().Add(-10 * time.Minute)
	m := seen(step("incomplete", "no part"))
	m.Set["position"] = map[string]any{"lat": 45.5, "lng": -73.6}
	m.At = &at
	expectRefused(t, "pushed", w.PushOne(tom, m), "")
	e := lastEvent(w)
	for name, want := range map[string]any{
		"state": "incomplete", "from": "inProgress", "reason": "no part", "employee": "tom", "device": "phone-tom",
		"at": "2026-11-21T12:50:00.000Z", "deviceAt": "2026-11-21T12:50:00.000Z", "receivedAt": "2026-11-21T13:00:00.000Z",
		"flagged": false,
	} {
		if e[name] != want {
			t.Errorf("%s is %v, want %v", name, e[name], want)
		}
	}
	if got := members.Number(members.Object(e, "position"), "lat"); got != 45.5 {
		t.Errorf("position is %v", e["position"])
	}
	f := w.Fields("task", "t")
	if f["position"] != nil {
		t.Errorf("the task itself has position %v", f["position"])
	}
	ids := map[any]bool{}
	for _, e := range members.Objects(f, "events") {
		ids[e["id"]] = true
	}
	if len(ids) != 4 {
		t.Errorf("the ids of its 4 events: %v", ids)
	}
	expectCode(t, "writing events oneself", w.Write(denis, enginetest.Update("task", "t", 0, sync.Fields{"events": []any{}})), fault.InvalidInput)
}

func TestWorkAfterReassignmentIsKeptAndFlagged(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "enRoute", "tom")
	w.View(tom)
	_, cursor := w.Pull(tom, "")
	w.Pull(tom, cursor)
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"employeeIds": []any{"uma"}}))
	results := w.Push(tom,
		step("enRoute", ""),
		step("inProgress", ""),
		enginetest.Update("task", "t", 0, sync.Fields{"items": []any{map[string]any{"id": "i1", "text": "Filter", "quantity": 2.0}}}),
		enginetest.Update("task", "t", 0, sync.Fields{"signature": map[string]any{"outcome": "signed", "name": "Lise"}}),
	)
	for i, want := range []sync.Status{sync.Applied, sync.Merged, sync.Merged, sync.Merged} {
		if results[i].Status != want {
			t.Errorf("mutation %d: %+v, want %s", i, results[i], want)
		}
	}
	f := w.Fields("task", "t")
	if f["state"] != "enRoute" {
		t.Errorf("the state moved to %v", f["state"])
	}
	if got := members.Objects(f, "items"); len(got) != 1 || got[0]["text"] != "Filter" {
		t.Errorf("the parts used are %v", got)
	}
	if got := members.Text(members.Object(f, "signature"), "name"); got != "Lise" {
		t.Errorf("the signature is %v", f["signature"])
	}
	if e := lastEvent(w); e["state"] != "inProgress" || e["flagged"] != true {
		t.Errorf("the last event is %v", e)
	}
	reasons := map[any]any{}
	for _, c := range w.All("conflict") {
		reasons[c["field"]] = c["reason"]
	}
	for _, field := range []string{"state", "items", "signature"} {
		if reasons[field] != "afterReassignment" {
			t.Errorf("the dispatcher is told %v of %s", reasons[field], field)
		}
	}
}

func TestASignatureIsAskedWhereItIsOwed(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "inProgress", "tom")
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"signatureRequired": true}))
	expectCode(t, "from a console", w.Write(denis, step("completed", "")), fault.SignatureRequired)
	if res := w.PushOne(tom, seen(step("completed", ""))); res.Status != sync.Merged || lastEvent(w)["flagged"] != true {
		t.Errorf("from a phone: %+v, %v", res, lastEvent(w))
	}
	for _, signature := range []map[string]any{{"outcome": "absent"}, {"outcome": "refused", "reason": " "}, {}} {
		done := step("completed", "")
		done.Set["signature"] = signature
		expectCode(t, fmt.Sprint(signature), w.Write(denis, done), fault.SignatureRequired)
	}
	done := seen(step("completed", ""))
	done.Set["signature"] = map[string]any{"outcome": "refused", "reason": "in a hurry"}
	if res := w.PushOne(tom, done); res.Status != sync.Applied {
		t.Errorf("with a signature: %+v", res)
	}
	if got := w.Fields("task", "t")["state"]; got != "completed" {
		t.Errorf("state is %v", got)
	}
}

func TestNobodyTakesAwayWhatTheFieldReported(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "inProgress", "tom")
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"signature": map[string]any{"outcome": "signed", "name": "Lise"}}))
	for field, want := range map[string]fault.Code{
		"state": fault.InvalidInput, "signature": fault.FieldNotAllowed, "receipts": fault.FieldNotAllowed, "events": fault.InvalidInput,
	} {
		expectCode(t, "no "+field, w.Write(denis, enginetest.Update("task", "t", 0, sync.Fields{field: nil})), want)
	}
}

func TestANullReasonIsNone(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "enRoute", "tom")
	to := func(state string) sync.Mutation {
		return enginetest.Update("task", "t", 0, sync.Fields{"state": state, "reason": nil})
	}
	expectCode(t, "where none is needed", w.Write(denis, to("inProgress")), "")
	expectCode(t, "where one is", w.Write(denis, to("incomplete")), fault.ReasonRequired)
}

func TestTheClientIsFrozenAtTheEnd(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "completed", "tom")
	w.MustWrite(denis, enginetest.Update("client", "dupont", 0, sync.Fields{"name": "Dupond", "address": map[string]any{"city": "Montréal"}}))
	w.MustWrite(denis, enginetest.Delete("client", "dupont", 0))
	s := members.Object(w.Fields("task", "t"), "clientSnapshot")
	if s["name"] != "Dupont" || s["phone"] != "514 555-0123" || members.Text(members.Object(s, "address"), "city") != "Laval" {
		t.Errorf("the task remembers %v", s)
	}
}

// A cancelled task does not come back for a client that takes no new work.
func TestReopeningForAClientThatIsGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change sync.Mutation
		want   fault.Code
	}{
		"there":    {enginetest.Update("client", "dupont", 0, sync.Fields{"note": "x"}), ""},
		"disabled": {enginetest.Update("client", "dupont", 0, sync.Fields{"disabled": true}), fault.ClientDisabled},
		"deleted":  {enginetest.Delete("client", "dupont", 0), fault.InvalidInput},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			task(t, w, "cancelled", "tom")
			w.MustWrite(denis, c.change)
			expectCode(t, "reopening", w.Write(denis, step("draft", "")), c.want)
		})
	}
}

// The signature of one visit does not pass for that of the next: it stays with
// the event that ended the visit.
func TestAFollowUpVisitNeedsItsOwnSignature(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "inProgress", "tom")
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{
		"signatureRequired": true, "signature": map[string]any{"outcome": "signed", "name": "Lise"}}))
	for _, s := range []string{"incomplete", "scheduled", "dispatched", "enRoute", "inProgress"} {
		w.MustWrite(denis, step(s, "because"))
	}
	f := w.Fields("task", "t")
	if f["signature"] != nil {
		t.Errorf("the signature is still %v", f["signature"])
	}
	expectCode(t, "completed without a new one", w.Write(denis, step("completed", "")), fault.SignatureRequired)
	kept := 0
	for _, e := range members.Objects(f, "events") {
		if s := members.Object(e, "signature"); s != nil && e["state"] == "scheduled" && s["name"] == "Lise" {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("the signature is kept with %d events, should be with one", kept)
	}
}
