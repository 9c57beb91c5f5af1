package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// at gives a mutation the device's time, in minutes before the world's now.
func (w *pushWorld) at(m Mutation, minutesAgo int) Mutation {
	at := w.now.Add(-time.Duration(minutesAgo) * time.Minute)
	m.At = &at
	return m
}

// conflicts sums up the conflict documents: field, what was kept, what was
// discarded and why.
func (w *pushWorld) conflicts() string {
	w.t.Helper()
	var out []string
	for _, d := range w.all(kindConflict) {
		f := d.Fields
		out = append(out, fmt.Sprintf("%v: %v over %v (%v)", f["field"], f["kept"], f["discarded"], f["reason"]))
	}
	return strings.Join(out, "; ")
}

// side is one of two changes of client c1 that do not know of each other. Both
// have seen commit 2, which set the client up.
type side struct {
	actor Actor
	set   Fields
	unset []string
	ago   int // minutes before now
}

func TestMergeOfTwoSides(t *testing.T) {
	t.Parallel()
	setup := Fields{
		"note": "old", "visit": "old", "address": map[string]any{"line": "1 rue A", "city": "Laval"},
		"custom": map[string]any{"a": "old", "deep": map[string]any{"x": "old", "y": "old"}}, "tags": []any{"new"},
	}
	pin := func(lat float64, pinned bool) Fields {
		return Fields{"position": map[string]any{"lat": lat, "lng": 0.0, "pinned": pinned}}
	}
	text := func(field, v string) Fields { return Fields{field: v} }
	for name, c := range map[string]struct {
		first, second side
		want          any // of the field that both set
		field         string
		conflicts     string
	}{
		"other fields": {
			side{office, text("note", "a"), nil, 5}, side{ann, text("visit", "b"), nil, 1},
			"a", "note", ""},
		"the later shows": {
			side{office, text("note", "a"), nil, 5}, side{ann, text("note", "b"), nil, 1},
			"b", "note", "note: b over a (sameField)"},
		"the earlier is kept aside": {
			side{office, text("note", "a"), nil, 1}, side{ann, text("note", "b"), nil, 5},
			"a", "note", "note: a over b (sameField)"},
		"on a tie the journal's shows": {
			side{bob, text("note", "a"), nil, 3}, side{ann, text("note", "b"), nil, 3},
			"a", "note", "note: a over b (sameField)"},
		"the same value twice": {
			side{office, text("note", "a"), nil, 5}, side{ann, text("note", "a"), nil, 1},
			"a", "note", ""},
		"removed against set, later": {
			side{office, nil, []string{"note"}, 5}, side{ann, text("note", "b"), nil, 1},
			"b", "note", "note: b over <nil> (sameField)"},
		"set against removed, earlier": {
			side{office, text("note", "a"), nil, 1}, side{ann, nil, []string{"note"}, 5},
			"a", "note", "note: a over <nil> (sameField)"},
		"office field, office earlier": {
			side{office, text("visit", "a"), nil, 9}, side{ann, text("visit", "b"), nil, 1},
			"a", "visit", "visit: a over b (sameField)"},
		"office field, phone first and later": {
			side{ann, text("visit", "a"), nil, 1}, side{office, text("visit", "b"), nil, 9},
			"b", "visit", "visit: b over a (sameField)"},
		"office field, two of the office": {
			side{office, text("visit", "a"), nil, 1}, side{office2, text("visit", "b"), nil, 9},
			"a", "visit", "visit: a over b (sameField)"},
		"office field, two phones": {
			side{bob, text("visit", "a"), nil, 9}, side{ann, text("visit", "b"), nil, 1},
			"b", "visit", "visit: b over a (sameField)"},
		"members of an object": {
			side{office, Fields{"address": map[string]any{"line": "2 rue B"}}, nil, 5},
			side{ann, Fields{"address": map[string]any{"city": "Gatineau"}}, nil, 1},
			map[string]any{"line": "2 rue B", "city": "Gatineau"}, "address", ""},
		"the same member": {
			side{office, Fields{"custom": map[string]any{"a": "1", "b": "1"}}, nil, 1},
			side{ann, Fields{"custom": map[string]any{"a": "2", "c": "2"}}, nil, 5},
			map[string]any{"a": "1", "b": "1", "c": "2", "deep": map[string]any{"x": "old", "y": "old"}}, "custom",
			"custom.a: 1 over 2 (sameField)"},
		"inside of members": {
			side{office, Fields{"custom": map[string]any{"deep": map[string]any{"x": "1"}}}, nil, 5},
			side{ann, Fields{"custom": map[string]any{"deep": map[string]any{"y": "2"}}}, nil, 1},
			map[string]any{"x": "1", "y": "2"}, "custom.deep", ""},
		"part against whole, later": {
			side{office, Fields{"custom": map[string]any{"deep": map[string]any{"x": "1"}}}, nil, 5},
			side{ann, Fields{"custom": map[string]any{"deep": "flat"}}, nil, 1},
			"flat", "custom.deep", "custom.deep: flat over map[x:1 y:old] (sameField)"},
		"whole against part, earlier": {
			side{office, Fields{"custom": map[string]any{"deep": "flat"}}, nil, 1},
			side{ann, Fields{"custom": map[string]any{"deep": map[string]any{"y": "2"}}}, nil, 5},
			"flat", "custom.deep", "custom.deep: flat over map[y:2] (sameField)"},
		"a member removed by its path": {
			side{office, Fields{"custom": map[string]any{"b": "1"}}, nil, 5},
			side{ann, nil, []string{"custom.a", "custom.deep.x"}, 1},
			map[string]any{"b": "1", "deep": map[string]any{"y": "old"}}, "custom", ""},
		"an object removed, a member set": {
			side{office, Fields{"address": map[string]any{"line": "2 rue B"}}, nil, 1},
			side{ann, nil, []string{"address"}, 5},
			map[string]any{"line": "2 rue B"}, "address", "address.line: 2 rue B over <nil> (sameField)"},
		"a list is one value": {
			side{office, Fields{"tags": []any{"vip"}}, nil, 5}, side{ann, Fields{"tags": []any{"late"}}, nil, 1},
			[]any{"late"}, "tags", "tags: [late] over [vip] (sameField)"},
		"pinned beats a later place": {
			side{office, pin(1, true), nil, 9}, side{ann, pin(2, false), nil, 1},
			1.0, "position.lat", "position: map[lat:1 lng:0 pinned:true] over map[lat:2 lng:0 pinned:false] (sameField)"},
		"a pin beats a later place before it": {
			side{ann, pin(1, false), nil, 1}, side{office, pin(2, true), nil, 9},
			2.0, "position.lat", "position: map[lat:2 lng:0 pinned:true] over map[lat:1 lng:0 pinned:false] (sameField)"},
		"the newest pin": {
			side{office, pin(1, true), nil, 1}, side{ann, pin(2, true), nil, 9},
			1.0, "position.lat", "position: map[lat:1 lng:0 pinned:true] over map[lat:2 lng:0 pinned:true] (sameField)"},
		"two devices of one person": {
			side{ann2, text("note", "a"), nil, 1}, side{ann, text("note", "b"), nil, 5},
			"a", "note", "note: a over b (sameField)"},
		"one device": {
			side{ann, text("note", "a"), nil, 1}, side{ann, text("note", "b"), nil, 5},
			"b", "note", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPushWorld(t)
			setup := cloneObject(setup)
			setup["assignedIds"] = []any{"ann", "bob"}
			w.mustWrite(admin, update("client", "c1", 0, setup))
			base := w.head()
			w.now = w.now.Add(time.Hour)
			first := w.at(update("client", "c1", base, c.first.set, c.first.unset...), c.first.ago)
			second := w.at(update("client", "c1", base, c.second.set, c.second.unset...), c.second.ago)
			want(t, "first", outcomes(w.push(c.first.actor, first)), "applied")
			res := one(t, w.push(c.second.actor, second))
			wantValue(t, "shown", w.field("client", "c1", c.field), c.want)
			want(t, "conflicts", w.conflicts(), c.conflicts)
			want(t, "merged", res.Status == Merged, c.conflicts != "")
			want(t, "in the answer", len(res.Conflicts), len(w.all(kindConflict)))
		})
	}
}

