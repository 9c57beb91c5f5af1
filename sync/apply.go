package sync

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"
)

// apply makes a commit part of the state. fs are the facts of its changes in
// order, as the writer computed them.
//
// Sets change by counting paths: first everything that may be affected is
// counted out under the old state, then the documents are changed, then it is
// counted in under the new one. Only what really came or went is left, at
// this commit's number.
func (s *state) apply(c *Commit, fs []facts) {
	if c.Number == 1 {
		sum := sha256.Sum256(append([]byte("cursor"), c.Nonce[:]...))
		s.secret = sum[:]
	}
	s.head = Head{Number: c.Number, Hash: c.Hash, At: c.At}
	compiled := make([]*links, len(c.Changes))
	numbers := make([]uint32, len(c.Changes))
	for i := range c.Changes {
		numbers[i] = s.number(c.Changes[i].Key)
		if !c.Changes[i].Deleted {
			compiled[i] = s.compile(fs[i])
		}
	}
	d := delta{}
	days := s.newDays(c, compiled)
	affected := s.affected(numbers, days)
	for _, n := range affected {
		s.count(n, -1, d, nil)
	}
	people := map[string]struct{}{}
	for i := range c.Changes {
		s.concerned(numbers[i], people)
		s.put(numbers[i], &c.Changes[i], compiled[i], c.Number)
		s.concerned(numbers[i], people)
	}
	s.setDay(days)
	made := s.regroup(people, c.Number)
	for _, n := range affected {
		s.count(n, 1, d, nil)
	}
	for _, set := range made {
		for n := range s.holders[s.sets[set].holder].grantors {
			if _, counted := slices.BinarySearch(affected, n); !counted {
				s.count(n, 1, d, &set)
			}
		}
	}
	s.settle(d, c.Number)
	s.bump(c.Number)
	if c.BeginsEpoch() {
		s.forget(c.Number)
	}
}

// daysChange is the workspace's date and zone after a commit.
type daysChange struct {
	day    string
	dayNum int32
	zone   *time.Location
	moved  bool // the date or the zone is another
	rezone bool
}

func (s *state) newDays(c *Commit, compiled []*links) daysChange {
	out := daysChange{day: s.day, dayNum: s.dayNum, zone: s.location}
	for _, l := range compiled {
		if l == nil || l.rare == nil || l.rare.zone == "" || l.rare.zone == s.location.String() {
			continue
		}
		if loc, err := time.LoadLocation(l.rare.zone); err == nil {
			out.zone, out.rezone, out.moved = loc, true, true
		}
	}
	if c.Day != "" && c.Day != s.day {
		out.day, out.dayNum, out.moved = c.Day, parseDay(c.Day), true
	}
	return out
}

