package sync

import "slices"

// A set is what principals hold and what holds scopes. Two are shared:
// everything (all scopes but the private one; its members are implied) and
// open. The others belong to a holder, a principal or a group: one for what
// its grants give always, and one for each window of days in use, so that a
// team's or a profile's edit moves people between sets and touches no scope.
//
// Both edges, principal to set and set to scope, carry spans: the commits at
// which they came and went. What somebody held at any commit since the
// horizon can be read off them.
type set struct {
	holder  uint32 // none for the shared ones
	window  window
	members []member
	at      map[uint32]uint32 // index into members by scope
	free    []uint32          // indexes into members that are not in use
	order   chain             // of members, by touched
	lost    []loss            // in order of rev
	past    map[uint32][]span // closed spans of scopes
	digest  Digest
	changed uint64
}

// member is a scope that a set holds.
type member struct {
	scope   uint32
	paths   int32  // how many grants lead here
	since   uint64 // gained at this commit
	touched uint64 // gained or changed at this commit
	link    link   // neighbours in set.order
}

// loss tells that a set lost a scope.
type loss struct {
	rev   uint64
	scope uint32
}

// span is the commits from from up to, not with, to.
type span struct {
	from, to uint64
	ended    int64 // Unix time of commit to
}

// window of days around today; on marks a set bound to one.
type window struct {
	on           bool
	past, future int32
}

// holder is a principal or a group: whom grants name.
type holder struct {
	name     string
	always   uint32              // number of its set for grants without days; none until needed
	windows  []uint32            // its sets bound to windows
	grantors map[uint32]struct{} // documents that grant to it
}

func principalHolder(id string) string { return "p:" + id }
func groupHolder(id string) string     { return "g:" + id }

func newSet(holder uint32, w window) *set {
	return &set{holder: holder, window: w, at: map[uint32]uint32{}, order: emptyChain, past: map[uint32][]span{}}
}

// size is how many scopes the set holds.
func (st *set) size() int { return len(st.at) }

// member of a scope; nil if the set does not hold it. It is good until the set
// changes.
func (st *set) member(scope uint32) *member {
	if n, ok := st.at[scope]; ok {
		return &st.members[n]
	}
	return nil
}

// newest is the member touched last, before the one that comes before another;
// nil if there is none.
func (st *set) newest() *member          { return st.numbered(st.order.last) }
func (st *set) before(m *member) *member { return st.numbered(m.link.prev) }

func (st *set) numbered(n uint32) *member {
	if n == none {
		return nil
	}
	return &st.members[n]
}

func (st *set) link(n uint32) *link { return &st.members[n].link }

func (s *state) holderNumber(name string) uint32 {
	if n, ok := s.holderNum[name]; ok {
		return n
	}
	n := uint32(len(s.holders))
	s.holders = append(s.holders, holder{name: name, always: none, grantors: map[uint32]struct{}{}})
	s.holderNum[name] = n
	return n
}

// alwaysSet is the number of the holder's set for grants without days.
func (s *state) alwaysSet(h uint32) uint32 {
	if s.holders[h].always == none {
		s.holders[h].always = s.addSet(h, window{})
	}
	return s.holders[h].always
}

// windowSet is the number of the holder's set for a window, and whether it is new.
func (s *state) windowSet(h uint32, w window) (uint32, bool) {
	for _, n := range s.holders[h].windows {
		if s.sets[n].window == w {
			return n, false
		}
	}
	n := s.addSet(h, w)
	s.holders[h].windows = append(s.holders[h].windows, n)
	return n, true
}

func (s *state) addSet(h uint32, w window) uint32 {
	s.sets = append(s.sets, newSet(h, w))
	return uint32(len(s.sets) - 1)
}

// hits says whether one of the grant's days lies in the window around today.
func (w window) hits(g *grant, today int32) bool {
	return g.last >= today-w.past && g.first <= today+w.future
}

