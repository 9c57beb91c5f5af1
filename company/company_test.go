package company_test

import (
	"testing"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

func boss() sync.Fields {
	return sync.Fields{"name": "Anne", "email": "anne@example.com", "role": "admin"}
}

// world has an administrator, a dispatcher and a technician.
func world(t *testing.T) *enginetest.World {
	t.Helper()
	return enginetest.New(t, enginetest.Options{
		Kinds: company.Kinds(),
		Seed: []sync.Mutation{
			enginetest.Create("workspaceSettings", "settings", sync.Fields{"name": "Acme"}),
			enginetest.Create("employee", "anne", boss()),
			enginetest.Create("employee", "denis", sync.Fields{"name": "Denis", "email": "denis@example.com", "role": "dispatcher"}),
			enginetest.Create("employee", "tom", sync.Fields{"name": "Tom", "email": "tom@example.com", "role": "technician"}),
		},
	})
}

func expectCode(t *testing.T, what string, err error, want fault.Code) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && !fault.Is(err, want):
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

func TestWhoMayChangeTheCompany(t *testing.T) {
	t.Parallel()
	w := world(t)
	for _, c := range []struct {
		what     string
		change   sync.Mutation
		by       string
		expected fault.Code
	}{
		{"a technician renames himself", enginetest.Update("employee", "tom", 0, sync.Fields{"name": "Thomas"}), "tom", fault.Forbidden},
		{"a technician promotes himself", enginetest.Update("employee", "tom", 0, sync.Fields{"role": "admin"}), "tom", fault.Forbidden},
		{"a dispatcher promotes himself", enginetest.Update("employee", "denis", 0, sync.Fields{"role": "admin"}), "denis", fault.Forbidden},
		{"a dispatcher changes the settings", enginetest.Update("workspaceSettings", "settings", 0, sync.Fields{"name": "Mine"}), "denis", fault.Forbidden},
		{"a dispatcher makes a profile", enginetest.Create("mobileProfile", "p1", sync.Fields{"name": "P"}), "denis", fault.Forbidden},
		{"a dispatcher makes a team", enginetest.Create("team", "t1", sync.Fields{"name": "North", "memberIds": []any{"tom"}}), "denis", ""},
		{"a technician leaves a team", enginetest.Update("team", "t1", 0, sync.Fields{"memberIds": []any{}}), "tom", fault.Forbidden},
		{"an administrator makes a profile", enginetest.Create("mobileProfile", "p1", sync.Fields{"name": "P"}), "anne", ""},
		{"an administrator hires", enginetest.Create("employee", "eve", sync.Fields{"name": "Ève", "email": "eve@example.com", "role": "technician"}), "anne", ""},
		{"an administrator deletes the settings", enginetest.Delete("workspaceSettings", "settings", 0), "anne", fault.Forbidden},
		{"second settings", enginetest.Create("workspaceSettings", "other", sync.Fields{}), "anne", fault.InvalidInput},
		{"a team of nobody", enginetest.Create("team", "t2", sync.Fields{"name": "Ghosts", "memberIds": []any{"nobody"}}), "anne", fault.InvalidInput},
	} {
		expectCode(t, c.what, w.Write(enginetest.Console(c.by), c.change), c.expected)
	}
}

func TestEmailsAreTakenWhateverTheirCase(t *testing.T) {
	t.Parallel()
	w := world(t)
	anne := enginetest.Console("anne")
	twin := enginetest.Create("employee", "tom2", sync.Fields{"name": "Tom", "email": "TOM@Example.com", "role": "technician"})
	expectCode(t, "hire a second Tom", w.Write(anne, twin), fault.EmailTaken)
	expectCode(t, "take Tom's", w.Write(anne, enginetest.Update("employee", "denis", 0, sync.Fields{"email": "tom@example.com"})), fault.EmailTaken)
	expectCode(t, "write one's own otherwise", w.Write(anne, enginetest.Update("employee", "tom", 0, sync.Fields{"email": "Tom@example.com"})), "")
}

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	w := world(t)
	anne := enginetest.Console("anne")
	for what, change := range map[string]sync.Mutation{
		"demote":     enginetest.Update("employee", "anne", 0, sync.Fields{"role": "dispatcher"}),
		"deactivate": enginetest.Update("employee", "anne", 0, sync.Fields{"active": false}),
		"delete":     enginetest.Delete("employee", "anne", 0),
	} {
		expectCode(t, what, w.Write(anne, change), fault.LastAdmin)
	}
	w.MustWrite(anne, enginetest.Update("employee", "denis", 0, sync.Fields{"role": "admin"}))
	expectCode(t, "demote one of two", w.Write(anne, enginetest.Update("employee", "anne", 0, sync.Fields{"role": "dispatcher"})), "")
	both := []sync.Mutation{
		enginetest.Update("employee", "anne", 0, sync.Fields{"role": "admin"}),
		enginetest.Update("employee", "anne", 0, sync.Fields{"active": false}),
		enginetest.Update("employee", "denis", 0, sync.Fields{"active": false}),
	}
	expectCode(t, "both at once", w.Write(enginetest.Console("denis"), both...), fault.LastAdmin)
}

