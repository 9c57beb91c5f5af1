package tasks_test

import (
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

func TestHowATaskBegins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		by    sync.Actor
		set   sync.Fields
		want  fault.Code
		state string
	}{
		{"by the office", denis, sync.Fields{"clientId": "dupont"}, "", "draft"},
		{"scheduled", denis, sync.Fields{"state": "scheduled"}, "", "scheduled"},
		{"dispatched to an employee", denis, sync.Fields{"state": "dispatched", "employeeIds": []any{"tom"}}, "", "dispatched"},
		{"dispatched to a team", denis, sync.Fields{"state": "dispatched", "teamIds": []any{"north"}}, "", "dispatched"},
		{"dispatched to nobody", denis, sync.Fields{"state": "dispatched"}, fault.InvalidInput, ""},
		{"under way", denis, sync.Fields{"state": "enRoute", "employeeIds": []any{"tom"}}, fault.InvalidInput, ""},
		{"brought in from elsewhere", system, sync.Fields{"state": "completed"}, "", "completed"},
		{"end before start", denis, sync.Fields{"plannedStart": "2026-11-23T10:00:00Z", "plannedEnd": "2026-11-23T09:00:00Z"}, fault.InvalidInput, ""},
		{"a lead who is not on it", denis, sync.Fields{"employeeIds": []any{"tom"}, "leadId": "uma"}, fault.InvalidInput, ""},
		{"by a technician", tom, sync.Fields{"clientId": "roy"}, "", "dispatched"},
		{"by a technician, said", tom, sync.Fields{"state": "dispatched"}, "", "dispatched"},
		{"a draft by a technician", tom, sync.Fields{"state": "draft"}, fault.FieldNotAllowed, ""},
		{"by a technician for a colleague", tom, sync.Fields{"employeeIds": []any{"tim"}}, fault.FieldNotAllowed, ""},
		{"with a price by a technician", tom, sync.Fields{"items": []any{map[string]any{"id": "i", "unitPrice": 100.0}}}, fault.FieldNotAllowed, ""},
		{"by a technician without leave", uma, sync.Fields{"clientId": "dupont"}, fault.Forbidden, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			expectCode(t, c.what, w.Write(c.by, enginetest.Create("task", "t", c.set)), c.want)
			if c.want != "" {
				return
			}
			if got := w.Fields("task", "t")["state"]; got != c.state {
				t.Errorf("state is %v, want %s", got, c.state)
			}
			if e := lastEvent(w); e["state"] != c.state || e["flagged"] != false {
				t.Errorf("its first event is %v", e)
			}
		})
	}
}

func TestATaskMadeInTheFieldIsItsMakers(t *testing.T) {
	t.Parallel()
	w := world(t)
	res := w.Push(tom,
		enginetest.Create("client", "mine", sync.Fields{"name": "Mine"}),
		enginetest.Create("task", "t", sync.Fields{"clientId": "mine", "summary": "Leak"}))
	for _, r := range res {
		expectRefused(t, "made in the field", r, "")
	}
	f := w.Fields("task", "t")
	if f["source"] != "field" || f["leadId"] != "tom" || f["state"] != "dispatched" || f["currency"] != "CAD" {
		t.Errorf("the task is %v", f)
	}
	if !w.Sees(tom, "task", "t") || !w.Sees(tom, "client", "mine") {
		t.Error("what he made vanished from his phone")
	}
	if w.Sees(tim, "task", "t") {
		t.Error("a colleague sees it")
	}
}