// affected are the numbers, sorted, of the documents whose grants may count
// otherwise after the commit: the changed ones, those that grant the scopes
// of changed ones, and, when the date moves, those bound to days.
func (s *state) affected(numbers []uint32, days daysChange) []uint32 {
	all := map[uint32]struct{}{}
	for _, n := range numbers {
		all[n] = struct{}{}
		for _, r := range s.referrers[n] {
			all[r] = struct{}{}
		}
	}
	if days.moved {
		for n := range s.ranged {
			if days.rezone || s.nearDays(n, days.dayNum) {
				all[n] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// nearDays says whether moving the date to day may change what document n
// grants in any window.
func (s *state) nearDays(n uint32, day int32) bool {
	const widest = 400 // days; no profile's window is wider
	low, high := min(s.dayNum, day)-widest, max(s.dayNum, day)+widest
	return slices.ContainsFunc(s.linksOf(n).grants, func(g grant) bool {
		return !g.always && g.last >= low && g.first <= high
	})
}

func (s *state) setDay(days daysChange) {
	s.day, s.dayNum, s.location = days.day, days.dayNum, days.zone
}

// put makes v the version of document n.
func (s *state) put(n uint32, v *Version, f *links, rev uint64) {
	s.unlink(n)
	d := &s.docs[n]
	old := d.scope
	wasThere := d.rev > 0 && !d.deleted
	if wasThere {
		s.takeOut(n, old, rev)
		if v.Deleted || s.scopes[old].name != v.Scope && !s.faults.ForgetMoves {
			s.depart(n, old, rev)
		}
	}
	d = &s.docs[n]
	d.rev, d.deleted, d.links = rev, v.Deleted, f.pack()
	d.scope = s.scopeNumber(v.Scope)
	if !v.Deleted {
		s.comeBack(n, d.scope)
		s.putIn(n, d.scope, rev)
	}
	s.relink(n, f)
}

func (s *state) takeOut(n, scopeNum uint32, rev uint64) {
	sc := &s.scopes[scopeNum]
	sc.docs.remove(n, s.docLink)
	s.addDigest(scopeNum, s.docDigest(n), -1)
	s.mark(scopeNum, rev)
}

func (s *state) putIn(n, scopeNum uint32, rev uint64) {
	sc := &s.scopes[scopeNum]
	sc.docs.push(n, s.docLink)
	s.addDigest(scopeNum, s.docDigest(n), 1)
	s.mark(scopeNum, rev)
}

// mark remembers that a scope changed in this commit; bump does the rest.
func (s *state) mark(scopeNum uint32, rev uint64) {
	sc := &s.scopes[scopeNum]
	if sc.changed == rev {
		return
	}
	if sc.changed > 0 && scopeNum != s.private {
		s.order.remove(scopeNum, s.scopeLink)
	}
	sc.changed = rev
	if scopeNum != s.private {
		s.order.push(scopeNum, s.scopeLink)
		s.changed = rev
	}
}

// bump moves the scopes that this commit changed to the end of every set that
// holds them.
func (s *state) bump(rev uint64) {
	for n := s.order.last; n != none && s.scopes[n].changed == rev; n = s.scopes[n].link.prev {
		for _, set := range s.scopes[n].in {
			s.sets[set].touch(n, rev)
		}
	}
}

func (s *state) depart(n, scopeNum uint32, rev uint64) {
	if !s.faults.ForgetDepartures {
		s.gone[scopeNum] = append(s.gone[scopeNum], departure{n, rev})
	}
}

func (s *state) comeBack(n, scopeNum uint32) {
	gone := slices.DeleteFunc(s.gone[scopeNum], func(g departure) bool { return g.doc == n })
	s.setGone(scopeNum, gone)
}

func (s *state) setGone(scopeNum uint32, gone []departure) {
	if len(gone) == 0 {
		delete(s.gone, scopeNum)
	} else {
		s.gone[scopeNum] = gone
	}
}

// unlink takes a document's facts out of the indexes; relink puts them in.
func (s *state) unlink(n uint32) {
	if s.docs[n].links == "" {
		return
	}
	f := s.linksOf(n)
	for _, h := range f.unique {
		s.unique.remove(h, n)
	}
	for _, r := range f.refs {
		s.referrers[r] = without(s.referrers[r], n)
		if len(s.referrers[r]) == 0 {
			delete(s.referrers, r)
		}
	}
	for i := range f.grants {
		for _, h := range f.grants[i].holders {
			delete(s.holders[h].grantors, n)
		}
	}
	delete(s.ranged, n)
	s.unlinkRare(n)
}

func (s *state) unlinkRare(n uint32) {
	r, ok := s.rare[n]
	if !ok {
		return
	}
	delete(s.rare, n)
	if r.principal != nil {
		s.principals[s.docs[n].id].spec = Principal{}
	}
	if len(r.members) > 0 {
		s.groups = without(s.groups, n)
	}
}

func (s *state) relink(n uint32, f *links) {
	if f == nil {
		return
	}
	for _, h := range f.unique {
		s.unique.add(h, n)
	}
	for _, r := range f.refs {
		s.referrers[r] = append(s.referrers[r], n)
	}
	for i := range f.grants {
		for _, h := range f.grants[i].holders {
			s.holders[h].grantors[n] = struct{}{}
		}
	}
	if f.byDays() {
		s.ranged[n] = struct{}{}
	}
	s.relinkRare(n, f.rare)
}

func (s *state) relinkRare(n uint32, r *rare) {
	if r == nil {
		return
	}
	s.rare[n] = *r
	if r.principal != nil {
		id := s.docs[n].id
		p := s.principals[id]
		if p == nil {
			p = &principal{id: id}
			s.principals[id] = p
		}
		p.spec = *r.principal
	}
	if len(r.members) > 0 {
		s.groups = append(s.groups, n)
	}
}
