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

func TestPushAuthority(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		actor Actor
		m     Mutation
		want  string
	}{
		"what he holds":              {ann, update("client", "c1", 1, Fields{"note": "x"}), "applied"},
		"what he does not hold":      {ann, update("client", "c2", 1, Fields{"note": "x"}), "not_found"},
		"deletes what he cannot see": {ann, remove("client", "c2", 1), "not_found"},
		"refers to what he holds":    {ann, create("place", "p2", Fields{"name": "x", "clientId": "c1"}), "applied"},
		"refers beyond his view":     {ann, create("place", "p2", Fields{"name": "x", "clientId": "c2"}), "not_found"},
		"refers to nothing":          {ann, create("place", "p2", Fields{"name": "x", "clientId": "c9"}), "not_found"},
		"moves out of his view":      {ann, update("place", "p1", 1, Fields{"clientId": "c2"}), "not_found"},
		"moves to the workspace":     {ann, update("place", "p1", 1, nil, "clientId"), "applied"},
		"hides it from himself":      {ann, update("place", "p1", 1, Fields{"hidden": true}), "not_found"},
		"creates beyond his view":    {ann, create("place", "p2", Fields{"name": "x", "hidden": true}), "not_found"},
		"office hides it":            {office, update("place", "p1", 1, Fields{"hidden": true}), "applied"},
		"creates in the workspace":   {ann, create("place", "p2", Fields{"name": "x"}), "applied"},
		"opens a scope of his own":   {ann, create("task", "t1", Fields{"clientId": "c1"}), "applied"},
		"creates what rules give":    {ann, create("client", "c3", Fields{"name": "Curie"}), "applied"},
		"office holds everything":    {office, update("client", "c2", 1, Fields{"note": "x"}), "applied"},
		"office refers anywhere":     {office, create("place", "p2", Fields{"name": "x", "clientId": "c2"}), "applied"},
		"office refers to nothing":   {office, create("place", "p2", Fields{"name": "x", "clientId": "c9"}), "not_found"},
		"nobody holds the private":   {admin, create("secret", "s1", nil), "not_found"},
		"the system does":            {System("x"), create("secret", "s1", nil), "applied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPushWorld(t)
			want(t, "outcome", outcomes(w.push(c.actor, c.m)), c.want)
		})
	}
}

func TestPushOfNobody(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, update("employee", "bob", 0, Fields{"active": false}))
	for _, a := range []Actor{{User: "stranger"}, bob} {
		if _, err := w.tryPush(1, a, &PushRequest{Mutations: w.withIDs([]Mutation{create("place", "x", Fields{"name": "x"})})}); !fault.Is(err, fault.NotSignedIn) {
			t.Errorf("%s: got %v", a.User, err)
		}
	}
	want(t, "place made by nobody", w.doc("place", "x"), nil)
}

// What was done under a view the phone still held is accepted; what was lost
// before its last cursor, or a month ago, is not.
func TestPushAfterReassignment(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	seen := w.head()
	w.mustWrite(office, update("client", "c1", 0, Fields{"assignedIds": []any{}}))
	lost := w.head()
	note := func() Mutation { return update("client", "c1", seen, Fields{"note": w.id().String()}) }
	want(t, "not told yet", outcomes(w.pushSince(seen, ann, note())), "applied")
	want(t, "told", outcomes(w.pushSince(lost, ann, note())), "not_found")
	w.now = w.now.Add(grace + time.Hour)
	want(t, "a month later", outcomes(w.pushSince(seen, ann, note())), "not_found")
}

func TestPushThroughTeamWindowAndOpenSet(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, create("client", "c3", Fields{"name": "Curie", "teamIds": []any{"t1"}}))
	note := func(id string) Mutation { return update("client", id, w.head(), Fields{"note": w.id().String()}) }
	want(t, "by team", outcomes(w.push(ann, note("c3"))), "applied")
	want(t, "not in the team", outcomes(w.push(bob, note("c3"))), "not_found")
	w.mustWrite(office, update("employee", "bob", 0, Fields{"profileId": "open"}))
	want(t, "open set", outcomes(w.push(bob, note("c3"))), "applied")
	w.mustWrite(office, update("client", "c3", 0, Fields{"disabled": true}))
	want(t, "no longer open", outcomes(w.push(bob, note("c3"))), "not_found")
}