// A field set once by another is a change since ever for who names no base;
// one that nobody ever set is not.
func TestMergeWithoutBase(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.now = w.now.Add(time.Hour)
	res := one(t, w.push(ann, update("client", "c1", 0, Fields{"note": "new", "name": "Volta"})))
	want(t, "status", res.Status, Merged)
	want(t, "conflicts", w.conflicts(), "name: Volta over Ampère (sameField)")
	want(t, "note", w.field("client", "c1", "note"), any("new"))
	want(t, "clean", outcomes(w.push(ann, update("client", "c1", 0, Fields{"name": "Watt"}))), "applied")
}

// A value put in the place of an object counts for all that is set below it
// later.
func TestMarksOfWhatWasReplaced(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	deep := func(v any) Fields { return Fields{"custom": map[string]any{"deep": v}} }
	w.mustWrite(office, update("client", "c1", 0, deep(map[string]any{"x": "1"})))
	w.mustWrite(office, update("client", "c1", 0, deep(map[string]any{"x": "2"})))
	base := w.head()
	w.mustWrite(office2, update("client", "c1", 0, deep("flat")))
	w.mustWrite(office2, update("client", "c1", 0, deep(map[string]any{"x": "3"})))
	w.now = w.now.Add(time.Hour)
	want(t, "phone", outcomes(w.push(ann, update("client", "c1", base, deep(map[string]any{"x": "4"})))), "merged")
	want(t, "conflict", w.conflicts(), "custom.deep.x: 4 over 3 (sameField)")
}

