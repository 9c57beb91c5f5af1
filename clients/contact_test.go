package clients_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// primaries are the ids of the primary contacts of a client, sorted.
func primaries(w *enginetest.World, client string) []string {
	var out []string
	for id, f := range w.All("contact") {
		if f["clientId"] == client && f["primary"] == true {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func contact(id, client string, more ...any) sync.Mutation {
	f := sync.Fields{"clientId": client, "firstName": id}
	for i := 0; i+1 < len(more); i += 2 {
		f[more[i].(string)] = more[i+1]
	}
	return enginetest.Create("contact", id, f)
}

func TestExactlyOneContactIsPrimary(t *testing.T) {
	t.Parallel()
	w := world(t)
	is := func(what, client string, want ...string) {
		t.Helper()
		if got := primaries(w, client); !slices.Equal(got, want) {
			t.Errorf("%s: primary is %v, want %v", what, got, want)
		}
	}
	w.MustWrite(denis, contact("a", "dupont"))
	is("the first one", "dupont", "a")
	w.Clock.Advance(time.Second)
	w.MustWrite(denis, contact("z", "dupont"))
	w.Clock.Advance(time.Second)
	w.MustWrite(denis, contact("c", "dupont"), contact("b", "dupont"))
	is("three more", "dupont", "a")
	w.MustWrite(denis, enginetest.Update("contact", "b", 0, sync.Fields{"primary": true}))
	is("another chosen", "dupont", "b")
	w.MustWrite(denis, contact("d", "dupont", "primary", true))
	is("a new one chosen", "dupont", "d")
	expectCode(t, "unticked", w.Write(denis, enginetest.Update("contact", "d", 0, sync.Fields{"primary": false})), fault.PrimaryNeeded)
	w.MustWrite(denis, enginetest.Update("contact", "d", 0, sync.Fields{"lastName": "D"}))
	is("edited otherwise", "dupont", "d")
	w.MustWrite(denis, enginetest.Delete("contact", "d", 0))
	is("deleted: the oldest", "dupont", "a")
	w.MustWrite(denis, enginetest.Delete("contact", "a", 0))
	is("whatever its id", "dupont", "z")
	w.MustWrite(denis, enginetest.Delete("contact", "z", 0))
	is("of the same age: the first id", "dupont", "b")
	w.MustWrite(denis, contact("e", "roy"), enginetest.Update("contact", "b", 0, sync.Fields{"clientId": "roy"}))
	is("moved away", "dupont", "c")
	is("moved in", "roy", "e")
	w.MustWrite(denis, enginetest.Delete("contact", "c", 0))
	is("nobody left", "dupont")
}

func TestUntickingOfflineIsUndone(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, contact("a", "dupont"))
	w.View(tom)
	expectRefused(t, "unticked", w.PushOne(tom, enginetest.Update("contact", "a", 9, sync.Fields{"primary": false, "position": "Owner"})), "")
	expect(t, w, "contact", "a", sync.Fields{"primary": true, "position": "Owner"})
}

func TestAContactNeedsAName(t *testing.T) {
	t.Parallel()
	w := world(t)
	expectCode(t, "none", w.Write(denis, enginetest.Create("contact", "k", sync.Fields{"clientId": "dupont", "email": "k@example.com"})), fault.InvalidInput)
	expectCode(t, "blanks", w.Write(denis, enginetest.Create("contact", "k", sync.Fields{"clientId": "dupont", "firstName": "  "})), fault.InvalidInput)
	expectCode(t, "a bad address", w.Write(denis, contact("k", "dupont", "email", "nowhere")), fault.InvalidInput)
	expectCode(t, "a last name", w.Write(denis, enginetest.Create("contact", "k", sync.Fields{"clientId": "dupont", "lastName": "Roy"})), "")
	expectCode(t, "taken away", w.Write(denis, enginetest.Update("contact", "k", 0, sync.Fields{"lastName": nil})), fault.InvalidInput)
}

func TestAContactSeesNoMoreThanItsClient(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Update("client", "dupont", 0, sync.Fields{"portalModules": []any{"invoices", "projects"}}))
	w.MustWrite(denis, contact("a", "dupont"))
	expect(t, w, "contact", "a", sync.Fields{"permissions": []any{"invoices"}}) // of the settings' invoices and support
	expectCode(t, "too much", w.Write(denis, enginetest.Update("contact", "a", 0, sync.Fields{"permissions": []any{"support"}})), fault.InvalidInput)
	w.MustWrite(denis, enginetest.Update("contact", "a", 0, sync.Fields{"permissions": []any{"invoices", "projects"}}))
	w.MustWrite(denis, enginetest.Update("client", "dupont", 0, sync.Fields{"portalModules": []any{"projects"}}))
	expect(t, w, "contact", "a", sync.Fields{"permissions": []any{"projects"}})
}

// Whatever is done to contacts, each client that has some has one primary.
func TestOnePrimaryWhateverIsDone(t *testing.T) {
	t.Parallel()
	w := world(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			w.PushOne(denisPhone, drawContactChange(rt, round))
			w.Clock.Advance(time.Second)
		}
		for _, client := range []string{"dupont", "roy"} {
			some := false
			for _, f := range w.All("contact") {
				some = some || f["clientId"] == client
			}
			if got := primaries(w, client); some && len(got) != 1 || !some && len(got) != 0 {
				rt.Fatalf("primary contacts of %s: %v", client, got)
			}
		}
		for id := range w.All("contact") {
			w.MustWrite(denis, enginetest.Delete("contact", id, 0))
		}
	})
}