func TestOption11LimitsWhatTechniciansMake(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom") // he holds Dupont because of it
	w.View(tom)
	expectRefused(t, "for a client held by a task only", w.PushOne(tom, enginetest.Create("task", "t2", sync.Fields{"clientId": "dupont"})), fault.ClientNotAssigned)
	expectRefused(t, "for a client of his", w.PushOne(tom, enginetest.Create("task", "t3", sync.Fields{"clientId": "roy"})), "")
	w.MustWrite(denis, enginetest.Update("client", "dupont", 0, sync.Fields{"assignedTeamIds": []any{"north"}}))
	expectRefused(t, "for a client of his team", w.PushOne(tom, enginetest.Create("task", "t4", sync.Fields{"clientId": "dupont"})), "")
	kept := 0
	for _, r := range w.All("rejection") {
		if r["code"] == string(fault.ClientNotAssigned) {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d rejections are kept, want 1", kept)
	}
}

func TestADisabledClientGetsNoNewWork(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "scheduled", "tom")
	w.MustWrite(denis, enginetest.Update("client", "dupont", 0, sync.Fields{"disabled": true}))
	expectCode(t, "new work", w.Write(denis, enginetest.Create("task", "t2", sync.Fields{"clientId": "dupont"})), fault.ClientDisabled)
	w.MustWrite(denis, enginetest.Create("task", "t3", sync.Fields{"clientId": "roy"}))
	expectCode(t, "work moved to it", w.Write(denis, enginetest.Update("task", "t3", 0, sync.Fields{"clientId": "dupont"})), fault.ClientDisabled)
	expectCode(t, "work it has", w.Write(denis, step("dispatched", "")), "")
	if !w.Sees(tom, "client", "dupont") {
		t.Error("the task travels without its client")
	}
}

func TestWhatTechniciansMayChangeOfATask(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom")
	w.View(tom)
	for _, c := range []struct {
		set  sync.Fields
		want fault.Code
	}{
		{sync.Fields{"summary": "Leak"}, ""},
		{sync.Fields{"description": "In the cellar"}, ""},
		{sync.Fields{"custom": map[string]any{"meter": "12"}}, ""},
		{sync.Fields{"equipmentIds": []any{"furnace"}}, ""},
		{sync.Fields{"items": []any{map[string]any{"id": "i1", "text": "Filter", "quantity": 1.0}}}, ""},
		{sync.Fields{"plannedStart": "2026-11-24T13:00:00Z"}, ""},
		{sync.Fields{"items": []any{map[string]any{"id": "i1", "unitPrice": 1.0}}}, fault.FieldNotAllowed},
		{sync.Fields{"employeeIds": []any{"tim"}}, fault.FieldNotAllowed},
		{sync.Fields{"teamIds": []any{"north"}}, fault.FieldNotAllowed},
		{sync.Fields{"clientId": "roy"}, fault.FieldNotAllowed},
		{sync.Fields{"signatureRequired": false}, fault.FieldNotAllowed},
		{sync.Fields{"number": 7.0}, fault.FieldNotAllowed},
		{sync.Fields{"category": "done"}, fault.InvalidInput},
		{sync.Fields{"clientSnapshot": map[string]any{}}, fault.InvalidInput},
		{sync.Fields{"receipts": map[string]any{"tom": map[string]any{"openedAt": "2026-11-21T12:00:00Z"}}}, ""},
		{sync.Fields{"receipts": map[string]any{"tom": map[string]any{"receivedAt": "2026-11-21T12:00:00Z"}}}, fault.FieldNotAllowed},
		{sync.Fields{"receipts": map[string]any{"uma": map[string]any{"openedAt": "2026-11-21T12:00:00Z"}}}, fault.FieldNotAllowed},
		{sync.Fields{"receipts": map[string]any{"tom": "yes"}}, fault.FieldNotAllowed},
	} {
		for name := range c.set {
			expectRefused(t, name, w.PushOne(tom, seen(enginetest.Update("task", "t", 0, c.set))), c.want)
		}
	}
	expectRefused(t, "deletion", w.PushOne(tom, seen(enginetest.Delete("task", "t", 0))), fault.Forbidden)
	unset := seen(enginetest.Update("task", "t", 0, nil))
	unset.Unset = []string{"state"}
	expectRefused(t, "without a state", w.PushOne(tom, unset), fault.FieldNotAllowed)
	if got := w.Fields("task", "t")["state"]; got != "dispatched" {
		t.Errorf("state is %v", got)
	}
}

