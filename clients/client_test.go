package clients_test

import (
	"strings"
	"testing"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

func TestNamesAndCodesAreTakenOnce(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("client", "gone", sync.Fields{"name": "Éloïse  Côté", "disabled": true, "userId": "U1", "cardId": "K1"}))
	for _, c := range []struct {
		what string
		set  sync.Fields
		want fault.Code
	}{
		{"the same name", sync.Fields{"name": "Dupont"}, fault.NameTaken},
		{"in other case", sync.Fields{"name": "  DUPONT "}, fault.NameTaken},
		{"of a disabled client, without accents", sync.Fields{"name": "eloise cote"}, fault.NameTaken},
		{"the code", sync.Fields{"name": "New", "code": "d-1"}, fault.ValueTaken},
		{"the user id", sync.Fields{"name": "New", "userId": "u1"}, fault.ValueTaken},
		{"the card id", sync.Fields{"name": "New", "cardId": "k1"}, fault.ValueTaken},
		{"nothing", sync.Fields{"name": "New", "code": "D-2"}, ""},
	} {
		expectCode(t, c.what, w.Write(denis, enginetest.Create("client", "new", c.set)), c.want)
	}
	err := w.Write(denis, enginetest.Update("client", "roy", 0, sync.Fields{"name": "dupont"}))
	expectCode(t, "renamed", err, fault.NameTaken)
	if e := fault.Of(err); e.Args["other"] != "dupont" {
		t.Errorf("the refusal names %q, want the other client", e.Args["other"])
	}
}

func TestADuplicateMadeOfflineIsKeptUnderANumber(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("client", "second", sync.Fields{"name": "Dupont (2)"}))
	res := w.PushOne(tom, enginetest.Create("client", "mine", sync.Fields{"name": "dupont", "code": "D-1", "phone": "514 555-0123"}))
	if res.Status != sync.Merged {
		t.Fatalf("pushed: %+v", res)
	}
	expect(t, w, "client", "mine", sync.Fields{"name": "dupont (3)", "code": nil, "phoneE164": "+15145550123"})
	cases := map[any]sync.Fields{}
	for _, f := range w.All("conflict") {
		cases[f["field"]] = f
	}
	for field, want := range map[string][2]any{"name": {"dupont (3)", "dupont"}, "code": {nil, "D-1"}} {
		f := cases[field]
		if f["docId"] != "mine" || f["kept"] != want[0] || f["discarded"] != want[1] || f["level"] != "decide" || f["reason"] != "duplicate" || f["other"] != nil {
			t.Errorf("the case of %s: %v", field, f)
		}
	}
	if again := w.PushOne(tom, enginetest.Update("client", "mine", res.Rev, sync.Fields{"note": "call first"})); again.Status != sync.Applied {
		t.Errorf("an edit of it afterwards: %+v", again)
	}
}

func TestRenamingOfflineToATakenNameKeepsBoth(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Update("client", "roy", 0, sync.Fields{"userId": "u-roy"}))
	w.MustWrite(denis, enginetest.Update("client", "dupont", 0, sync.Fields{"userId": "u-dupont"}))
	base := w.RevOf("client", "roy")
	res := w.PushOne(denisPhone, enginetest.Update("client", "roy", base, sync.Fields{"name": "Dupont", "code": "D-1", "userId": "u-dupont"}))
	if res.Status != sync.Merged {
		t.Fatalf("pushed: %+v", res)
	}
	expect(t, w, "client", "roy", sync.Fields{"name": "Dupont (2)", "code": nil, "userId": "u-roy"})
}

func TestALongDuplicateNameStaysWithinItsLength(t *testing.T) {
	t.Parallel()
	w := world(t)
	name := strings.Repeat("é", 200)
	w.MustWrite(denis, enginetest.Create("client", "long", sync.Fields{"name": name}))
	if res := w.PushOne(tom, enginetest.Create("client", "mine", sync.Fields{"name": name})); res.Status != sync.Merged {
		t.Fatalf("pushed: %+v", res)
	}
	expect(t, w, "client", "mine", sync.Fields{"name": strings.Repeat("é", 196) + " (2)"})
}

func TestParentsAndPayersHaveNoCircles(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("client", "c", sync.Fields{"name": "C", "parentId": "roy", "payerId": "dupont"}))
	w.MustWrite(denis, enginetest.Update("client", "roy", 0, sync.Fields{"parentId": "dupont"}))
	for _, c := range []struct {
		id   string
		set  sync.Fields
		want fault.Code
	}{
		{"dupont", sync.Fields{"parentId": "dupont"}, fault.Cycle},
		{"dupont", sync.Fields{"parentId": "roy"}, fault.Cycle},
		{"dupont", sync.Fields{"parentId": "c"}, fault.Cycle},
		{"dupont", sync.Fields{"payerId": "c"}, fault.Cycle},
		{"dupont", sync.Fields{"payerId": "roy"}, ""},
		{"c", sync.Fields{"parentId": "dupont"}, ""},
	} {
		expectCode(t, c.id, w.Write(denis, enginetest.Update("client", c.id, 0, c.set)), c.want)
	}
}