// gain puts a scope into a set at commit rev.
func (s *state) gain(setNum, scopeNum uint32, paths int32, rev uint64) {
	st := s.sets[setNum]
	st.add(member{scope: scopeNum, paths: paths, since: rev, touched: rev})
	st.changed = rev
	s.scopes[scopeNum].in = append(s.scopes[scopeNum].in, setNum)
	st.digest.add(s.scopes[scopeNum].digest)
}

// lose takes a scope out of a set at commit rev.
func (s *state) lose(setNum, scopeNum uint32, rev uint64) {
	st := s.sets[setNum]
	since := st.member(scopeNum).since
	st.drop(scopeNum)
	st.changed = rev
	if !s.faults.ForgetIntervals {
		st.past[scopeNum] = append(st.past[scopeNum], span{since, rev, s.head.At.Unix()})
		st.lost = append(st.lost, loss{rev, scopeNum})
	}
	s.scopes[scopeNum].in = without(s.scopes[scopeNum].in, setNum)
	st.digest.sub(s.scopes[scopeNum].digest)
}

// add a member, as the one touched last.
func (st *set) add(m member) {
	n := uint32(len(st.members))
	if last := len(st.free) - 1; last >= 0 {
		n, st.free = st.free[last], st.free[:last]
		st.members[n] = m
	} else {
		st.members = append(st.members, m)
	}
	st.at[m.scope] = n
	st.order.push(n, st.link)
}

func (st *set) drop(scope uint32) {
	n := st.at[scope]
	delete(st.at, scope)
	st.order.remove(n, st.link)
	st.free = append(st.free, n)
}

// touch moves the scope's member to the end, as changed at commit rev.
func (st *set) touch(scope uint32, rev uint64) {
	n := st.at[scope]
	st.order.remove(n, st.link)
	st.order.push(n, st.link)
	st.members[n].touched = rev
	st.changed = rev
}

// delta is how many paths from sets to scopes a commit adds or takes.
type delta map[setScope]int32

type setScope struct{ set, scope uint32 }

// count adds what document n gives to the sets, sign times. With only set,
// it counts for one new window set alone.
func (s *state) count(n uint32, sign int32, d delta, only *uint32) {
	doc := &s.docs[n]
	if doc.deleted || doc.rev == 0 || doc.links == "" {
		return
	}
	l := s.linksOf(n)
	if l.open && only == nil {
		d[setScope{openSet, doc.scope}] += sign
	}
	for i := range l.grants {
		g := &l.grants[i]
		for _, h := range g.holders {
			for _, set := range s.setsOfGrant(g, h) {
				if only == nil || *only == set {
					s.countGrant(g, set, sign, d)
				}
			}
		}
	}
}

// setsOfGrant are the holder's sets that the grant counts for today.
func (s *state) setsOfGrant(g *grant, h uint32) []uint32 {
	if g.always {
		return []uint32{s.alwaysSet(h)}
	}
	var out []uint32
	for _, n := range s.holders[h].windows {
		if s.sets[n].window.hits(g, s.dayNum) {
			out = append(out, n)
		}
	}
	return out
}

func (s *state) countGrant(g *grant, set uint32, sign int32, d delta) {
	for _, sc := range g.scopes {
		d[setScope{set, sc}] += sign
	}
	for _, n := range g.of {
		if s.live(n) {
			d[setScope{set, s.docs[n].scope}] += sign
		}
	}
}

// settle applies the counted paths: scopes come into sets and leave them.
func (s *state) settle(d delta, rev uint64) {
	pairs := make([]setScope, 0, len(d))
	for p, paths := range d {
		if paths != 0 {
			pairs = append(pairs, p)
		}
	}
	// In a fixed order, so that every replay builds the same lists.
	slices.SortFunc(pairs, func(a, b setScope) int {
		if a.set != b.set {
			return int(int64(a.set) - int64(b.set))
		}
		return int(int64(a.scope) - int64(b.scope))
	})
	for _, p := range pairs {
		m := s.sets[p.set].member(p.scope)
		switch {
		case m == nil:
			s.gain(p.set, p.scope, d[p], rev)
		case m.paths+d[p] == 0:
			s.lose(p.set, p.scope, rev)
		default:
			m.paths += d[p]
		}
	}
}
