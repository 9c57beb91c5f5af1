package sync

import (
	"context"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

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
