package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Behaviours that sync servers learned the hard way, about who is told what.
// Each test is named after the numbered case in docs/sync-cases.md.

// lab is a world in which each step is written down.
type lab struct {
	*viewWorld
	t *testing.T
}

func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	w := newViewWorld(1, Faults{})
	l := &lab{w, t}
	w.phone = map[string]*viewPhone{}
	closed := viewChange{key: Key{"profile", "p0"}, scope: ScopeWorkspace, edges: Edges{Profile: &Profile{}}}
	open := viewChange{key: Key{"profile", "p1"}, scope: ScopeWorkspace, edges: Edges{Profile: &Profile{Open: true}}}
	l.put(closed, open, l.tech("u0", "p0"), l.tech("u1", "p0"), l.tech("u2", "p1"), l.crew("t0"), l.crew("t1"))
	for _, u := range []string{"u0", "u1", "u2"} {
		w.phone[u] = &viewPhone{docs: map[Key]viewCopy{}}
		l.sync(u)
	}
	return l
}

func (l *lab) put(changes ...viewChange) { l.commit(changes, false) }

func (l *lab) tech(id, profile string) viewChange {
	return viewChange{key: Key{"user", id}, scope: ScopeWorkspace, edges: Edges{
		Principal: &Principal{Role: RoleTechnician, Active: true, Profile: Key{"profile", profile}},
		Grants:    []Grant{{Principals: []string{id}, Scopes: []string{ScopeWorkspace, "employee:" + id}, Always: true}},
	}}
}

func (l *lab) crew(id string, members ...string) viewChange {
	return viewChange{key: Key{"team", id}, scope: ScopeWorkspace, edges: Edges{Members: members}}
}

// customer c, assigned to holders: users "u…" and teams "t…".
func (l *lab) customer(c string, holders ...string) viewChange {
	g := Grant{Scopes: []string{"client:" + c}, Always: true}
	for _, h := range holders {
		if strings.HasPrefix(h, "u") {
			g.Principals = append(g.Principals, h)
		} else {
			g.Groups = append(g.Groups, h)
		}
	}
	return viewChange{key: Key{"client", c}, scope: "client:" + c, edges: Edges{Open: true, Grants: []Grant{g}}}
}

// thing is a document without grants of its own.
func (l *lab) thing(id, scope string) viewChange {
	return viewChange{key: Key{"place", id}, scope: scope}
}

func gone(ch viewChange) viewChange {
	ch.deleted = true
	return ch
}

// sync pulls to the end without losses and gives the rows, but for those of
// people and teams, which everybody sees.
func (l *lab) sync(user string) []string { return l.syncBy(user, 1000) }

func (l *lab) syncBy(user string, limit int) []string {
	l.t.Helper()
	var out []string
	ph := l.phone[user]
	for pages := 0; ; pages++ {
		if pages > 500 {
			l.t.Fatal("the pull does not come to an end")
		}
		cur := ph.cur
		if cur.t == 0 {
			cur.t = l.st.head.Number
		}
		rows, last, whole := l.st.rows(l.st.principals[user], cur.n, cur.t, cur.at, limit)
		for _, r := range rows {
			ph.apply(l.viewWorld, r)
			if text := rowText(r); text != "" {
				out = append(out, text)
			}
		}
		ph.cur = cursor{n: cur.n, t: cur.t, at: last}
		if whole {
			ph.cur = cursor{n: cur.t}
			if cur.t == l.st.head.Number {
				break
			}
		}
	}
	if err := l.compare(user); err != nil {
		l.t.Fatal(err)
	}
	return out
}

func rowText(r row) string {
	switch {
	case r.key.Kind == "user" || r.key.Kind == "team" || r.key.Kind == "profile":
		return ""
	case r.at.phase == phaseDrop:
		return "drop " + r.scope
	case r.at.phase == phaseRemove:
		return "remove " + r.key.String()
	}
	return "put " + r.key.String()
}

func (l *lab) want(got []string, want ...string) {
	l.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		l.t.Fatalf("told %q, should be told %q", got, want)
	}
}

