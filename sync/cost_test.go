package sync

import (
	"fmt"
	"testing"
	"time"
)

// crowded is a world in which a team is assigned to each of many clients. Its
// one technician is in the team or not, and carries what his profile says.
func crowded(clients int) *viewWorld {
	w := newViewWorld(1, Faults{})
	w.commit([]viewChange{w.member(true), w.openProfile(true), w.technician(RoleTechnician)}, false)
	var all []viewChange
	for i := range clients {
		id := fmt.Sprint("many", i)
		all = append(all, viewChange{key: Key{"client", id}, scope: "client:" + id, edges: Edges{
			Open: true, Grants: []Grant{{Groups: []string{"t0"}, Scopes: []string{"client:" + id, "file:" + id}, Always: true}},
		}})
	}
	w.commit(all, false)
	return w
}

func (w *viewWorld) member(in bool) viewChange {
	ch := viewChange{key: Key{"team", "t0"}, scope: ScopeWorkspace}
	if in {
		ch.edges.Members = []string{"u0"}
	}
	return ch
}

func (w *viewWorld) openProfile(open bool) viewChange {
	return viewChange{key: Key{"profile", "p0"}, scope: ScopeWorkspace, edges: Edges{Profile: &Profile{Open: open}}}
}

func (w *viewWorld) technician(r Role) viewChange {
	return viewChange{key: Key{"user", "u0"}, scope: ScopeWorkspace, edges: Edges{Principal: &Principal{Role: r, Active: true, Profile: Key{"profile", "p0"}}}}
}

// Who sees thousands of clients is decided by one edit of a profile, a role or
// a team, and such an edit costs what it touches of sets: as much in a company
// with a hundred times the clients.
func TestEditsOfAccessCostNoClients(t *testing.T) {
	// Not in parallel: allocations are counted of the whole process.
	small, large := crowded(200), crowded(20_000)
	for name, edit := range map[string]func(w *viewWorld, on bool) viewChange{
		"option 11": (*viewWorld).openProfile,
		"team":      (*viewWorld).member,
		"role": func(w *viewWorld, on bool) viewChange {
			return w.technician(map[bool]Role{true: RoleTechnician, false: RoleDispatcher}[on])
		},
	} {
		few, quick := costOf(t, small, edit)
		many, slow := costOf(t, large, edit)
		t.Logf("%s: %.0f allocations in %v, with a hundred times the clients %.0f in %v", name, few, quick, many, slow)
		if many > few+10 {
			t.Errorf("%s: %.0f allocations, with a hundred times the clients %.0f", name, few, many)
		}
		if slow > 5*quick {
			t.Errorf("%s: %v, with a hundred times the clients %v", name, quick, slow)
		}
	}
}

// costOf takes something away from the technician and gives it back: how many
// allocations that makes, and how long it takes when nothing is in the way.
func costOf(t *testing.T, w *viewWorld, edit func(*viewWorld, bool) viewChange) (allocations float64, quickest time.Duration) {
	t.Helper()
	const runs = 200
	quickest = time.Hour
	allocations = testing.AllocsPerRun(runs, func() {
		begun := time.Now()
		w.commit([]viewChange{edit(w, false)}, false)
		w.commit([]viewChange{edit(w, true)}, false)
		quickest = min(quickest, time.Since(begun))
	})
	if got, want := w.st.digestOf(w.st.principals["u0"]).Count, len(w.model("u0")); got != want {
		t.Errorf("the technician sees %d documents, should see %d", got, want)
	}
	return allocations, quickest
}