func TestWhatTechniciansMayDoToClients(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("location", "everybodys", sync.Fields{"name": "Depot"}))
	w.View(tom) // his phone knows his clients
	for _, c := range []struct {
		what   string
		by     sync.Actor
		change sync.Mutation
		want   fault.Code
	}{
		{"phone", tom, enginetest.Update("client", "dupont", 1, sync.Fields{"phone": "514 555-0123"}), ""},
		{"custom", tom, enginetest.Update("client", "dupont", 1, sync.Fields{"custom": map[string]any{"gate": "12"}}), ""},
		{"name", tom, enginetest.Update("client", "dupont", 1, sync.Fields{"name": "Mine"}), fault.FieldNotAllowed},
		{"phone and name", tom, enginetest.Update("client", "dupont", 1, sync.Fields{"phone": "1", "name": "Mine"}), fault.FieldNotAllowed},
		{"removing the name's neighbour", tom, sync.Mutation{Kind: "client", DocID: "dupont", Op: sync.Update, Base: 1, Unset: []string{"code"}, ID: enginetest.Create("", "", nil).ID}, fault.FieldNotAllowed},
		{"assignment", tom, enginetest.Update("client", "dupont", 1, sync.Fields{"assignedEmployeeIds": []any{"uma"}}), fault.FieldNotAllowed},
		{"discount", tom, enginetest.Update("client", "dupont", 1, sync.Fields{"discountPercent": 50.0}), fault.FieldNotAllowed},
		{"deletion", tom, enginetest.Delete("client", "dupont", 1), fault.Forbidden},
		{"a client he does not see", tom, enginetest.Update("client", "roy", 1, sync.Fields{"phone": "1"}), fault.NotFound},
		{"creation without the profile's leave", uma, enginetest.Create("client", "new", sync.Fields{"name": "New"}), fault.Forbidden},
		{"creation with an assignment", tom, enginetest.Create("client", "new", sync.Fields{"name": "New", "assignedEmployeeIds": []any{"uma"}}), fault.FieldNotAllowed},
		{"a contact", tom, enginetest.Create("contact", "k", sync.Fields{"clientId": "dupont", "firstName": "Lise"}), ""},
		{"a contact's permissions", tom, enginetest.Update("contact", "k", 1, sync.Fields{"permissions": []any{"invoices"}}), fault.FieldNotAllowed},
		{"a contact of a client he does not see", tom, enginetest.Create("contact", "k2", sync.Fields{"clientId": "roy", "firstName": "Lise"}), fault.NotFound},
		{"equipment", tom, enginetest.Create("equipment", "e", sync.Fields{"clientId": "dupont", "name": "Furnace"}), ""},
		{"deleting equipment", tom, enginetest.Delete("equipment", "e", 1), fault.Forbidden},
		{"a location", tom, enginetest.Create("location", "l", sync.Fields{"clientId": "dupont", "name": "Cottage"}), ""},
		{"a location for everybody", tom, enginetest.Create("location", "l2", sync.Fields{"name": "Depot 2"}), fault.Forbidden},
		{"everybody's location", tom, enginetest.Update("location", "everybodys", 1, sync.Fields{"name": "Mine"}), fault.Forbidden},
		{"making a location everybody's", tom, enginetest.Update("location", "l", 1, sync.Fields{"clientId": nil}), fault.FieldNotAllowed},
	} {
		expectRefused(t, c.what, w.PushOne(c.by, c.change), c.want)
	}
}

func TestTheProfileNamesTheFieldsATechnicianEdits(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(enginetest.Console("anne"), enginetest.Update("mobileProfile", "filtered", 0, sync.Fields{"clientEditableFields": []any{"name"}}))
	w.View(tom)
	expectRefused(t, "name", w.PushOne(tom, enginetest.Update("client", "dupont", 1, sync.Fields{"name": "Dupond"})), "")
	expectRefused(t, "phone", w.PushOne(tom, enginetest.Update("client", "dupont", 1, sync.Fields{"phone": "1"})), fault.FieldNotAllowed)
}

func TestWhatIsMadeInTheFieldStaysOnThePhone(t *testing.T) {
	t.Parallel()
	w := world(t)
	res := w.Push(tom,
		enginetest.Create("client", "mine", sync.Fields{"name": "Mine"}),
		enginetest.Create("contact", "k", sync.Fields{"clientId": "mine", "firstName": "Lise"}),
		enginetest.Create("equipment", "e", sync.Fields{"clientId": "mine", "name": "Furnace"}),
	)
	for _, r := range res {
		expectRefused(t, "made in the field", r, "")
	}
	view := w.View(tom)
	for _, key := range []sync.Key{{Kind: "client", ID: "mine"}, {Kind: "contact", ID: "k"}, {Kind: "equipment", ID: "e"}} {
		if _, ok := view[key]; !ok {
			t.Errorf("%s vanished from the phone that made it", key)
		}
	}
	expect(t, w, "client", "mine", sync.Fields{"assignedEmployeeIds": []any{"tom"}, "billingSameAsShipping": true})
}

