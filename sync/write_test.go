package sync

import (
	"testing"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		actor Actor
		req   Write
		code  fault.Code
		field string
	}{
		"one of many refused":   {office, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"note": "x"}), update("client", "c9", 0, nil)}}, fault.NotFound, ""},
		"refused by rules":      {office, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"note": "x", "name": "refuse me"})}}, fault.ClientDisabled, ""},
		"name taken":            {office, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"note": "x", "name": "bell"})}}, fault.NameTaken, "name:name_taken"},
		"unknown reference":     {office, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"note": "x", "parentId": "c9"})}}, fault.InvalidInput, "parentId:unknown_reference"},
		"one of many refs":      {office, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"assignedIds": []any{"ann", "nobody"}})}}, fault.InvalidInput, "assignedIds:unknown_reference"},
		"read-only":             {office, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"folded": "x"})}}, fault.InvalidInput, "folded:read_only"},
		"changed meanwhile":     {office, Write{IfMatch: 9, Mutations: []Mutation{update("client", "c1", 0, Fields{"note": "x"})}}, fault.PreconditionFail, ""},
		"deleted twice":         {office, Write{Mutations: []Mutation{remove("place", "p1", 0), remove("place", "p1", 0)}}, fault.NotFound, ""},
		"a technician's view":   {ann, Write{Mutations: []Mutation{update("client", "c2", 0, Fields{"note": "x"})}}, fault.NotFound, ""},
		"beyond it":             {ann, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"parentId": "c2"})}}, fault.InvalidInput, "parentId:unknown_reference"},
		"not a technician's":    {ann, Write{Mutations: []Mutation{update("client", "c1", 0, Fields{"discount": 1.0})}}, fault.FieldNotAllowed, ""},
		"private without leave": {admin, Write{Mutations: []Mutation{create("secret", "s1", Fields{"hash": "x"})}}, fault.NotFound, ""},
		"too many":              {office, Write{Mutations: make([]Mutation, MaxMutations+1)}, fault.PushTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPushWorld(t)
			_, err := w.write(c.actor, c.req)
			want(t, "code", fault.Of(err).Code, c.code)
			want(t, "fields", refusedFields(err), c.field)
			want(t, "head", w.head(), 1)
		})
	}
}

func TestWriteAnswersWithTheDocuments(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	got := w.mustWrite(office,
		update("client", "c1", 0, Fields{"note": "x"}), create("place", "p2", Fields{"name": "y"}), remove("place", "p1", 0))
	want(t, "rev", got.Rev, 2)
	for i, deleted := range []bool{false, false, true} {
		d := got.Docs[i]
		want(t, "rev of "+d.ID, d.Rev, 2)
		want(t, "deleted "+d.ID, d.Deleted, deleted)
		want(t, "stored "+d.ID, string(d.Body), string(w.rows[d.Key][2].Body))
	}
	got = w.mustWrite(office, update("client", "c1", 0, Fields{"note": "x"}))
	want(t, "nothing changed", got.Rev, 2)
	want(t, "its rev", got.Docs[0].Rev, 2)
	want(t, "head", w.head(), 2)
	_, err := w.write(office, Write{IfMatch: 2, Mutations: []Mutation{update("client", "c1", 0, Fields{"note": "y"}), update("client", "c2", 0, Fields{"note": "y"})}})
	want(t, "matching", err, nil)
}

func TestKeyedWriteHasOneEffect(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	key := uuid.MustParse("0190b0c4-7e4d-7a53-8e0b-1f6a3f1d2c4b")
	write := func(a Actor, note string) (*Written, error) {
		return w.write(a, Write{Key: key, Mutations: []Mutation{update("client", "c1", 0, Fields{"note": note})}})
	}
	first, err := write(office, "x")
	want(t, "first", err, nil)
	w.mustWrite(office, update("client", "c1", 0, Fields{"note": "later"}))
	again, err := write(office, "x")
	want(t, "again", err, nil)
	want(t, "duplicate", again.Duplicate, true)
	want(t, "first rev", again.Rev, first.Rev)
	want(t, "as it is now", again.Docs[0].Rev, w.head())
	want(t, "one effect", w.field("client", "c1", "note"), any("later"))
	_, err = write(office, "y")
	want(t, "other content", fault.Of(err).Code, fault.KeyReused)
	_, err = write(admin, "x")
	want(t, "other user", fault.Of(err).Code, fault.KeyReused)

	key = uuid.MustParse("0190b0c4-7e4d-7a53-8e0b-1f6a3f1d2c4c")
	if _, err = w.write(office, Write{Key: key, Mutations: []Mutation{update("client", "c9", 0, nil)}}); err == nil {
		t.Fatal("must fail")
	}
	_, err = write(office, "z")
	want(t, "a failure leaves the key free", err, nil)

	key = uuid.MustParse("0190b0c4-7e4d-7a53-8e0b-1f6a3f1d2c4d")
	same, err := write(office, "z")
	want(t, "nothing to do", err, nil)
	want(t, "recorded all the same", w.head(), same.Rev)
	again, err = write(office, "z")
	want(t, "and answered", err, nil)
	want(t, "the same", again.Rev, same.Rev)
}

func TestAdmittedWrite(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	for _, m := range []Mutation{
		create("secret", "s1", Fields{"hash": "x"}),
		update("secret", "s1", 0, Fields{"hash": "y"}),
		update("client", "c2", 0, Fields{"folded": "z", "discount": 5.0}),
		create("team", "t2", nil),
	} {
		if _, err := w.write(ann, Write{Admit: true, Mutations: []Mutation{m}}); err != nil {
			t.Errorf("%s %s: %v", m.Op, m.Key(), err)
		}
	}
	if _, err := w.write(ann, Write{Admit: true, Mutations: []Mutation{update("client", "c2", 0, Fields{"name": 1.0})}}); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("what is admitted must be valid all the same: %v", err)
	}
}

// A console that says what it was looking at is merged like a phone.
func TestWriteWithBase(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, update("client", "c1", 0, Fields{"visit": "a"}))
	w.mustWrite(office2, update("client", "c1", 1, Fields{"visit": "b", "note": "x"}))
	want(t, "conflicts", w.conflicts(), "visit: b over a (sameField)")
	want(t, "note", w.field("client", "c1", "note"), any("x"))
}
