package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

func TestPushRefusesWhatIsMalformed(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 40 {
		deep = map[string]any{"in": deep}
	}
	for name, c := range map[string]struct {
		m      Mutation
		code   fault.Code
		fields string
	}{
		"unknown kind":          {create("spaceship", "a", nil), fault.UnknownKind, ""},
		"no id":                 {create("client", "", Fields{"name": "x"}), fault.InvalidInput, "docId:bad_format"},
		"id with a slash":       {create("client", "a/b", Fields{"name": "x"}), fault.InvalidInput, "docId:bad_format"},
		"long id":               {create("client", strings.Repeat("a", 65), Fields{"name": "x"}), fault.InvalidInput, "docId:bad_format"},
		"unknown operation":     {Mutation{Kind: "client", DocID: "c1", Op: "upsert"}, fault.InvalidInput, "op:not_one_of"},
		"unknown field":         {update("client", "c1", 1, Fields{"colour": "red"}), fault.InvalidInput, "colour:unknown_field"},
		"unknown member":        {update("client", "c1", 1, Fields{"address": map[string]any{"planet": "Mars"}}), fault.InvalidInput, "address.planet:unknown_field"},
		"reserved member":       {update("client", "c1", 1, Fields{"rev": 7.0}), fault.InvalidInput, "rev:unknown_field"},
		"wrong type":            {update("client", "c1", 1, Fields{"name": 7.0}), fault.InvalidInput, "name:wrong_type"},
		"read-only":             {update("client", "c1", 1, Fields{"folded": "x"}), fault.InvalidInput, "folded:read_only"},
		"required left out":     {create("client", "n1", Fields{"note": "x"}), fault.InvalidInput, "name:required"},
		"required blank":        {create("client", "n1", Fields{"name": "  "}), fault.InvalidInput, "name:required"},
		"required unset":        {update("client", "c1", 1, nil, "name"), fault.InvalidInput, "name:required"},
		"required null":         {update("client", "c1", 1, Fields{"name": nil}), fault.InvalidInput, "name:required"},
		"unset of nothing":      {update("client", "c1", 1, nil, "nothing"), fault.InvalidInput, "nothing:unknown_field"},
		"too deep":              {update("client", "c1", 1, Fields{"custom": deep}), fault.InvalidInput, ""},
		"element without an id": {update("client", "c1", 1, Fields{"items": []any{map[string]any{"text": "x"}}}), fault.InvalidInput, "items.0.id:bad_format"},
		"not a transition":      {update("client", "c1", 1, Fields{"reason": "because"}), fault.InvalidInput, "reason:unknown_field"},
		"endless reason":        {update("task", "t1", 1, Fields{"reason": strings.Repeat("x", 2001)}), fault.InvalidInput, "reason:too_long"},
		"reason of no text":     {update("task", "t1", 1, Fields{"reason": 7.0}), fault.InvalidInput, "reason:wrong_type"},
		"office field":          {update("client", "c1", 1, Fields{"discount": 5.0}), fault.FieldNotAllowed, ""},
		"office field unset":    {update("client", "c1", 1, nil, "assignedIds"), fault.FieldNotAllowed, ""},
		"refused by the kind":   {update("client", "c1", 1, Fields{"code": "A1"}), fault.FieldNotAllowed, ""},
		"kind of the office":    {create("team", "t9", nil), fault.Forbidden, ""},
		"private kind":          {create("secret", "s1", nil), fault.Forbidden, ""},
		"conflict made up":      {create("conflict", "x1", nil), fault.Forbidden, ""},
		"id taken":              {create("client", "c1", Fields{"name": "x"}), fault.IDExists, ""},
		"id taken elsewhere":    {create("client", "c2", Fields{"name": "x"}), fault.IDExists, ""},
		"never there":           {update("client", "c9", 0, Fields{"note": "x"}), fault.NotFound, ""},
		"deleted never there":   {remove("client", "c9", 0), fault.NotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPushWorld(t)
			before := w.head()
			res := one(t, w.push(ann, c.m))
			want(t, "outcome", outcomeOf(res), string(c.code))
			if c.fields != "" {
				want(t, "fields", refusedFields(res.Error), c.fields)
			}
			commit := w.journal[len(w.journal)-1]
			if commit.Number != before+1 || len(commit.Changes) != 1 || commit.Changes[0].Kind != kindRejection {
				t.Errorf("a refusal must leave a rejection and nothing else, not %v", commit.Changes)
			}
		})
	}
}

