package sync

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The world of this test has accounts, teams, profiles, clients, places of
// clients and tasks, without bodies: the facts are made up directly, so that
// thousands of histories run in a second. The model next to it computes views
// by brute force from the present facts.
type viewWorld struct {
	rng   *rand.Rand
	st    *state
	log   []*Commit
	facts [][]facts
	docs  map[Key]*viewDoc
	day   int32
	phone map[string]*viewPhone
}

type viewDoc struct {
	scope string
	rev   uint64
	facts facts
}

// viewPhone follows a user by steps, with its own cursor.
type viewPhone struct {
	cur  cursor
	docs map[Key]viewCopy
}

type viewCopy struct {
	rev   uint64
	scope string
}

func newViewWorld(seed uint64, f Faults) *viewWorld {
	w := &viewWorld{rng: rand.New(rand.NewPCG(seed, 7)), docs: map[Key]*viewDoc{}, day: 20000, phone: map[string]*viewPhone{}}
	w.st = newState(&Registry{byName: map[string]*Kind{}}, f)
	w.commit([]viewChange{w.user(0), w.user(1), w.user(2), w.profile(0), w.profile(1), w.team(0), w.team(1)}, true)
	for i := range 3 {
		w.phone[fmt.Sprint("u", i)] = &viewPhone{docs: map[Key]viewCopy{}}
	}
	return w
}

type viewChange struct {
	key     Key
	scope   string
	deleted bool
	edges   Edges
}

func (w *viewWorld) pick(prefix string, n int) string { return fmt.Sprint(prefix, w.rng.IntN(n)) }

func (w *viewWorld) some(prefix string, n int) []string {
	var out []string
	for i := range n {
		if w.rng.IntN(3) == 0 {
			out = append(out, fmt.Sprint(prefix, i))
		}
	}
	return out
}

func (w *viewWorld) user(i int) viewChange {
	id := fmt.Sprint("u", i)
	role := RoleTechnician
	if w.rng.IntN(8) == 0 {
		role = RoleDispatcher
	}
	return viewChange{key: Key{"user", id}, scope: ScopeWorkspace, edges: Edges{
		Principal: &Principal{Role: role, Active: w.rng.IntN(10) > 0, Profile: Key{"profile", w.pick("p", 3)}},
		Grants:    []Grant{{Principals: []string{id}, Scopes: []string{ScopeWorkspace, "employee:" + id}, Always: true}},
	}}
}

func (w *viewWorld) profile(i int) viewChange {
	return viewChange{key: Key{"profile", fmt.Sprint("p", i)}, scope: ScopeWorkspace, deleted: w.rng.IntN(6) == 0,
		edges: Edges{Profile: &Profile{Open: w.rng.IntN(4) == 0, Past: int32(w.rng.IntN(3)), Future: int32(w.rng.IntN(3))}}}
}

func (w *viewWorld) team(i int) viewChange {
	return viewChange{key: Key{"team", fmt.Sprint("t", i)}, scope: ScopeWorkspace, deleted: w.rng.IntN(8) == 0,
		edges: Edges{Members: w.some("u", 3)}}
}

func (w *viewWorld) client() viewChange {
	id := w.pick("c", 4)
	ch := viewChange{key: Key{"client", id}, scope: "client:" + id, deleted: w.rng.IntN(8) == 0}
	if w.rng.IntN(4) > 0 {
		ch.edges = Edges{Open: true, Grants: []Grant{{Principals: w.some("u", 3), Groups: w.some("t", 2),
			Scopes: []string{"client:" + id, "file:" + id}, Always: true}}}
	}
	return ch
}

func (w *viewWorld) place() viewChange {
	scope := "client:" + w.pick("c", 4)
	if w.rng.IntN(4) == 0 {
		scope = "file:" + w.pick("c", 4)
	}
	return viewChange{key: Key{"place", w.pick("l", 5)}, scope: scope, deleted: w.rng.IntN(6) == 0}
}