func drawContactChange(t *rapid.T, round int) sync.Mutation {
	id := fmt.Sprintf("k%d", rapid.IntRange(0, 5).Draw(t, "contact"))
	base := uint64(rapid.SampledFrom([]int{0, 1 << 40}).Draw(t, "base"))
	client := rapid.SampledFrom([]string{"dupont", "roy"}).Draw(t, "client")
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		return contact(fmt.Sprintf("%s-%d", id, round), client, "primary", rapid.Bool().Draw(t, "primary"))
	case 1:
		return enginetest.Update("contact", fmt.Sprintf("%s-%d", id, round), base, sync.Fields{"primary": rapid.Bool().Draw(t, "primary")})
	case 2:
		return enginetest.Update("contact", fmt.Sprintf("%s-%d", id, round), base, sync.Fields{"clientId": client})
	default:
		return enginetest.Delete("contact", fmt.Sprintf("%s-%d", id, round), base)
	}
}

// A location belongs to its client: what moves to another client leaves it.
func TestMovingToAnotherClientLeavesTheLocation(t *testing.T) {
	t.Parallel()
	w := world(t)
	w.MustWrite(denis, enginetest.Create("client", "other", sync.Fields{"name": "Other"}),
		enginetest.Create("location", "shop", sync.Fields{"clientId": "dupont", "name": "Shop"}),
		enginetest.Create("location", "barn", sync.Fields{"clientId": "other", "name": "Barn"}),
		contact("a", "dupont", "locationId", "shop"),
		enginetest.Create("equipment", "pump", sync.Fields{"clientId": "dupont", "name": "Pump", "locationId": "shop"}),
		enginetest.Create("equipment", "fan", sync.Fields{"clientId": "dupont", "name": "Fan", "locationId": "shop"}))
	w.MustWrite(denis,
		enginetest.Update("contact", "a", 0, sync.Fields{"clientId": "other"}),
		enginetest.Update("equipment", "pump", 0, sync.Fields{"clientId": "other"}),
		enginetest.Update("equipment", "fan", 0, sync.Fields{"clientId": "other", "locationId": "barn"}))
	for key, want := range map[sync.Key]any{
		{Kind: "contact", ID: "a"}: nil, {Kind: "equipment", ID: "pump"}: nil, {Kind: "equipment", ID: "fan"}: "barn",
	} {
		if got := w.Fields(key.Kind, key.ID)["locationId"]; got != want {
			t.Errorf("%s is at %v, should be at %v", key, got, want)
		}
	}
}
