package sync

import (
	"math"
	"slices"
	"time"
)

// forever is the end of a span that is not closed.
const forever = math.MaxUint64

// holdings calls yield for every span during which the principal held a set.
func (p *principal) holdings(yield func(set uint32, sp span) bool) {
	for _, h := range p.sets {
		if !yield(h.set, span{from: h.since, to: forever}) {
			return
		}
	}
	for _, h := range p.past {
		if !yield(h.set, h.span) {
			return
		}
	}
}

// spansOf are the spans during which a set held a scope.
func (s *state) spansOf(set, scopeNum uint32) []span {
	if set == everythingSet {
		if scopeNum == s.private {
			return nil
		}
		return []span{{to: forever}}
	}
	st := s.sets[set]
	spans := st.past[scopeNum]
	if m := st.member(scopeNum); m != nil {
		spans = append(spans[:len(spans):len(spans)], span{from: m.since, to: forever})
	}
	return spans
}

// holdsNow says whether the principal holds the scope at the head, since
// commit since or before, by one path.
func (s *state) holdsNow(p *principal, scopeNum uint32, since uint64) bool {
	for _, h := range p.sets {
		if h.since > since {
			continue
		}
		if h.set == everythingSet {
			return scopeNum != s.private
		}
		if m := s.sets[h.set].member(scopeNum); m != nil && m.since <= since {
			return true
		}
	}
	return false
}

// held are the spans, sorted, during which the principal held the scope by
// any path.
func (s *state) held(p *principal, scopeNum uint32) []span {
	var out []span
	p.holdings(func(set uint32, outer span) bool {
		for _, inner := range s.spansOf(set, scopeNum) {
			both := inner
			if outer.to < inner.to {
				both = outer
			}
			both.from = max(outer.from, inner.from)
			if both.from < both.to {
				out = append(out, both)
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	return out
}

// covered says whether the principal held the scope at every commit from a to
// b, both included.
func (s *state) covered(p *principal, scopeNum uint32, a, b uint64) bool {
	if s.holdsNow(p, scopeNum, a) {
		return true
	}
	next := a // the first commit not yet shown to be covered
	for _, sp := range s.held(p, scopeNum) {
		if sp.from > next {
			return false
		}
		if sp.to > next {
			next = sp.to
		}
		if next > b {
			return true
		}
	}
	return false
}

// heldAt says whether the principal held the scope at commit n. Before the
// first commit nothing is held.
func (s *state) heldAt(p *principal, scopeNum uint32, n uint64) bool {
	return n > 0 && s.covered(p, scopeNum, n, n)
}

// grace is how long a lost scope may still be written to by a device that had
// not been told.
const grace = 30 * 24 * time.Hour

// heldSince says whether the principal held the scope at any commit from
// number from up to the head. A loss before grace does not count.
func (s *state) heldSince(principalID, scopeName string, from uint64, grace time.Time) bool {
	p, scopeNum := s.principals[principalID], none
	if n, ok := s.scopeNamed(scopeName); ok {
		scopeNum = n
	}
	if p == nil || scopeNum == none {
		return false
	}
	return slices.ContainsFunc(s.held(p, scopeNum), func(sp span) bool {
		return sp.to == forever || sp.to > from && sp.ended >= grace.Unix()
	})
}