func TestATaskAlwaysHasAState(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom")
	expectCode(t, "taken away", w.Write(denis, enginetest.Update("task", "t", 0, sync.Fields{"state": nil})), fault.InvalidInput)
	if f := w.Fields("task", "t"); f["state"] != "dispatched" || f["category"] != "open" {
		t.Errorf("state is %v, category %v", f["state"], f["category"])
	}
}

func TestATaskTravelsWithWhatItNeeds(t *testing.T) {
	t.Parallel()
	w := world(t)
	sees := func(what string, want bool) {
		t.Helper()
		for _, key := range []sync.Key{{Kind: "task", ID: "t"}, {Kind: "client", ID: "dupont"}, {Kind: "contact", ID: "lise"}, {Kind: "client", ID: "roy"}, {Kind: "equipment", ID: "furnace"}} {
			if got := w.Sees(tim, key.Kind, key.ID); got != want {
				t.Errorf("%s: %s is seen: %v", what, key, got)
			}
		}
	}
	w.MustWrite(denis, enginetest.Create("task", "t", sync.Fields{
		"clientId": "dupont", "contactId": "lise", "equipmentIds": []any{"furnace"}, "employeeIds": []any{"tim"}, "state": "scheduled"}))
	sees("scheduled", false)
	w.MustWrite(denis, step("dispatched", ""))
	sees("dispatched", true)
	w.MustWrite(denis, step("scheduled", ""))
	sees("recalled", false)
	w.MustWrite(denis, step("dispatched", ""), step("enRoute", ""), step("inProgress", ""), step("completed", ""))
	sees("finished, without a day", false)
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"plannedStart": "2026-11-14T23:30:00-05:00"}))
	sees("finished a week ago", true)
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"plannedStart": "2026-11-13T23:30:00-05:00"}))
	sees("finished eight days ago", false)
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"plannedEnd": "2026-11-14T01:00:00-05:00"}))
	sees("finished eight days ago, after midnight", true)
	w.Clock.Advance(24 * time.Hour)
	sees("a day later", false)
}

func TestTheLeadLeavesWithTheEmployee(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("task", "t", sync.Fields{"employeeIds": []any{"tom", "uma"}, "leadId": "tom"}))
	w.MustWrite(denis, enginetest.Update("task", "t", 0, sync.Fields{"employeeIds": []any{"uma"}}))
	if got := w.Fields("task", "t")["leadId"]; got != nil {
		t.Errorf("the lead is %v", got)
	}
}

func TestThePayersCurrencyIsTheTasks(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("client", "branch", sync.Fields{"name": "Branch", "currency": "EUR", "payerId": "roy"}))
	for id, c := range map[string][2]string{"t1": {"dupont", "CAD"}, "t2": {"roy", "USD"}, "t3": {"branch", "USD"}} {
		w.MustWrite(denis, enginetest.Create("task", id, sync.Fields{"clientId": c[0]}))
		if got := w.Fields("task", id)["currency"]; got != c[1] {
			t.Errorf("for %s: %v, want %s", c[0], got, c[1])
		}
	}
	expectCode(t, "not a currency", w.Write(denis, enginetest.Create("task", "t4", sync.Fields{"currency": "xxx"})), fault.InvalidInput)
	expectCode(t, "not a currency later", w.Write(denis, enginetest.Update("task", "t1", 0, sync.Fields{"currency": "cad"})), fault.InvalidInput)
	w.MustWrite(denis, enginetest.Update("task", "t1", 0, sync.Fields{"currency": "CHF"}))
	w.MustWrite(denis, enginetest.Update("task", "t1", 0, sync.Fields{"currency": nil}))
	if got := w.Fields("task", "t1")["currency"]; got != "CAD" {
		t.Errorf("a task whose currency is taken away has %v", got)
	}
}