func TestWhoSeesAClient(t *testing.T) {
	t.Parallel()
	w := world(t)
	steps := []struct {
		what     string
		set      sync.Fields
		tom, uma bool
	}{
		{"unassigned", nil, false, true},
		{"assigned", sync.Fields{"assignedEmployeeIds": []any{"tom"}}, true, true},
		{"through his team", sync.Fields{"assignedEmployeeIds": []any{"uma"}, "assignedTeamIds": []any{"north"}}, true, true},
		{"disabled", sync.Fields{"disabled": true}, false, false},
		{"enabled again", sync.Fields{"disabled": false}, true, true},
		{"unassigned again", sync.Fields{"assignedTeamIds": nil}, false, true},
	}
	for _, s := range steps {
		if s.set != nil {
			w.MustWrite(denis, enginetest.Update("client", "roy", 0, s.set))
		}
		if got := w.Sees(tom, "client", "roy"); got != s.tom {
			t.Errorf("%s: the filtered technician sees it: %v", s.what, got)
		}
		if got := w.Sees(uma, "client", "roy"); got != s.uma {
			t.Errorf("%s: the other technician sees it: %v", s.what, got)
		}
	}
}

func TestDeletingAClientTakesAllOfItAlong(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis,
		enginetest.Create("contact", "k1", sync.Fields{"clientId": "dupont", "firstName": "Lise"}),
		enginetest.Create("contact", "k2", sync.Fields{"clientId": "dupont", "firstName": "Luc"}),
		enginetest.Create("location", "l", sync.Fields{"clientId": "dupont", "name": "Cottage"}),
		enginetest.Create("equipment", "e", sync.Fields{"clientId": "dupont", "name": "Furnace", "locationId": "l"}),
		enginetest.Create("task", "t1", sync.Fields{"clientId": "dupont", "category": "open", "number": 41.0}),
		enginetest.Create("task", "t2", sync.Fields{"clientId": "dupont", "category": "planned"}),
		enginetest.Create("task", "t3", sync.Fields{"clientId": "dupont", "category": "done", "number": 43.0}),
		enginetest.Create("client", "branch", sync.Fields{"name": "Branch", "parentId": "dupont", "payerId": "dupont"}),
	)
	err := w.Write(denis, enginetest.Delete("client", "dupont", 0))
	expectCode(t, "with open tasks", err, fault.OpenTasks)
	if got := fault.Of(err).Args["tasks"]; got != "41, t2" {
		t.Errorf("the refusal names %q", got)
	}
	w.MustWrite(denis,
		enginetest.Update("task", "t1", 0, sync.Fields{"category": "cancelled"}),
		enginetest.Update("task", "t2", 0, sync.Fields{"category": "done"}))
	w.MustWrite(denis, enginetest.Delete("client", "dupont", 0))
	for _, key := range []sync.Key{{Kind: "client", ID: "dupont"}, {Kind: "contact", ID: "k1"}, {Kind: "contact", ID: "k2"}, {Kind: "location", ID: "l"}, {Kind: "equipment", ID: "e"}} {
		if w.Has(key.Kind, key.ID) {
			t.Errorf("%s is still there", key)
		}
	}
	for _, id := range []string{"t1", "t2", "t3"} {
		if !w.Has("task", id) {
			t.Errorf("the finished task %s went too", id)
		}
	}
	expect(t, w, "client", "branch", sync.Fields{"name": "Branch", "parentId": nil, "payerId": nil})
}

func TestAnEditOfADeletedClientBringsItBackDisabled(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.View(tom)
	base := w.RevOf("client", "dupont")
	w.MustWrite(denis, enginetest.Delete("client", "dupont", 0))
	w.MustWrite(denis, enginetest.Create("client", "other", sync.Fields{"name": "Dupont"}))
	res := w.PushOne(tom, enginetest.Update("client", "dupont", base, sync.Fields{"phone": "514 555-0123"}))
	if res.Status != sync.Merged {
		t.Fatalf("pushed: %+v", res)
	}
	expect(t, w, "client", "dupont", sync.Fields{"disabled": true, "phone": "514 555-0123", "name": "Dupont (2)"})
}

func TestADeletedLocationIsForgotten(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis,
		enginetest.Create("location", "l", sync.Fields{"clientId": "dupont", "name": "Cottage"}),
		enginetest.Create("contact", "k", sync.Fields{"clientId": "dupont", "firstName": "Lise", "locationId": "l"}),
		enginetest.Create("equipment", "e", sync.Fields{"clientId": "dupont", "name": "Furnace", "locationId": "l"}))
	w.MustWrite(denis, enginetest.Delete("location", "l", 0))
	expect(t, w, "contact", "k", sync.Fields{"locationId": nil})
	expect(t, w, "equipment", "e", sync.Fields{"locationId": nil, "clientId": "dupont"})
}