func TestDefaultsReasonAndRules(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	got := w.push(ann,
		create("client", "c3", Fields{"name": "Curie", "note": nil, "custom": map[string]any{"a": nil, "b": "x"}}),
		create("task", "t1", Fields{"clientId": "c3"}),
		update("task", "t1", 0, Fields{"state": "done", "reason": "finished"}))
	want(t, "outcomes", outcomes(got), "applied applied applied")
	want(t, "default", w.field("client", "c3", "disabled"), any(false))
	want(t, "set by rules", w.field("client", "c3", "folded"), any("curie"))
	want(t, "state", w.field("task", "t1", "state"), any("done"))
	want(t, "reason", w.field("task", "t1", "lastReason"), any("finished"))
	body, err := json.Marshal(w.doc("client", "c3").Fields)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "client", string(body), `{"assignedIds":["ann"],"custom":{"b":"x"},"disabled":false,"folded":"curie","name":"Curie"}`)
}

func TestUniqueValues(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	_, err := w.write(office, Write{Mutations: []Mutation{create("client", "c3", Fields{"name": "AMPÈRE"})}})
	want(t, "console", refusedFields(err), "name:name_taken")
	want(t, "other", fault.Of(err).Args["other"], "c1")
	res := one(t, w.push(ann, create("client", "c3", Fields{"name": "AMPÈRE"})))
	want(t, "phone", res.Status, Merged)
	want(t, "suffix", w.field("client", "c3", "name"), any("AMPÈRE (2)"))
	want(t, "reason", w.all(kindConflict)[0].Fields["reason"], any("duplicate"))

	res = one(t, w.push(ann, create("client", "c4", Fields{"name": "D", "code": "7"})))
	want(t, "code", outcomeOf(res), "applied")
	res = one(t, w.push(bob, create("client", "c5", Fields{"name": "E", "code": "7"})))
	want(t, "clash", outcomeOf(res), "value_taken")
	want(t, "hidden", res.Error.Args["other"], "?")
	// A value is free again once its document lets go of it, and the names of
	// one request count against each other.
	w.mustWrite(admin, remove("client", "c4", 0), create("client", "c5", Fields{"name": "E", "code": "7"}))
	_, err = w.write(office, Write{Mutations: []Mutation{
		create("client", "c6", Fields{"name": "twice"}), create("client", "c7", Fields{"name": "Twice"})}})
	want(t, "within a request", fault.Is(err, fault.NameTaken), true)
	want(t, "nothing is left", w.doc("client", "c6"), nil)
}

func TestRepetition(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	good := update("client", "c1", 1, Fields{"note": "x"})
	bad := update("client", "c2", 1, Fields{"note": "x"})
	muts := w.withIDs([]Mutation{good, bad})
	first := w.push(ann, muts...)
	want(t, "first", outcomes(first), "applied not_found")
	head := w.head()
	w.mustWrite(office, update("client", "c1", 0, Fields{"note": "y", "assignedIds": []any{}}))

	again := w.push(ann, muts...)
	want(t, "again", outcomes(again), "applied not_found")
	for i := range again.Results {
		want(t, "duplicate", again.Results[i].Duplicate, true)
		want(t, "rev", again.Results[i].Rev, first.Results[i].Rev)
	}
	want(t, "refusal in full", refusedFields(again.Results[1].Error), refusedFields(first.Results[1].Error))
	want(t, "no commit", w.head(), head+1)
	want(t, "no second effect", w.field("client", "c1", "note"), any("y"))
	want(t, "one rejection", len(w.all(kindRejection)), 1)

	other := muts[0]
	other.Set = Fields{"note": "z"}
	want(t, "other content", outcomes(w.push(ann, other)), "mutation_id_reused")
	want(t, "other user", outcomes(w.push(bob, muts[0])), "mutation_id_reused")
	want(t, "first answer stands", outcomes(w.push(ann, muts[0])), "applied")
	head = w.head()
	want(t, "reused again", outcomes(w.push(ann, other)), "mutation_id_reused")
	want(t, "is kept once", w.head(), head)
}