func (w *viewWorld) task() viewChange {
	id := w.pick("k", 4)
	c := w.pick("c", 4)
	g := Grant{Principals: w.some("u", 3), Groups: w.some("t", 2), Scopes: []string{"task:" + id, "client:" + c, "file:" + c},
		ScopesOf: []Key{{"place", w.pick("l", 5)}}, Always: w.rng.IntN(2) == 0}
	if w.rng.IntN(3) > 0 {
		g.Start = time.Unix(int64(w.day+int32(w.rng.IntN(9))-4)*86400+3600, 0)
		g.End = g.Start.Add(time.Duration(w.rng.IntN(3)) * 24 * time.Hour)
	}
	return viewChange{key: Key{"task", id}, scope: "task:" + id, deleted: w.rng.IntN(8) == 0, edges: Edges{Grants: []Grant{g}}}
}

func (w *viewWorld) change() viewChange {
	switch n := w.rng.IntN(20); {
	case n < 2:
		return w.user(w.rng.IntN(3))
	case n < 3:
		return w.profile(w.rng.IntN(2))
	case n < 5:
		return w.team(w.rng.IntN(2))
	case n < 10:
		return w.client()
	case n < 15:
		return w.place()
	default:
		return w.task()
	}
}

// step makes a commit of a few changes, or moves the date.
func (w *viewWorld) step() {
	if w.rng.IntN(15) == 0 {
		w.day++
		w.commit(nil, true)
		return
	}
	byKey := map[Key]viewChange{}
	for range 1 + w.rng.IntN(3) {
		ch := w.change()
		byKey[ch.key] = ch
	}
	keys := slices.Collect(maps.Keys(byKey))
	sortKeys(keys)
	var changes []viewChange
	for _, k := range keys {
		changes = append(changes, byKey[k])
	}
	w.commit(changes, false)
}

func (w *viewWorld) commit(changes []viewChange, day bool) {
	c := &Commit{Number: w.st.head.Number + 1, Prev: w.st.head.Hash, At: time.Unix(int64(w.day)*86400, 0)}
	if day {
		c.Day = time.Unix(int64(w.day)*86400, 0).UTC().Format(time.DateOnly)
	}
	var fs []facts
	for _, ch := range changes {
		old := w.docs[ch.key]
		if ch.deleted && old == nil {
			continue
		}
		v := Version{Key: ch.key, Rev: c.Number, Scope: ch.scope, Deleted: ch.deleted}
		f := facts{edges: ch.edges}
		if ch.deleted {
			v.Scope, f = old.scope, facts{}
			delete(w.docs, ch.key)
		} else {
			w.docs[ch.key] = &viewDoc{ch.scope, c.Number, f}
		}
		c.Changes = append(c.Changes, v)
		fs = append(fs, f)
	}
	c.Seal()
	w.st.apply(c, fs)
	w.log = append(w.log, c)
	w.facts = append(w.facts, fs)
}

// model computes a user's view by brute force.
func (w *viewWorld) model(user string) map[Key]viewCopy {
	view := map[Key]viewCopy{}
	u := w.docs[Key{"user", user}]
	if u == nil || !u.facts.edges.Principal.Active {
		return view
	}
	spec := u.facts.edges.Principal
	profile := Profile{Open: true}
	if p := w.docs[spec.Profile]; p != nil {
		profile = *p.facts.edges.Profile
	}
	held := map[string]bool{}
	for _, d := range w.docs {
		if d.facts.edges.Open && profile.Open {
			held[d.scope] = true
		}
		for _, g := range d.facts.edges.Grants {
			if w.named(g, user) && w.inTime(g, profile) {
				for _, sc := range g.Scopes {
					held[sc] = true
				}
				for _, k := range g.ScopesOf {
					if t := w.docs[k]; t != nil {
						held[t.scope] = true
					}
				}
			}
		}
	}
	for k, d := range w.docs {
		if spec.Role.Office() || held[d.scope] {
			view[k] = viewCopy{d.rev, d.scope}
		}
	}
	return view
}

func (w *viewWorld) named(g Grant, user string) bool {
	if slices.Contains(g.Principals, user) {
		return true
	}
	return slices.ContainsFunc(g.Groups, func(id string) bool {
		t := w.docs[Key{"team", id}]
		return t != nil && slices.Contains(t.facts.edges.Members, user)
	})
}

func (w *viewWorld) inTime(g Grant, p Profile) bool {
	if g.Always {
		return true
	}
	if g.Start.IsZero() {
		return false
	}
	first, last := int32(g.Start.Unix()/86400), int32(g.End.Unix()/86400)
	return last >= w.day-p.Past && first <= w.day+p.Future
}

