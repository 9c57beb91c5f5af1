package demo

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// morning is a Wednesday, half past ten in Montréal.
var morning = time.Date(2026, 11, 18, 15, 30, 0, 0, time.UTC)

func made(t *testing.T, seed uint64, now time.Time) *company {
	t.Helper()
	c, err := newCompany(seed, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ofKind(c *company, kind string) []sync.Mutation {
	var out []sync.Mutation
	for _, m := range c.creates {
		if m.Kind == kind {
			out = append(out, m)
		}
	}
	return out
}

func TestCompanyIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b := made(t, 1, morning), made(t, 1, morning)
	if !reflect.DeepEqual(a.creates, b.creates) || !reflect.DeepEqual(a.field, b.field) {
		t.Error("the same seed made two companies")
	}
	if other := made(t, 2, morning); reflect.DeepEqual(a.creates, other.creates) {
		t.Error("another seed made the same company")
	}
}

func TestCompanySize(t *testing.T) {
	t.Parallel()
	c := made(t, 1, morning)
	for kind, want := range map[string]int{
		"workspaceSettings": 1, "mobileProfile": 1, "employee": 14, "team": 2, "client": 300,
	} {
		if got := len(ofKind(c, kind)); got != want {
			t.Errorf("%d of kind %s, want %d", got, kind, want)
		}
	}
	for kind, least := range map[string]int{"contact": 75, "location": 20, "equipment": 300, "task": 400} {
		if got := len(ofKind(c, kind)); got < least {
			t.Errorf("%d of kind %s, want at least %d", got, kind, least)
		}
	}
}

// TestNamesAreUnique guards the rule that no two clients share a name, a code
// or an id; seeding would fail at the first.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		c := made(t, seed, morning)
		seen := map[string]bool{}
		for _, m := range c.creates {
			keys := []string{"id/" + m.Key().String()}
			if m.Kind == "client" {
				keys = append(keys, "name/"+strings.ToLower(m.Set["name"].(string)), "code/"+m.Set["code"].(string))
			}
			for _, k := range keys {
				if seen[k] {
					t.Errorf("seed %d: %s twice", seed, k)
				}
				seen[k] = true
			}
		}
	}
}

// TestNothingRingsAnywhere: no number or address can belong to somebody.
func TestNothingRingsAnywhere(t *testing.T) {
	t.Parallel()
	phone := regexp.MustCompile(`^\d{3} 555-01\d\d$`)
	for _, m := range made(t, 1, morning).creates {
		for _, name := range []string{"phone", "officePhone"} {
			if p, ok := m.Set[name].(string); ok && !phone.MatchString(p) {
				t.Errorf("%s: %s is %q", m.Key(), name, p)
			}
		}
		if e, ok := m.Set["email"].(string); ok && !strings.HasSuffix(e, ".example") {
			t.Errorf("%s: e-mail %q", m.Key(), e)
		}
		if ids, ok := m.Set["externalIds"].(map[string]any); m.Kind != "workspaceSettings" && m.Kind != "mobileProfile" && m.Kind != "team" &&
			(!ok || ids["demo"] != m.DocID) {
			t.Errorf("%s is not marked as synthetic", m.Key())
		}
	}
}

func TestClientsAreWhereTheyAre(t *testing.T) {
	t.Parallel()
	places, err := readPlaces()
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`^[GHJ]\d[A-Z] \d[A-Z]\d$`)
	for _, m := range ofKind(made(t, 1, morning), "client") {
		address := m.Set["address"].(map[string]any)
		town, err := find(places, address["city"].(string))
		if err != nil {
			t.Error(err)
			continue
		}
		at := m.Set["position"].(map[string]any)
		if d := town.distance(place{lat: at["lat"].(float64), lng: at["lng"].(float64)}); d > 2 {
			t.Errorf("%s lies %.1f km from %s", m.DocID, d, town.name)
		}
		if p := address["postalCode"].(string); !code.MatchString(p) {
			t.Errorf("%s: postal code %q", m.DocID, p)
		}
	}
}

// TestFieldWork: at any hour of any day, what technicians reported lies in
// the past, in order, and today every technician has something to do.
func TestFieldWork(t *testing.T) {
	t.Parallel()
	for hour := range 24 * 7 {
		now := morning.Add(time.Duration(hour) * time.Hour)
		c := made(t, 1, now)
		today := now.In(c.now.Location()).Format("2006-01-02")
		busy := map[any]bool{}
		for _, m := range ofKind(c, "task") {
			if start, _ := m.Set["plannedStart"].(string); strings.HasPrefix(start, today) && m.Set["state"] == "dispatched" {
				busy[m.Set["leadId"]] = true
			}
		}
		if len(busy) != technicianCount {
			t.Errorf("%s: %d technicians have work today", today, len(busy))
		}
		for _, done := range c.field {
			checkReports(t, now, done)
		}
	}
}

func checkReports(t *testing.T, now time.Time, done []sync.Mutation) {
	t.Helper()
	latest := map[string]time.Time{}
	for _, m := range done {
		if m.At.After(now) || m.At.Before(latest[m.DocID]) {
			t.Errorf("now %s: %s %v at %s, after %s", now, m.DocID, m.Set["state"], m.At, latest[m.DocID])
		}
		latest[m.DocID] = *m.At
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	places, err := readPlaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(places) < 450 {
		t.Errorf("%d places", len(places))
	}
	laval, err := find(places, "Laval")
	if err != nil {
		t.Fatal(err)
	}
	longueuil, err := find(places, "Longueuil")
	if err != nil {
		t.Fatal(err)
	}
	if d := laval.distance(longueuil); d < 15 || d > 22 {
		t.Errorf("Laval and Longueuil are %.1f km apart, want about 18", d)
	}
	for _, p := range places {
		if p.lat < 44.9 || p.lat > 63 || p.lng < -80 || p.lng > -57 || len(p.prefixes) == 0 {
			t.Errorf("%+v is not in Québec, or has no postal prefix", p)
		}
	}
	if _, err := readPlace("Nowhere\tnorth\t1\tH1H"); err == nil {
		t.Error("a latitude that is no number was taken")
	}
}