func TestRepetitionWithinAPush(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		w := newPushWorld(t)
		m := create("place", "p2", Fields{"name": "x", "clientId": "c1"})
		m.ID, m.Group = w.id(), group
		other := m
		other.Set = Fields{"name": "y"}
		got := w.push(ann, m, m)
		want(t, "outcomes", outcomes(got), "applied applied")
		want(t, "duplicate", got.Results[1].Duplicate, true)
		m.DocID, m.ID = "p3", w.id()
		other.DocID, other.ID = "p3", m.ID
		got = w.push(ann, m, other)
		if group == "" {
			want(t, "reused", outcomes(got), "applied mutation_id_reused")
		} else {
			want(t, "reused in a group", outcomes(got), "group_refused mutation_id_reused")
		}
	}
}

func TestMutationWithoutID(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	m := create("place", "p2", Fields{"name": "x"})
	s, err := w.tryPush(1, ann, &PushRequest{Mutations: []Mutation{m, m}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.push.Results {
		want(t, "fields", refusedFields(r.Error), "id:required")
	}
	want(t, "outcomes", len(s.commit.Outcomes), 0)
	want(t, "kept once", len(w.all(kindRejection)), 1)
}

func TestGroupsStandOrFallTogether(t *testing.T) {
	t.Parallel()
	group := func(name string, m Mutation) Mutation {
		m.Group = name
		return m
	}
	w := newPushWorld(t)
	got := w.push(ann,
		create("place", "q0", Fields{"name": "before", "clientId": "c1"}),
		group("a", create("place", "q1", Fields{"name": "x", "clientId": "c1"})),
		group("a", update("client", "c1", 1, Fields{"note": "of the group"})),
		group("a", update("client", "c2", 1, Fields{"note": "not his"})),
		group("a", update("client", "c2", 1, Fields{"note": "neither"})),
		group("b", create("place", "q3", Fields{"name": "another group", "clientId": "c1"})),
		group("a", create("place", "q4", Fields{"name": "not adjacent", "clientId": "c1"})),
		update("place", "q1", 0, Fields{"name": "y"}),
		update("client", "c1", 1, Fields{"visit": "after"}))
	want(t, "outcomes", outcomes(got),
		"applied group_refused group_refused not_found group_refused applied applied create_refused applied")
	want(t, "undone", w.field("client", "c1", "note"), nil)
	want(t, "after", w.field("client", "c1", "visit"), any("after"))
	for id, there := range map[string]bool{"q0": true, "q1": false, "q3": true, "q4": true} {
		want(t, id, w.doc("place", id) != nil, there)
	}
	want(t, "rejections", len(w.all(kindRejection)), 5)
	again := w.pushSince(1, ann, Mutation{ID: got.Results[1].ID, Kind: "place", DocID: "q1", Op: Create, Group: "a",
		Set: Fields{"name": "x", "clientId": "c1"}})
	want(t, "answered before", outcomes(again), "group_refused")
}

func TestChangesOfWhatWasNotCreatedAreRefused(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	got := w.push(ann,
		create("client", "c3", Fields{"name": "refuse me"}),
		update("client", "c3", 0, Fields{"note": "x"}),
		create("place", "p3", Fields{"name": "x", "clientId": "c3"}),
		remove("client", "c3", 0),
		update("client", "c1", 1, Fields{"note": "goes on"}))
	want(t, "outcomes", outcomes(got), "client_disabled create_refused not_found create_refused applied")
}

func TestRejectionKeepsEverything(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	at := w.now.Add(-time.Hour)
	m := Mutation{ID: w.id(), Kind: "client", DocID: "c1", Op: Update, Base: 1, At: &at, Group: "g",
		Set: Fields{"name": 7.0, "custom": map[string]any{"b": "the work of a day"}}, Unset: []string{"visit", "custom.a"}}
	w.push(ann, m)
	r := w.all(kindRejection)[0]
	want(t, "scope", r.Scope, ScopeOffice)
	wantValue(t, "mutation", r.Fields["mutation"], map[string]any{
		"id": m.ID.String(), "kind": "client", "docId": "c1", "op": "update", "base": 1.0, "at": at.Format(time.RFC3339Nano),
		"group": "g", "set": map[string]any{"name": 7.0, "custom": map[string]any{"b": "the work of a day"}}, "unset": []any{"visit", "custom.a"}})
	for field, v := range map[string]any{
		"code": "invalid", "userId": "ann", "deviceId": "phone-ann", "resolved": false,
		"detail": "Some values are not valid.", "receivedAt": w.now.Format(time.RFC3339Nano),
		"expiresAt":   w.now.Add(90 * 24 * time.Hour).Format(time.RFC3339Nano),
		"fieldErrors": []any{map[string]any{"field": "name", "code": "wrong_type", "detail": "This must be string."}},
	} {
		wantValue(t, field, r.Fields[field], v)
	}
	want(t, "resolved by the office", outcomes(w.push(office, update(kindRejection, r.ID, r.Rev, Fields{"resolved": true}))), "applied")
	want(t, "not by others", outcomes(w.push(ann, update(kindRejection, r.ID, r.Rev, Fields{"resolved": true}))), "forbidden")
	want(t, "nothing else of it", outcomes(w.push(office, update(kindRejection, r.ID, r.Rev, Fields{"code": "x"}))), "invalid")
}

func TestCommitOfAPush(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	prev := w.st.head
	a := w.push(ann,
		update("client", "c1", 1, Fields{"note": "x"}),
		update("client", "c1", 1, Fields{"note": "y"}),
		create("place", "p2", Fields{"name": "x", "clientId": "c1"}))
	c := w.journal[len(w.journal)-1]
	want(t, "head", a.Head, prev.Number+1)
	want(t, "prev", c.Prev, prev.Hash)
	want(t, "actor", c.Actor, ann)
	want(t, "cause", c.Cause, Cause{Kind: "push"})
	want(t, "one version a document", len(c.Changes), 2)
	want(t, "outcomes", len(c.Outcomes), 3)
	d := w.doc("client", "c1")
	want(t, "note", d.Fields["note"], any("y"))
	want(t, "created", d.CreatedAt, w.journal[0].At)
	want(t, "updated", d.UpdatedAt, c.At)
	want(t, "rev", d.Rev, c.Number)

	w.now = w.now.Add(-48 * time.Hour) // the server's clock is set back
	w.push(ann, update("client", "c1", d.Rev, Fields{"note": "z"}))
	want(t, "time does not go back", w.journal[len(w.journal)-1].At, c.At)
}

func TestNothingNewIsNoVersion(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	res := one(t, w.push(ann, update("client", "c1", 1, Fields{"name": "Ampère"}, "note")))
	want(t, "status", res.Status, Applied)
	want(t, "rev", res.Rev, 1)
	c := w.journal[len(w.journal)-1]
	want(t, "changes", len(c.Changes), 0)
	want(t, "outcomes", len(c.Outcomes), 1)
}

func TestTooMuchForOneCommit(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	head := w.head()
	refused := func(what string, muts []Mutation) {
		t.Helper()
		if _, err := w.tryPush(head, ann, &PushRequest{Mutations: w.withIDs(muts)}); !fault.Is(err, fault.PushTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
		want(t, what, w.head(), head)
	}
	big := strings.Repeat("é", 19_000)
	custom := map[string]any{}
	for i := range 6 {
		custom[fmt.Sprint("k", i)] = big
	}
	muts := make([]Mutation, 40)
	for i := range muts {
		muts[i] = create("client", fmt.Sprint("n", i), Fields{"name": fmt.Sprint("n", i), "custom": custom})
	}
	refused("bytes", muts)
	refused("mutations", make([]Mutation, MaxMutations+1))
	want(t, "half of it", len(w.push(ann, muts[:20]...).Results), 20)

	for i := range 8 {
		custom[fmt.Sprint("l", i)] = big
	}
	res := one(t, w.push(ann, create("client", "huge", Fields{"name": "huge", "custom": custom})))
	want(t, "document", outcomeOf(res), "too_large")
}

func TestAFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	delete(w.rows, Key{"client", "c1"}) // the store cannot give it
	m := w.withIDs([]Mutation{create("place", "p2", Fields{"name": "x"}), update("client", "c1", 1, Fields{"note": "x"})})
	_, err := w.tryPush(1, ann, &PushRequest{Mutations: m})
	if err == nil || fault.Is(err, fault.NotFound) {
		t.Fatalf("got %v", err)
	}
	want(t, "head", w.head(), 1)
	_, known := w.known[m[0].ID]
	want(t, "outcome", known, false)
}

func TestZoneAndStructure(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	want(t, "first commit", w.journal[0].Day, "2026-11-20")
	w.now = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC) // the 20th in Toronto
	for _, step := range []struct {
		m          Mutation
		day        string
		structural bool
	}{
		{update("settings", "settings", 0, Fields{"zone": "Europe/Paris"}), "2026-11-21", true},
		{update("settings", "settings", 0, Fields{"zone": "America/Toronto"}), "2026-11-20", true},
		{update("settings", "settings", 0, Fields{"motto": "x"}), "", true},
		{update("client", "c1", 0, Fields{"note": "x"}), "", false},
		{update("team", "t1", 0, Fields{"memberIds": []any{"bob"}}), "", true},
		{remove("team", "t1", 0), "", true},
		{update("employee", "bob", 0, Fields{"name": "Bobby"}), "", true},
	} {
		s, err := w.batch().write(context.Background(), office, &Write{Mutations: []Mutation{step.m}}, w.outcome)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "day", s.commit.Day, step.day)
		want(t, "structural", s.structural, step.structural)
		w.confirm(s)
	}
}

