package sync

// preview is what a first pull sends ahead, at most limit documents: the
// documents of the scopes that today's work grants the principal, then the
// workspace's reference data. It moves no position: the scan that follows
// sends all of it again.
func (s *state) preview(p *principal, limit int) []wanted {
	pv := &previewer{s: s, p: p, room: limit, seen: map[uint32]struct{}{}}
	for n := range s.ranged {
		if s.docs[n].deleted {
			continue
		}
		for _, g := range s.linksOf(n).grants {
			if (window{}).hits(&g, s.dayNum) {
				pv.grant(&g)
			}
		}
	}
	if n, ok := s.scopeNamed(ScopeWorkspace); ok {
		pv.scope(n)
	}
	return pv.out
}

type previewer struct {
	s    *state
	p    *principal
	room int
	seen map[uint32]struct{} // scopes
	out  []wanted
}

func (pv *previewer) grant(g *grant) {
	for _, n := range g.scopes {
		pv.scope(n)
	}
	for _, d := range g.of {
		if pv.s.live(d) {
			pv.scope(pv.s.docs[d].scope)
		}
	}
}

// scope adds the documents of a scope that the principal holds.
func (pv *previewer) scope(n uint32) {
	if _, again := pv.seen[n]; again || pv.room == 0 || !pv.s.holdsNow(pv.p, n, forever) {
		return
	}
	pv.seen[n] = struct{}{}
	for d := pv.s.scopes[n].docs.last; d != none && pv.room > 0; d = pv.s.docs[d].link.prev {
		pv.out = append(pv.out, wanted{d, pv.s.key(d), pv.s.docs[d].rev})
		pv.room--
	}
}