// Two levels, user to team and team to client: every order of gaining and
// losing either, with the device syncing at any of the points in between.
func TestCase01TwoLevelAccessInAnyOrder(t *testing.T) {
	t.Parallel()
	const moves = 6
	for script := range 1 << (2 * moves) {
		playTwoLevels(t, script, moves)
	}
}

func playTwoLevels(t *testing.T, script, moves int) {
	w := newViewWorld(1, Faults{})
	l := &lab{w, t}
	l.put(viewChange{key: Key{"profile", "p0"}, scope: ScopeWorkspace, edges: Edges{Profile: &Profile{}}},
		l.tech("u0", "p0"), l.crew("t0"), gone(l.crew("t1")), l.customer("c0"))
	w.phone = map[string]*viewPhone{"u0": {docs: map[Key]viewCopy{}}}
	l.sync("u0")
	member, assigned, told, gap := false, false, false, false
	for i := range moves {
		toggle, pull := script>>(2*i)&1, script>>(2*i+1)&1
		if toggle == 0 {
			if member = !member; member {
				l.put(l.crew("t0", "u0"))
			} else {
				l.put(l.crew("t0"))
			}
		} else {
			if assigned = !assigned; assigned {
				l.put(l.customer("c0", "t0"))
			} else {
				l.put(l.customer("c0"))
			}
		}
		sees := member && assigned
		gap = gap || !sees
		if pull == 0 && i < moves-1 {
			continue
		}
		got := strings.Join(l.sync("u0"), ", ")
		want := ""
		switch {
		case told && !sees:
			want = "drop client:c0"
		case told && gap:
			want = "drop client:c0, put client/c0"
		case !told && sees:
			want = "put client/c0"
		case told && got == "put client/c0": // edited meanwhile
			want = got
		}
		if got != want {
			t.Fatalf("script %012b move %d: told %q, should be %q", script, i, got, want)
		}
		told, gap = sees, false
	}
}

func TestCase02ChangedAfterLossIsOnlyRemoved(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "put client/c0", "put place/l0")
	l.put(l.customer("c0"))
	l.put(l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "drop client:c0")
}

func TestCase03MovedIntoALostScope(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"))
	l.sync("u0")
	l.put(l.customer("c0"))
	l.sync("u0")
	l.put(l.thing("l0", "client:c0"))
	l.want(l.sync("u0"))
}

func TestCase04LeftAndCameBack(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.customer("c1"), l.thing("l0", "client:c0"))
	l.sync("u0")
	l.put(l.thing("l0", "client:c1"))
	l.put(l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "put place/l0")
	// Revoked, and the document left and re-entered afterwards.
	l.put(l.customer("c0"))
	l.put(l.thing("l0", "client:c1"))
	l.put(l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "drop client:c0")
}

func TestCase05AnotherPathKeeps(t *testing.T) {
	l := newLab(t)
	l.put(l.crew("t0", "u0"), l.customer("c0", "u0", "t0"))
	l.want(l.sync("u0"), "put client/c0")
	l.put(l.customer("c0", "t0"))
	l.want(l.sync("u0"), "put client/c0") // it was edited, and is still seen
	l.put(l.crew("t0"))
	l.want(l.sync("u0"), "drop client:c0")
	l.want(l.sync("u0"))
}

func TestCase06GrantsByDeletedAndUnknownTeams(t *testing.T) {
	l := newLab(t)
	l.put(l.crew("t0", "u0"), l.customer("c0", "t0"), l.customer("c1", "t9"))
	l.want(l.sync("u0"), "put client/c0")
	l.put(gone(l.crew("t0")))
	l.want(l.sync("u0"), "drop client:c0")
	l.put(l.crew("t0", "u0"))
	l.want(l.sync("u0"), "put client/c0")
	// By another document: a task that names a place brings the place's scope.
	l.put(l.customer("c2"), l.thing("l0", "client:c2"))
	job := viewChange{key: Key{"task", "k0"}, scope: "task:k0", edges: Edges{Grants: []Grant{{
		Principals: []string{"u0"}, Scopes: []string{"task:k0"}, ScopesOf: []Key{{"place", "l0"}}, Always: true}}}}
	l.put(job)
	l.want(l.sync("u0"), "put client/c2", "put place/l0", "put task/k0")
	l.put(gone(job))
	l.want(l.sync("u0"), "drop client:c2", "drop task:k0")
}