func TestEmptyPush(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	want(t, "head", w.push(ann).Head, 1)
	want(t, "commits", len(w.journal), 1)
}

func TestResponseOnTheWire(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0190b0c4-7e4d-7a53-8e0b-1f6a3f1d2c4b")
	r := PushResponse{Head: 9, Results: []Result{
		{ID: id, Status: Applied, Rev: 9},
		{ID: id, Status: Merged, Rev: 7, Duplicate: true, Conflicts: []Conflict{{Field: "name", Kept: "a<b", Discarded: nil, Level: LevelInfo}}},
		{ID: id, Status: Rejected, Error: fault.Invalid(fault.At("name", fault.Required))},
	}}
	got := string(r.AppendJSON(nil, "fr-CA"))
	want(t, "response", got, `{"results":[`+
		`{"id":"`+id.String()+`","status":"applied","duplicate":false,"rev":9},`+
		`{"id":"`+id.String()+`","status":"merged","duplicate":true,"rev":7,"conflicts":[{"field":"name","kept":"a<b","discarded":null}]},`+
		`{"id":"`+id.String()+`","status":"rejected","duplicate":false,"error":{"type":"urn:enroute:invalid","title":"Non valide","status":422,`+
		`"code":"invalid","detail":"Certaines valeurs ne sont pas valides.","errors":[{"field":"name","code":"required","detail":"Ce champ est obligatoire."}]}}`+
		`],"head":9}`)
}