func TestWhoWasRemovedDoesNotComeBackByALateEdit(t *testing.T) {
	t.Parallel()
	w := world(t)
	base := w.RevOf("employee", "tom")
	w.MustWrite(enginetest.Console("anne"), enginetest.Delete("employee", "tom", 0))
	res := w.PushOne(enginetest.Phone("anne"), enginetest.Update("employee", "tom", base, sync.Fields{"phone": "514 555-0123"}))
	if res.Status != sync.Merged {
		t.Fatalf("the late edit: %+v", res)
	}
	if got := w.Fields("employee", "tom"); got["active"] != false || got["phone"] != "514 555-0123" {
		t.Errorf("after the late edit: %v", got)
	}
}

func TestDefaultsAreWritten(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(enginetest.Console("anne"), enginetest.Create("mobileProfile", "p", sync.Fields{"name": "P"}))
	p := w.Fields("mobileProfile", "p")
	for name, want := range map[string]any{
		"filterClientsByAssignment": false, "clientCreate": false, "taskCreate": false,
		"skipEnRoute": false, "requireGps": false, "windowDaysPast": 7.0, "windowDaysFuture": 14.0,
		"punchPolicy": "restrictAssigned",
	} {
		if p[name] != want {
			t.Errorf("profile's %s is %v, want %v", name, p[name], want)
		}
	}
	if got := w.Fields("employee", "tom")["active"]; got != true {
		t.Errorf("a new employee's active is %v", got)
	}
	if got := w.Fields("workspaceSettings", "settings")["timeZone"]; got != "America/Toronto" {
		t.Errorf("a new workspace's time zone is %v", got)
	}
}

func TestAProfileInUseStays(t *testing.T) {
	t.Parallel()
	w := world(t)
	anne := enginetest.Console("anne")
	w.MustWrite(anne, enginetest.Create("mobileProfile", "p", sync.Fields{"name": "P"}))
	w.MustWrite(anne, enginetest.Update("employee", "tom", 0, sync.Fields{"mobileProfileId": "p"}))
	expectCode(t, "delete it", w.Write(anne, enginetest.Delete("mobileProfile", "p", 0)), fault.InUse)
	w.MustWrite(anne, enginetest.Update("employee", "tom", 0, sync.Fields{"mobileProfileId": nil}))
	expectCode(t, "delete it when nobody has it", w.Write(anne, enginetest.Delete("mobileProfile", "p", 0)), "")
}

func TestPhonesAreReadByTheRegionOfTheWorkspace(t *testing.T) {
	t.Parallel()
	w := world(t)
	anne := enginetest.Console("anne")
	set := func(phone any) any {
		t.Helper()
		w.MustWrite(anne, enginetest.Update("employee", "tom", 0, sync.Fields{"phone": phone}))
		return w.Fields("employee", "tom")["phoneE164"]
	}
	if got := set("514 555-0123 poste 4"); got != "+15145550123" {
		t.Errorf("in Canada: %v", got)
	}
	w.MustWrite(anne, enginetest.Update("workspaceSettings", "settings", 0, sync.Fields{"region": "FR"}))
	if got := set("01 42 68 53 00"); got != "+33142685300" {
		t.Errorf("in France: %v", got)
	}
	if got := set("demander à Lise"); got != nil {
		t.Errorf("of what is no number: %v", got)
	}
	if got := w.Fields("employee", "tom")["phone"]; got != "demander à Lise" {
		t.Errorf("what was typed became %v", got)
	}
	expectCode(t, "set it oneself", w.Write(anne, enginetest.Update("employee", "tom", 0, sync.Fields{"phoneE164": "+15145550123"})), fault.InvalidInput)
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	w := world(t)
	for _, c := range []struct {
		name  string
		value any
		ok    bool
	}{
		{"currency", "EUR", true},
		{"currency", "eur", false},
		{"currency", "XYZ", false},
		{"region", "FR", true},
		{"region", "fr", false},
		{"region", "ZZ", false},
		{"timeZone", "Europe/Paris", true},
		{"timeZone", "Laval", false},
		{"languages", []any{"fr-CA", "en"}, true},
		{"languages", []any{"joual?"}, false},
		{"businessHours", map[string]any{"monday": []any{"08:00-12:00", "13:00-17:00"}}, true},
		{"businessHours", map[string]any{"monday": []any{"17:00-08:00"}}, false},
		{"businessHours", map[string]any{"monday": []any{"8-12"}}, false},
		{"businessHours", map[string]any{"lundi": []any{"08:00-12:00"}}, false},
		{"quietHours", map[string]any{"start": "21:00", "end": "08:00"}, true},
		{"quietHours", map[string]any{"start": "9 pm"}, false},
		{"timeZone", nil, false},
	} {
		err := w.Write(enginetest.Console("anne"), enginetest.Update("workspaceSettings", "settings", 0, sync.Fields{c.name: c.value}))
		want := fault.InvalidInput
		if c.ok {
			want = ""
		}
		expectCode(t, c.name, err, want)
	}
}

func TestEverybodySeesTheCompany(t *testing.T) {
	t.Parallel()
	w := world(t)
	view := w.View(enginetest.Phone("tom"))
	for _, key := range []sync.Key{{Kind: "workspaceSettings", ID: "settings"}, {Kind: "employee", ID: "anne"}, {Kind: "employee", ID: "tom"}} {
		if _, ok := view[key]; !ok {
			t.Errorf("the technician does not see %s", key)
		}
	}
}