func TestCase07RevokeEditRegrantRevokeAtAdjacentCommits(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "put client/c0", "put place/l0")
	l.put(l.customer("c0"))
	l.want(l.sync("u0"), "drop client:c0")
	l.put(l.thing("l0", "client:c0"))
	l.want(l.sync("u0"))
	l.put(l.customer("c0", "u0"))
	l.want(l.sync("u0"), "put client/c0", "put place/l0")
	l.put(l.customer("c0"))
	l.want(l.sync("u0"), "drop client:c0")
}

func TestCase08LongRemovalsInSmallPages(t *testing.T) {
	l := newLab(t)
	l.put(l.crew("t0", "u0"))
	var want []string
	for i := range 25 {
		l.put(l.customer(fmt.Sprint("c", i), "u0", "t0"))
		want = append(want, fmt.Sprint("drop client:c", i))
	}
	l.sync("u0")
	l.put(l.crew("t0"))
	for i := range 25 {
		l.put(l.customer(fmt.Sprint("c", i)))
	}
	l.want(l.syncBy("u0", 2), want...)
}

func TestCase09InterruptedRevocationResumes(t *testing.T) {
	l := newLab(t)
	for i := range 5 {
		l.put(l.customer(fmt.Sprint("c", i), "u0"))
	}
	l.sync("u0")
	for i := range 5 {
		l.put(l.customer(fmt.Sprint("c", i)))
	}
	p, ph := l.st.principals["u0"], l.phone["u0"]
	rows, last, whole := l.st.rows(p, ph.cur.n, l.st.head.Number, place{}, 2)
	if whole || len(rows) != 2 {
		t.Fatalf("page of %d rows, whole %v", len(rows), whole)
	}
	for _, r := range rows {
		ph.apply(l.viewWorld, r)
	}
	ph.cur = cursor{n: ph.cur.n, t: l.st.head.Number, at: last}
	l.put(l.customer("c9", "u0")) // something else happens in the middle
	got := l.sync("u0")
	l.want(got, "drop client:c2", "drop client:c3", "drop client:c4", "put client/c9")
}

func TestCase10DeletedWhileBeingRemoved(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.thing("l0", "client:c0"), l.thing("l1", "client:c0"))
	l.sync("u0")
	l.put(l.thing("l0", "office"))
	l.put(gone(l.thing("l0", "office")))
	l.put(gone(l.thing("l1", "client:c0")))
	l.want(l.sync("u0"), "remove place/l0", "remove place/l1")
}

func TestCase11OldHistoryIsForgottenByStartingOver(t *testing.T) {
	// A cursor from before the horizon is never answered from what is left of
	// the history: TestPullBeforeHorizonResets shows the reset. Here: what is
	// kept is enough for every cursor at or after the horizon.
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.customer("c1", "u0"))
	l.sync("u0")
	at := l.st.head.Number
	l.put(l.customer("c0"))
	l.st.forget(at)
	l.want(l.sync("u0"), "drop client:c0")
	l.put(l.customer("c1"))
	l.st.forget(l.st.head.Number - 1)
	l.want(l.sync("u0"), "drop client:c1")
}

func TestCase12RevivedAfterDeletionAndPullFromZero(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.thing("l0", "client:c0"))
	l.sync("u0")
	l.put(gone(l.thing("l0", "client:c0")))
	l.put(l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "put place/l0")
	l.put(l.customer("c0"))
	l.put(gone(l.thing("l0", "client:c0")))
	l.phone["u1"] = &viewPhone{docs: map[Key]viewCopy{}}
	l.want(l.sync("u1")) // from zero: nothing to forget
	l.want(l.sync("u0"), "drop client:c0")
}

// The open set is the counterpart of a wildcard channel.
func TestCase12RevokedOpenSet(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0"), l.customer("c1", "u2"))
	l.want(l.sync("u2"), "put client/c0", "put client/c1")
	l.put(l.tech("u2", "p0"))
	l.want(l.sync("u2"), "drop client:c0")
	l.put(l.tech("u2", "p1"))
	l.want(l.sync("u2"), "put client/c0")
}