// Everything a push makes counts for what comes later in it, and for the
// requests behind it in the same batch.
func TestGrantsWithinABatch(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	got := w.push(ann,
		create("client", "c3", Fields{"name": "Curie"}),
		create("place", "p3", Fields{"name": "Cellar", "clientId": "c3"}),
		create("photo", "f3", Fields{"placeId": "p3"}),
		update("place", "p3", w.head()+1, Fields{"name": "Deep cellar"}))
	want(t, "outcomes", outcomes(got), "applied applied applied applied")
	want(t, "commits", w.head(), 2)
	want(t, "scope", w.doc("photo", "f3").Scope, "client:c3")
	want(t, "last value", w.field("place", "p3", "name"), any("Deep cellar"))

	b := w.batch()
	day := w.now.In(w.st.location).Format(time.DateOnly)
	var all []*staged
	for _, step := range []struct {
		actor Actor
		m     Mutation
		want  string
	}{
		{ann, create("place", "q0", Fields{"name": "x", "clientId": "c2"}), "not_found"},
		{office, create("task", "t1", Fields{"clientId": "c2", "employeeIds": []any{"ann"}}), "applied"},
		{office, create("task", "t2", Fields{"clientId": "c2", "employeeIds": []any{"bob"}, "start": day + "T12:00:00-05:00"}), "applied"},
		{ann, create("place", "q1", Fields{"name": "x", "clientId": "c2"}), "applied"},
		{ann, update("task", "t2", 0, Fields{"start": day + "T13:00:00-05:00"}), "not_found"},
	} {
		s, err := b.push(context.Background(), step.actor, w.head(), &PushRequest{Mutations: w.withIDs([]Mutation{step.m})}, w.outcome)
		if err != nil {
			t.Fatal(err)
		}
		want(t, step.m.DocID, outcomes(s.push), step.want)
		all = append(all, s)
	}
	for _, s := range all {
		w.confirm(s) // numbers and hashes follow one another
	}
	want(t, "place of the batch", w.doc("place", "q1").Scope, "client:c2")
	want(t, "refused place", w.doc("place", "q0"), nil)
}

// A request that fails as a whole leaves nothing to those behind it.
func TestFailedRequestsWithinABatch(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	b := w.batch()
	note := func(v string) Mutation { return update("client", "c1", 0, Fields{"note": v}) }
	if _, err := b.write(context.Background(), office, &Write{Mutations: []Mutation{note("written"), update("client", "c9", 0, nil)}}, w.outcome); err == nil {
		t.Fatal("must fail")
	}
	body := w.rows[Key{"client", "c2"}]
	delete(w.rows, Key{"client", "c2"})
	if _, err := b.push(context.Background(), office, 1, &PushRequest{Mutations: w.withIDs([]Mutation{note("pushed"), update("client", "c2", 0, nil)})}, w.outcome); err == nil {
		t.Fatal("must fail")
	}
	w.rows[Key{"client", "c2"}] = body
	s, err := b.write(context.Background(), office, &Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"visit": "x"})}}, w.outcome)
	if err != nil {
		t.Fatal(err)
	}
	w.confirm(s)
	want(t, "number", w.head(), 2)
	want(t, "changes", len(s.commit.Changes), 1)
	want(t, "note", w.field("client", "c1", "note"), nil)
}

// What was undone gives nobody anything.
func TestUndoneGrantsWithinABatch(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	b := w.batch()
	task := create("task", "t1", Fields{"clientId": "c2", "employeeIds": []any{"ann"}})
	bad := update("client", "c9", 0, nil)
	task.Group, bad.Group = "g", "g"
	for _, step := range []struct {
		actor Actor
		muts  []Mutation
		want  string
	}{
		{office, []Mutation{task, bad}, "group_refused not_found"},
		{ann, []Mutation{create("place", "q1", Fields{"name": "x", "clientId": "c2"})}, "not_found"},
	} {
		s, err := b.push(context.Background(), step.actor, w.head(), &PushRequest{Mutations: w.withIDs(step.muts)}, w.outcome)
		if err != nil {
			t.Fatal(err)
		}
		want(t, step.actor.User, outcomes(s.push), step.want)
	}
}

// A grant bound to days counts within the batch only inside the window.
func TestWindowWithinABatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start string
		want  string
	}{
		"today, local":     {"2026-11-20T23:30:00-05:00", "merged"},
		"tomorrow":         {"2026-11-21T00:30:00-05:00", "not_found"},
		"yesterday, local": {"2026-11-20T04:30:00Z", "not_found"},
		"no day":           {"", "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPushWorld(t)
			b := w.batch()
			task := Fields{"clientId": "c2", "employeeIds": []any{"ann"}, "state": "done"}
			if c.start != "" {
				task["start"] = c.start
			}
			for i, step := range []Mutation{create("task", "t1", task), update("task", "t1", 0, Fields{"start": "2026-11-20T12:00:00-05:00"})} {
				s, err := b.push(context.Background(), []Actor{office, ann}[i], w.head(), &PushRequest{Mutations: w.withIDs([]Mutation{step})}, w.outcome)
				if err != nil {
					t.Fatal(err)
				}
				if i == 1 {
					want(t, "outcome", outcomes(s.push), c.want)
				}
			}
		})
	}
}

// Creating a document that names a client does not give that client to the
// pusher, and moving what he holds to where he is not does not let him in.
func TestViewGrowsOnlyByWhatThePusherCreated(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	got := w.push(ann,
		create("task", "t1", Fields{"clientId": "c2"}),
		update("client", "c2", 1, Fields{"note": "mine now"}),
		update("place", "p1", 1, Fields{"clientId": "c2"}),
		update("client", "c1", 1, Fields{"parentId": "c2"}))
	want(t, "outcomes", outcomes(got), "not_found not_found not_found not_found")
	want(t, "note", w.field("client", "c2", "note"), nil)
}

func TestOldReferencesNeedNotBeSeenAnyMore(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, update("client", "c1", 0, Fields{"parentId": "c2"}))
	want(t, "unchanged reference", outcomes(w.push(ann, update("client", "c1", w.head(), Fields{"parentId": "c2", "note": "x"}))), "applied")
	w.mustWrite(admin, remove("client", "c2", 0))
	want(t, "to a deleted one", outcomes(w.push(office, create("place", "p2", Fields{"name": "x", "clientId": "c2"}))), "not_found")
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