func TestElementsAreNeverLost(t *testing.T) {
	t.Parallel()
	item := func(id string, more ...any) map[string]any {
		m := map[string]any{"id": id}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	w := newPushWorld(t)
	w.mustWrite(office, update("client", "c1", 0, Fields{"assignedIds": []any{"ann", "bob"},
		"items": []any{item("a", "text", "old"), item("b", "text", "old")}}))
	base := w.head()
	push := func(a Actor, list ...any) {
		t.Helper()
		want(t, "outcome", outcomes(w.push(a, update("client", "c1", base, Fields{"items": list}))), "applied")
	}
	push(ann, item("c", "text", "c", "removed", false))
	push(bob, item("a", "count", 2.0, "more", map[string]any{"x": 1.0}), item("d"))
	push(ann, item("a", "text", nil, "more", map[string]any{"y": 2.0}), item("b", "removed", true))
	push(bob, item("z", "removed", true))
	push(ann, []any{}...)
	wantValue(t, "items", w.field("client", "c1", "items"), []any{
		item("a", "count", 2.0, "more", map[string]any{"x": 1.0, "y": 2.0}), item("c", "text", "c"), item("d")})
	push(bob, item("b", "text", "again"), item("b", "count", 1.0))
	wantValue(t, "b is back", w.field("client", "c1", "items").([]any)[3], item("b", "text", "again", "count", 1.0))
	want(t, "conflicts", w.conflicts(), "")
	got := w.push(ann, create("client", "c3", Fields{"name": "x", "items": []any{item("a"), item("a", "count", 1.0), item("b", "removed", true)}}))
	want(t, "create", outcomes(got), "applied")
	wantValue(t, "at creation", w.field("client", "c3", "items"), []any{item("a", "count", 1.0)})
}

func TestFieldsLeftToTheRules(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.push(ann, create("task", "t1", Fields{"clientId": "c1"}))
	base := w.head()
	want(t, "office", outcomes(w.push(office, update("task", "t1", base, Fields{"state": "done"}))), "applied")
	res := one(t, w.pushSince(base, ann, update("task", "t1", base, Fields{"state": "late", "reason": "traffic"})))
	want(t, "phone", res.Status, Merged)
	want(t, "state", w.field("task", "t1", "state"), any("done"))
	want(t, "conflict", w.conflicts(), "state: done over late (illegalState)")
	want(t, "decided by a person", w.all(kindConflict)[0].Fields["level"], any(LevelDecide))
	_, err := w.write(office, Write{Mutations: []Mutation{update("task", "t1", 0, Fields{"state": "late"})}})
	want(t, "console", err != nil, true)
	want(t, "a change of state is an edit", outcomes(w.pushSince(base, ann, remove("task", "t1", base))), "merged")
	want(t, "still there", w.doc("task", "t1") != nil, true)
}

func TestConflictDocument(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.now = w.now.Add(time.Hour)
	w.mustWrite(office, update("client", "c1", 0, Fields{"note": "office"}))
	changed := w.now
	m := w.at(update("client", "c1", 1, Fields{"note": "phone"}), 30)
	m.ID = w.id()
	w.push(ann, m)
	c := w.all(kindConflict)[0]
	want(t, "scope", c.Scope, "client:c1")
	wantValue(t, "fields", c.Fields, Fields{
		"docKind": "client", "docId": "c1", "field": "note", "kept": "office", "discarded": "phone",
		"level": "info", "reason": "sameField", "resolved": false,
		"by":    map[string]any{"user": "ann", "device": "phone-ann", "name": "Ann", "at": timeText(*m.At)},
		"other": map[string]any{"origin": "user:desk", "at": timeText(changed)},
	})
	want(t, "status of the document", w.rev("client", "c1"), w.rev(kindConflict, c.ID)-1)
	w.push(ann, m)
	want(t, "once", len(w.all(kindConflict)), 1)
	want(t, "seen by both, settled by the office", outcomes(w.push(ann, update(kindConflict, c.ID, c.Rev, Fields{"resolved": true}))), "forbidden")
	want(t, "settled", outcomes(w.push(office, update(kindConflict, c.ID, c.Rev, Fields{"resolved": true}))), "applied")
}

// The device's clock is corrected by what it showed when it sent, and kept
// between the commit the person was looking at and the receipt.
func TestCorrectedTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skew time.Duration // of the phone's clock
		at   time.Duration // of the change, on a right clock, from the office's change
		want string
	}{
		"right clock, later":    {0, time.Minute, "phone"},
		"right clock, earlier":  {0, -time.Minute, "office"},
		"a day ahead, later":    {24 * time.Hour, time.Minute, "phone"},
		"a day ahead, earlier":  {24 * time.Hour, -time.Minute, "office"},
		"a year behind, later":  {-365 * 24 * time.Hour, time.Minute, "phone"},
		"a year behind, before": {-365 * 24 * time.Hour, -time.Minute, "office"},
		"set after it was sent": {0, 24 * time.Hour, "phone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPushWorld(t)
			w.now = w.now.Add(time.Hour)
			w.mustWrite(office, update("client", "c1", 0, Fields{"note": "office"}))
			at := w.now.Add(c.at + c.skew)
			w.now = w.now.Add(time.Hour)
			m := update("client", "c1", 1, Fields{"note": "phone"})
			m.At = &at
			_, err := w.tryPush(1, ann, &PushRequest{SentAt: w.now.Add(time.Second + c.skew), Mutations: w.withIDs([]Mutation{m})})
			if err != nil {
				t.Fatal(err)
			}
			want(t, "shown", w.field("client", "c1", "note"), any(c.want))
		})
	}
}

