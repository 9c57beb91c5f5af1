package sync

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/enroute-field/enroute/internal/fault"
)

// tx is what rules are given, without a change under way.
func (w *pushWorld) tx(a Actor) *Tx {
	w.t.Helper()
	work, err := w.batch().begin(a, w.outcome)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Tx{ctx: context.Background(), w: work, m: &Mutation{ID: w.id()}}
}

func TestTxChangesInTheNameOfRules(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	tx := w.tx(ann)
	p1, c2 := Key{"place", "p1"}, Key{"client", "c2"}
	for name, c := range map[string]struct {
		err  error
		want func(error) bool
	}{
		"update of nothing":   {tx.Update(Key{"place", "p9"}, nil), isMissing},
		"deletion of nothing": {tx.Delete(Key{"place", "p9"}), isMissing},
		"id taken":            {tx.Create(p1, Fields{"name": "x"}), hasCode(fault.IDExists)},
		"required missing":    {tx.Create(Key{"place", "p2"}, nil), hasCode(fault.InvalidInput)},
		"wrong type":          {tx.Update(p1, Fields{"name": 7.0}), hasCode(fault.InvalidInput)},
		"dangling reference":  {tx.Update(p1, Fields{"clientId": "c9"}), hasCode(fault.InvalidInput)},
		"name taken":          {tx.Update(c2, Fields{"name": "ampère"}), hasCode(fault.NameTaken)},
		"unknown kind":        {tx.Create(Key{"spaceship", "s"}, nil), func(err error) bool { return err != nil && refused(err) == nil }},
		"beyond the actor":    {tx.Update(c2, Fields{"discount": 5.0, "folded": "x"}, "note"), isNil},
		"private":             {tx.Create(Key{"secret", "s1"}, Fields{"hash": "x"}), isNil},
	} {
		if !c.want(c.err) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	want(t, "deleted", tx.Delete(p1), nil)
	want(t, "twice", tx.Delete(p1), nil)
	want(t, "gone", isMissing(tx.Update(p1, Fields{"name": "x"})), true)
	if _, err := tx.Get(p1); !isMissing(err) {
		t.Errorf("a deleted document was read: %v", err)
	}
}

func isMissing(err error) bool { return errors.Is(err, ErrMissing) }
func isNil(err error) bool     { return err == nil }

func hasCode(code fault.Code) func(error) bool {
	return func(err error) bool { return fault.Is(err, code) }
}

// Rules may go on after a change of theirs was refused: nothing of it is left.
func TestTxUndoesWhatFailed(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	w.mustWrite(office, create("place", "p2", Fields{"name": "x", "clientId": "c1", "main": true}))
	tx := w.tx(office)
	if err := tx.Update(Key{"place", "p1"}, Fields{"name": "too late", "main": true}); !fault.Is(err, fault.ClientDisabled) {
		t.Fatalf("got %v", err)
	}
	d, err := tx.Get(Key{"place", "p2"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "main", d.Fields["main"], any(true))
}

func TestTxRefusesCircles(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	k := w.reg.Kind("place")
	k.Rules = func(tx *Tx, ch *Change) error { return tx.Update(ch.Key, Fields{"main": true}) }
	_, err := w.tryPush(1, ann, &PushRequest{Mutations: w.withIDs([]Mutation{update("place", "p1", 1, Fields{"name": "x"})})})
	want(t, "a mistake of ours, not the phone's", err != nil && refused(err) == nil, true)
	want(t, "head", w.head(), 1)
}

func TestTxReads(t *testing.T) {
	t.Parallel()
	w := newPushWorld(t)
	tx := w.tx(ann)
	want(t, "day", tx.Day(), "2026-11-20")
	want(t, "zone", tx.Zone().String(), "America/Toronto")
	want(t, "now", tx.Now(), w.now)
	want(t, "actor", tx.Actor(), ann)
	want(t, "role", tx.Role(), RoleTechnician)
	want(t, "principal", tx.Principal("boss").Role, RoleAdmin)
	want(t, "nobody", tx.Principal("x"), Principal{})
	if got := tx.Principals(RoleDispatcher); !slices.Equal(got, []string{"desk", "desk2"}) {
		t.Errorf("dispatchers: %v", got)
	}
	if got := tx.Referrers(Key{"client", "c1"}, "place"); !slices.Equal(got, []string{"p1"}) {
		t.Errorf("referrers: %v", got)
	}
	if _, err := tx.ByUnique("client", "note", "x"); err == nil {
		t.Error("a field that is not unique cannot be asked for")
	}
	if err := tx.Delete(Key{"employee", "desk"}); err != nil {
		t.Fatal(err)
	}
	if got := tx.Principals(RoleDispatcher); !slices.Equal(got, []string{"desk2"}) || tx.Principal("desk").Active {
		t.Errorf("after a deletion: %v", got)
	}
}