// pull takes one page; the answer is lost now and then. done says that the
// device is at the head.
func (w *viewWorld) pull(t *testing.T, user string, limit int) (done bool) {
	p, ph := w.st.principals[user], w.phone[user]
	cur := ph.cur
	if cur.t == 0 {
		cur.t = w.st.head.Number
	}
	rows, last, whole := w.st.rows(p, cur.n, cur.t, cur.at, limit)
	if len(rows) > limit {
		t.Fatalf("page of %d rows, limit %d", len(rows), limit)
	}
	done = whole && cur.t == w.st.head.Number
	if w.rng.IntN(6) == 0 {
		return false // lost on the way
	}
	if cur.n == 0 && slices.ContainsFunc(rows, func(r row) bool { return r.at.phase != phasePut }) {
		t.Fatal("a first pull tells of things to forget")
	}
	for _, r := range rows {
		ph.apply(w, r)
	}
	ph.cur = cursor{n: cur.n, t: cur.t, at: last}
	if whole {
		ph.cur = cursor{n: cur.t}
	}
	return done
}

func (ph *viewPhone) apply(w *viewWorld, r row) {
	switch r.at.phase {
	case phaseDrop:
		maps.DeleteFunc(ph.docs, func(_ Key, c viewCopy) bool { return c.scope == r.scope })
	case phaseRemove:
		delete(ph.docs, r.key)
	case phasePut:
		ph.docs[r.key] = viewCopy{r.rev, w.docs[r.key].scope}
	}
}

// compare checks a device that was told it is up to date.
func (w *viewWorld) compare(user string) error {
	want, got := w.model(user), w.phone[user].docs
	if !maps.Equal(want, got) {
		return fmt.Errorf("%s at commit %d: has %v, should have %v", user, w.st.head.Number, got, want)
	}
	var sum Digest
	for k, c := range want {
		sum.add(digestOfVersion(k, c.rev))
	}
	if have := w.st.digestOf(w.st.principals[user]); have != sum {
		return fmt.Errorf("%s at commit %d: digest %v, should be %v", user, w.st.head.Number, have, sum)
	}
	return nil
}

// run plays one history; phones pull now and then, with small pages.
func (w *viewWorld) run(t *testing.T, steps int) error {
	for range steps {
		w.step()
		if w.rng.IntN(12) == 0 {
			w.restart(t)
		}
		for _, u := range []string{"u0", "u1", "u2"} {
			if w.rng.IntN(3) == 0 && w.pull(t, u, 1+w.rng.IntN(3)) && w.phone[u].cur.t == 0 && w.phone[u].cur.n == w.st.head.Number {
				if err := w.compare(u); err != nil {
					return err
				}
			}
		}
	}
	for u := range w.phone {
		for pages := 0; !w.pull(t, u, 2) || w.phone[u].cur.n != w.st.head.Number; pages++ {
			if pages > 200 {
				return fmt.Errorf("%s does not come to an end", u)
			}
		}
		if err := w.compare(u); err != nil {
			return err
		}
	}
	return nil
}

// restart loads the state from its checkpoint, or by replay of the journal.
func (w *viewWorld) restart(t *testing.T) {
	next := newState(w.st.reg, w.st.faults)
	if w.rng.IntN(2) == 0 {
		if err := next.decode(w.st.encode()); err != nil {
			t.Fatal(err)
		}
	} else {
		for i, c := range w.log {
			next.apply(c, w.facts[i])
		}
	}
	if next.hash() != w.st.hash() {
		t.Fatalf("at commit %d: the restarted state is another", w.st.head.Number)
	}
	w.st = next
}

// Any history of assignments, moves, deletions, people and days, any page
// boundary, lost answers and restarts: a device that was told it is up to date
// holds exactly the view, and its digest.
func TestPullGivesExactlyTheView(t *testing.T) {
	t.Parallel()
	histories := uint64(2000)
	if testing.Short() {
		histories = 200
	}
	for seed := range histories {
		if err := newViewWorld(seed, Faults{}).run(t, 60); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The proof above must notice when a rule is left out.
func TestPullProofNoticesMissingRules(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Faults{
		"departures": {ForgetDepartures: true},
		"intervals":  {ForgetIntervals: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				if newViewWorld(seed, f).run(t, 60) != nil {
					return
				}
			}
			t.Fatalf("200 histories without %s, and nothing was noticed", name)
		})
	}
}