func TestTimeIsNeverBeforeItsBase(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.now = w.now.Add(time.Hour)
	w.mustWrite(office, update("client", "c1", 0, Fields{"note": "office"}))
	base, seen := w.head(), w.st.head.At
	w.now = w.now.Add(time.Hour)
	long := time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)) // before year 0 in UTC
	m := update("client", "c1", base, Fields{"note": "phone"})
	m.At = &long
	want(t, "clean", outcomes(w.push(ann, m)), "applied")
	want(t, "mark", w.doc("client", "c1").Marks["note"].At, seen)
	ahead := w.now.Add(24 * time.Hour)
	m = update("client", "c1", w.head(), Fields{"note": "ahead"})
	m.At = &ahead
	want(t, "ahead", outcomes(w.push(ann, m)), "applied")
	want(t, "not after its receipt", w.doc("client", "c1").Marks["note"].At, w.now)
	m = update("client", "c1", 0, Fields{"visit": "x"})
	m.At = &long
	want(t, "without a base", outcomes(w.push(ann, m)), "applied")
	want(t, "mark", w.doc("client", "c1").Marks["visit"].At.IsZero(), true)
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, update("place", "p1", 0, Fields{"name": "Attic"}))
	base := w.head()
	want(t, "edited by another meanwhile", outcomes(w.push(ann, remove("place", "p1", 1))), "merged")
	want(t, "the edit wins", w.field("place", "p1", "name"), any("Attic"))
	want(t, "conflict", w.conflicts(), "deleted: false over true (deletedEdited)")
	want(t, "a decision", w.all(kindConflict)[0].Fields["level"], any(LevelDecide))
	w.push(ann, update("place", "p1", base, Fields{"main": true}))
	want(t, "nobody else's edit", outcomes(w.push(ann, remove("place", "p1", base))), "applied")
	gone := w.head()
	want(t, "gone", w.doc("place", "p1"), nil)
	want(t, "twice", outcomes(w.push(bob, remove("place", "p1", 1)))+" "+outcomes(w.push(ann, remove("place", "p1", 1))), "not_found applied")
	want(t, "the id stays taken", outcomes(w.push(ann, create("place", "p1", Fields{"name": "x"}))), "id_exists")
	want(t, "not revived by who deleted it", outcomes(w.push(ann, update("place", "p1", 1, Fields{"name": "x"}))), "not_found")
	want(t, "nor by who knew", outcomes(w.push(office, update("place", "p1", gone, Fields{"name": "x"}))), "not_found")
	_, err := w.write(office, Write{Mutations: []Mutation{update("place", "p1", 0, Fields{"name": "x"})}})
	want(t, "nor by the console", err != nil, true)

	res := one(t, w.push(ann2, update("place", "p1", base, Fields{"main": false})))
	want(t, "edited without knowing", res.Status, Merged)
	want(t, "last body", w.field("place", "p1", "name"), any("Attic"))
	want(t, "with the edit", w.field("place", "p1", "main"), any(false))
	want(t, "conflicts", len(w.all(kindConflict)), 3)
	want(t, "the overruled deletion is no edit", outcomes(w.push(ann2, remove("place", "p1", base))), "applied")
}

