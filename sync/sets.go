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
	members map[uint32]*member
	last    *member           // newest in order of touched
	lost    []loss            // in order of rev
	past    map[uint32][]span // closed spans of scopes
	digest  Digest
	changed uint64
}

// member is a scope that a set holds.
type member struct {
	scope      uint32
	paths      int32  // how many grants lead here
	since      uint64 // gained at this commit
	touched    uint64 // gained or changed at this commit
	prev, next *member
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
	return &set{holder: holder, window: w, members: map[uint32]*member{}, past: map[uint32][]span{}}
}

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
	m := &member{scope: scopeNum, paths: paths, since: rev}
	st.members[scopeNum] = m
	st.append(m, rev)
	s.scopes[scopeNum].in = append(s.scopes[scopeNum].in, setNum)
	st.digest.add(s.scopes[scopeNum].digest)
}

// lose takes a scope out of a set at commit rev.
func (s *state) lose(setNum, scopeNum uint32, rev uint64) {
	st := s.sets[setNum]
	m := st.members[scopeNum]
	delete(st.members, scopeNum)
	st.detach(m)
	st.changed = rev
	if !s.faults.ForgetIntervals {
		st.past[scopeNum] = append(st.past[scopeNum], span{m.since, rev, s.head.At.Unix()})
		st.lost = append(st.lost, loss{rev, scopeNum})
	}
	s.scopes[scopeNum].in = without(s.scopes[scopeNum].in, setNum)
	st.digest.sub(s.scopes[scopeNum].digest)
}

// touch moves a member to the end, as changed at commit rev.
func (st *set) touch(m *member, rev uint64) {
	st.detach(m)
	st.append(m, rev)
}

func (st *set) append(m *member, rev uint64) {
	m.touched, m.prev, m.next = rev, st.last, nil
	if st.last != nil {
		st.last.next = m
	}
	st.last = m
	st.changed = rev
}

func (st *set) detach(m *member) {
	if m.prev != nil {
		m.prev.next = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		st.last = m.prev
	}
}

// delta is how many paths from sets to scopes a commit adds or takes.
type delta map[setScope]int32

type setScope struct{ set, scope uint32 }

// count adds what document n gives to the sets, sign times. With only set,
// it counts for one new window set alone.
func (s *state) count(n uint32, sign int32, d delta, only *uint32) {
	doc := &s.docs[n]
	if doc.deleted || doc.rev == 0 || doc.facts == nil {
		return
	}
	if doc.facts.open && only == nil {
		d[setScope{openSet, doc.scope}] += sign
	}
	for i := range doc.facts.grants {
		g := &doc.facts.grants[i]
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
		m := s.sets[p.set].members[p.scope]
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