func TestCase14OneWriteThatLeavesAAndEntersB(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0", "u1"), l.customer("c1", "u0"), l.thing("l0", "client:c0"))
	l.sync("u0")
	l.sync("u1")
	l.put(l.thing("l0", "client:c1"))
	// For a member of both the page turns this into an update (page_test.go);
	// the rows put after they remove.
	l.want(l.sync("u0"), "remove place/l0", "put place/l0")
	l.want(l.sync("u1"), "remove place/l0")
}

func TestCase15GrantOnOldDocumentsInSmallPages(t *testing.T) {
	l := newLab(t)
	var first, second []string
	l.put(l.customer("c0"), l.customer("c1"))
	for i := range 7 {
		l.put(l.thing(fmt.Sprint("a", i), "client:c0"), l.thing(fmt.Sprint("b", i), "client:c1"))
		first = append(first, fmt.Sprint("put place/a", i))
		second = append(second, fmt.Sprint("put place/b", i))
	}
	l.sync("u0")
	l.put(l.customer("c0", "u0"))
	ph := l.phone["u0"]
	rows, last, _ := l.st.rows(l.st.principals["u0"], ph.cur.n, l.st.head.Number, place{}, 3)
	for _, r := range rows {
		ph.apply(l.viewWorld, r)
	}
	ph.cur = cursor{n: ph.cur.n, t: l.st.head.Number, at: last}
	l.put(l.customer("c1", "u0")) // a second grant in the middle of the backfill
	got := l.syncBy("u0", 3)
	for _, r := range rows {
		got = append(got, rowText(r))
	}
	l.want(got, append(append(first, second...), "put client/c0", "put client/c1")...)
}

func TestCase16GrantInTheSameCommitCounts(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"), l.thing("l0", "client:c0"))
	l.want(l.sync("u0"), "put client/c0", "put place/l0")
}

// Numbers are given inside the append: there are no late or unused ones, so a
// repeated pull with the same cursor has nothing to find.
func TestCase19And20NoLateNumbersAndNoLoop(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"))
	l.sync("u0")
	for i, c := range l.log {
		if c.Number != uint64(i+1) {
			t.Fatalf("commit %d is number %d", i, c.Number)
		}
	}
	for range 3 {
		l.want(l.sync("u0"))
	}
}

func TestCase25LimitCountsOnlyRowsSent(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "u0"))
	for i := range 40 {
		l.put(l.thing(fmt.Sprint("x", i), "client:c0"))
		l.put(gone(l.thing(fmt.Sprint("x", i), "client:c0")))
	}
	l.put(l.thing("kept", "client:c0"))
	l.phone["u0"] = &viewPhone{docs: map[Key]viewCopy{}}
	p := l.st.principals["u0"]
	rows, _, whole := l.st.rows(p, 0, l.st.head.Number, place{}, 1000)
	if !whole || len(rows) != len(l.model("u0")) {
		t.Fatalf("%d rows, whole %v, for %d documents", len(rows), whole, len(l.model("u0")))
	}
}

func TestCase27GrantWithoutChangeOfTheDocuments(t *testing.T) {
	l := newLab(t)
	l.put(l.customer("c0", "t0"), l.thing("l0", "client:c0"))
	l.want(l.sync("u0"))
	l.put(l.crew("t0", "u0"))
	l.want(l.sync("u0"), "put client/c0", "put place/l0")
}

// A window of days that moves on brings and takes tasks, by the commit that
// moves the date.
func TestDayMovesWindows(t *testing.T) {
	l := newLab(t)
	day := time.Unix(int64(l.day)*86400, 0)
	l.put(viewChange{key: Key{"task", "k0"}, scope: "task:k0", edges: Edges{Grants: []Grant{{
		Principals: []string{"u0"}, Scopes: []string{"task:k0"}, Start: day.AddDate(0, 0, 1), End: day.AddDate(0, 0, 1)}}}})
	l.want(l.sync("u0"))
	l.day++
	l.commit(nil, true)
	l.want(l.sync("u0"), "put task/k0")
	l.day++
	l.commit(nil, true)
	l.want(l.sync("u0"), "drop task:k0")
}