func TestRevivedDocumentsAreDisabled(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	seen := w.head()
	w.mustWrite(admin, remove("client", "c1", 0))
	want(t, "what was in its scope", w.doc("place", "p1"), nil)
	want(t, "edit", outcomes(w.pushSince(seen, ann, update("client", "c1", seen, Fields{"note": "x"}))), "merged")
	want(t, "disabled", w.field("client", "c1", "disabled"), any(true))
	want(t, "name", w.field("client", "c1", "name"), any("Ampère"))
	want(t, "created", w.doc("client", "c1").CreatedAt, w.journal[0].At)
}

// What the server itself fills in does not count as a person's edit.
func TestServersEditDoesNotStopADeletion(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, create("place", "p2", Fields{"name": "x", "clientId": "c1"}))
	base := w.head()
	w.mustWrite(System("geocoder"), update("place", "p2", 0, Fields{"main": true}))
	want(t, "deletion", outcomes(w.push(office, remove("place", "p2", base))), "applied")
}

func TestWhatFollowsMovesAlong(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, create("photo", "f1", Fields{"placeId": "p1"}), create("place", "p2", Fields{"name": "other", "clientId": "c1"}),
		create("photo", "f2", Fields{"placeId": "p2"}))
	w.now = w.now.Add(time.Hour)
	w.mustWrite(office, update("place", "p1", 0, Fields{"name": "Hall"}))
	w.push(ann, update("place", "p1", 1, Fields{"name": "Lobby"})) // a conflict lies in client:c1
	w.mustWrite(office, update("photo", "f1", 0, Fields{"caption": "x"}))
	w.push(ann, update("photo", "f1", 2, Fields{"caption": "y"})) // and one of what follows
	made := w.doc("photo", "f1")
	w.mustWrite(office, update("place", "p1", 0, Fields{"clientId": "c2"}))
	moved := w.doc("photo", "f1")
	want(t, "scope", moved.Scope, "client:c2")
	want(t, "rev", moved.Rev, w.rev("place", "p1"))
	want(t, "created", moved.CreatedAt, made.CreatedAt)
	wantValue(t, "fields", moved.Fields, made.Fields)
	for _, c := range w.all(kindConflict) {
		want(t, "the conflict moves too", c.Scope, "client:c2")
	}
	want(t, "conflicts", len(w.all(kindConflict)), 2)
	want(t, "the other stays", w.doc("photo", "f2").Scope, "client:c1")
	want(t, "Ann no longer sees it", outcomes(w.push(ann, update("photo", "f1", 0, Fields{"placeId": "p2"}))), "not_found")
}

func TestRulesOfOtherDocuments(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.push(ann, update("place", "p1", 1, Fields{"main": true}))
	got := w.push(ann,
		create("place", "p2", Fields{"name": "x", "clientId": "c1", "main": true}),
		create("place", "p3", Fields{"name": "too late", "clientId": "c1", "main": true}))
	want(t, "outcomes", outcomes(got), "applied client_disabled")
	want(t, "moved", w.field("place", "p1", "main"), any(false))
	want(t, "what the refused one did is undone", w.field("place", "p2", "main"), any(true))
	want(t, "in one commit", w.rev("place", "p1"), w.rev("place", "p2"))
}

// Two demotions in one request see each other.
func TestRulesSeeAccountsOfTheSameRequest(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(admin, update("employee", "desk", 0, Fields{"role": "admin"}))
	_, err := w.write(admin, Write{Mutations: []Mutation{
		update("employee", "desk", 0, Fields{"role": "technician"}), update("employee", "boss", 0, Fields{"active": false})}})
	want(t, "both", fmt.Sprint(err), "last_admin")
	want(t, "undone", w.field("employee", "desk", "role"), any("admin"))
	w.mustWrite(admin, update("employee", "boss", 0, Fields{"active": false}))
}
