package sync

import (
	"maps"
	"slices"
	"sync/atomic"
)

// principal is an account as views see it.
type principal struct {
	id      string
	spec    Principal // zero when the account is gone
	sets    []holding
	past    []pastHolding
	changed uint64 // last commit that changed which sets it holds
	digest  atomic.Pointer[cachedDigest]
}

// holding is a set that a principal holds since a commit.
type holding struct {
	set   uint32
	since uint64
}

// pastHolding is a set that a principal held.
type pastHolding struct {
	set  uint32
	span span
}

// principal of an account with its profile. An account without a profile
// document sees what is open, today.
func (s *state) principal(id string) (Principal, Profile) {
	p := s.principals[id]
	if p == nil {
		return Principal{}, Profile{}
	}
	return p.spec, s.profileOf(p)
}

func (s *state) profileOf(p *principal) Profile {
	if n, ok := s.lookup(p.spec.Profile); ok && s.live(n) && s.rare[n].profile != nil {
		return *s.rare[n].profile
	}
	return Profile{Open: true}
}

// ids of the active principals with a role, sorted.
func (s *state) withRole(role Role) []string {
	var out []string
	for id, p := range s.principals {
		if p.spec.Active && p.spec.Role == role {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (b writerBase) principals(role Role) []string { return b.withRole(role) }

// inGroup says whether a live group document lists the principal.
func (s *state) inGroup(group, principalID string) bool {
	return slices.Contains(s.groupsOf(principalID), group)
}

// groupsOf are the ids of the groups that list the principal, sorted. A
// workspace has few groups, so they are looked through.
func (s *state) groupsOf(principalID string) []string {
	var out []string
	for _, n := range s.groups {
		if slices.Contains(s.rare[n].members, principalID) {
			out = append(out, s.docs[n].id)
		}
	}
	slices.Sort(out)
	return out
}

// concerned collects the principals whose sets a change of document n may
// change.
func (s *state) concerned(n uint32, ids map[string]struct{}) {
	r := s.rare[n]
	if r.principal != nil {
		ids[s.docs[n].id] = struct{}{}
	}
	for _, id := range r.members {
		ids[id] = struct{}{}
	}
	if r.profile != nil {
		key := s.key(n)
		for id, p := range s.principals {
			if p.spec.Profile == key {
				ids[id] = struct{}{}
			}
		}
	}
}

// regroup recomputes which sets the principals hold, and gives the window
// sets that this made.
func (s *state) regroup(ids map[string]struct{}, rev uint64) []uint32 {
	var made []uint32
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		p := s.principals[id]
		if p == nil {
			continue
		}
		want, fresh := s.wanted(p)
		made = append(made, fresh...)
		s.hold(p, want, rev)
	}
	return made
}

// wanted are the sets a principal holds by its role, profile and groups.
func (s *state) wanted(p *principal) (want, made []uint32) {
	switch {
	case !p.spec.Active:
		return nil, nil
	case p.spec.Role.Office():
		return []uint32{everythingSet}, nil
	}
	profile := s.profileOf(p)
	w := window{on: true, past: profile.Past, future: profile.Future}
	names := []string{principalHolder(p.id)}
	for _, g := range s.groupsOf(p.id) {
		names = append(names, groupHolder(g))
	}
	for _, name := range names {
		h := s.holderNumber(name)
		set, fresh := s.windowSet(h, w)
		want = append(want, s.alwaysSet(h), set)
		if fresh {
			made = append(made, set)
		}
	}
	if profile.Open {
		want = append(want, openSet)
	}
	return want, made
}

// hold makes the principal hold exactly these sets, from commit rev.
func (s *state) hold(p *principal, want []uint32, rev uint64) {
	var kept []holding
	for _, h := range p.sets {
		if slices.Contains(want, h.set) {
			kept = append(kept, h)
			continue
		}
		p.changed = rev
		if !s.faults.ForgetIntervals {
			p.past = append(p.past, pastHolding{h.set, span{h.since, rev, s.head.At.Unix()}})
		}
	}
	for _, n := range want {
		if !slices.ContainsFunc(kept, func(h holding) bool { return h.set == n }) {
			kept = append(kept, holding{n, rev})
			p.changed = rev
		}
	}
	p.sets = kept
}

// lastChange is the last commit that may have changed the principal's view.
func (s *state) lastChange(p *principal) uint64 {
	last := p.changed
	for _, h := range p.sets {
		if h.set == everythingSet {
			last = max(last, s.changed)
		} else {
			last = max(last, s.sets[h.set].changed)
		}
	}
	return last
}