func TestEveryTaskHasItsOwnNumber(t *testing.T) {
	t.Parallel()
	w := world(t)
	number := func(id string) any { t.Helper(); return w.Fields("task", id)["number"] }
	w.MustWrite(denis, enginetest.Create("task", "a", nil), enginetest.Create("task", "b", nil))
	from, to, err := w.Numbers(t.Context(), tom, "task", 3)
	if err != nil || from != 3 || to != 5 {
		t.Fatalf("lent %d to %d, %v", from, to, err)
	}
	w.MustWrite(denis, enginetest.Create("task", "c", sync.Fields{"number": 6.0}), enginetest.Create("task", "d", nil))
	for id, want := range map[string]float64{"a": 1, "b": 2, "c": 6, "d": 7} {
		if got := number(id); got != want {
			t.Errorf("%s has number %v, want %v", id, got, want)
		}
	}
	expectRefused(t, "a lent one", w.PushOne(tom, enginetest.Create("task", "e", sync.Fields{"number": 4.0})), "")
	if got := number("e"); got != 4.0 {
		t.Errorf("a lent number became %v", got)
	}
	expectCode(t, "a taken one, from a console", w.Write(denis, enginetest.Create("task", "f", sync.Fields{"number": 4.0})), fault.ValueTaken)
	if res := w.PushOne(tom, enginetest.Create("task", "f", sync.Fields{"number": 4.0})); res.Status != sync.Merged {
		t.Errorf("a taken one, offline: %+v", res)
	}
	if got := number("f"); got != 8.0 {
		t.Errorf("a taken number became %v, want the next", got)
	}
}

func TestTwoSignaturesAreBothKept(t *testing.T) {
	t.Parallel()
	w := world(t)
	task(t, w, "dispatched", "tom", "uma")
	signed := func(name string) sync.Mutation {
		return seen(enginetest.Update("task", "t", 0, sync.Fields{"signature": map[string]any{"outcome": "signed", "name": name}}))
	}
	expectRefused(t, "Tom's", w.PushOne(tom, signed("Lise")), "")
	expectRefused(t, "Tom's again", w.PushOne(tom, signed("Lise Roy")), "")
	if got := len(w.All("conflict")); got != 0 {
		t.Errorf("one's own correction made %d conflicts", got)
	}
	expectRefused(t, "Uma's", w.PushOne(uma, signed("Luc")), "")
	now := members.Object(w.Fields("task", "t"), "signature")
	if now["name"] != "Luc" || now["by"] != "uma" || now["at"] != "2026-11-21T12:00:00.000Z" {
		t.Errorf("the signature is %v", now)
	}
	for _, c := range w.All("conflict") {
		if members.Text(members.Object(c, "discarded"), "name") != "Lise Roy" || c["level"] != "info" {
			t.Errorf("the other is kept as %v", c)
		}
	}
	if got := len(w.All("conflict")); got != 1 {
		t.Errorf("%d conflicts", got)
	}
}

// A task goes on naming equipment that was deleted. Touching the task gives
// nobody the client whose equipment it was.
func TestATouchedTaskGrantsNothingOfDeletedEquipment(t *testing.T) {
	t.Parallel()
	w := world(t)
	tim := enginetest.Phone("tim")
	w.MustWrite(denis,
		enginetest.Create("client", "gagnon", sync.Fields{"name": "Gagnon"}),
		enginetest.Create("equipment", "boiler", sync.Fields{"clientId": "gagnon", "name": "Boiler"}),
		enginetest.Create("task", "t", sync.Fields{
			"clientId": "dupont", "equipmentIds": []any{"boiler"}, "state": "dispatched", "employeeIds": []any{"tim"}}))
	w.MustWrite(denis, enginetest.Delete("equipment", "boiler", 0))
	w.Clock.Advance(60 * 24 * time.Hour) // what he held before no longer counts
	_, cursor := w.Pull(tim, "")
	w.Pull(tim, cursor)
	got := w.Push(tim,
		enginetest.Update("task", "t", w.RevOf("task", "t"), sync.Fields{"description": "x"}),
		enginetest.Create("contact", "spy", sync.Fields{"clientId": "gagnon", "firstName": "Spy"}))
	if got[0].Status != sync.Applied {
		t.Errorf("the task: %+v", got[0])
	}
	expectRefused(t, "a contact of the other client", got[1], fault.NotFound)
}
