package simulate

import (
	"slices"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// span is a stretch of commits, from the first at which a user held a scope
// up to, not with, the first at which he no longer did; to is 0 while he does.
type span struct{ from, to uint64 }

// track notes what the user holds at the head.
func (m *model) track(user string) {
	held := m.scopesOf(user)
	mine := m.spans[user]
	if mine == nil {
		mine = map[string][]span{}
		m.spans[user] = mine
	}
	for scope := range held {
		if s := mine[scope]; len(s) == 0 || s[len(s)-1].to != 0 {
			mine[scope] = append(s, span{from: m.head})
		}
	}
	for scope, s := range mine {
		if last := &s[len(s)-1]; last.to == 0 && !held[scope] {
			last.to = m.head
		}
	}
}

// heldAt says whether the user held the scope at commit n.
func (m *model) heldAt(user, scope string, n uint64) bool {
	return m.heldThroughout(user, scope, n, n)
}

// heldThroughout says whether the user held the scope at every commit of [from, to].
func (m *model) heldThroughout(user, scope string, from, to uint64) bool {
	within := func(s span) bool { return s.from <= from && (s.to == 0 || s.to > to) }
	return slices.ContainsFunc(m.spans[user][scope], within) || slices.ContainsFunc(m.spans[user][everything], within)
}

// heldSince says whether the user held the scope at some commit of
// [from, to], and had not lost it for longer than grace before at.
func (m *model) heldSince(user, scope string, from, to uint64, at time.Time, grace time.Duration) bool {
	reaches := func(s span) bool {
		return s.from <= to && (s.to == 0 || s.to > from && at.Sub(m.ends[s.to-1]) <= grace)
	}
	return slices.ContainsFunc(m.spans[user][scope], reaches) || slices.ContainsFunc(m.spans[user][everything], reaches)
}

// mostRows is the greatest number of rows that a step from n to the head may
// have: what the contract calls the difference.
func (m *model) mostRows(user string, n uint64) int {
	rows := 0
	whole := map[string]bool{} // scopes held since n without a gap
	for scope := range m.spans[user] {
		if scope == everything {
			continue
		}
		through := m.heldThroughout(user, scope, n, m.head)
		whole[scope] = through
		if m.heldAt(user, scope, n) && !through {
			rows++
		}
	}
	left := map[sync.Key]bool{}
	for scope, gone := range m.gone {
		for key, rev := range gone {
			if whole[scope] && rev > n {
				left[key] = true
			}
		}
	}
	held := m.scopesOf(user)
	for _, d := range m.docs {
		if !d.deleted && held[d.scope] && (!whole[d.scope] || d.rev > n) {
			rows++
		}
	}
	return rows + len(left)
}
