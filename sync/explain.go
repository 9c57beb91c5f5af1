package sync

import (
	"context"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
)

// Explain tells by which paths an account sees a document, or that it does
// not. Reasons: "role" (office), "open" (profiles that do not filter by
// assignment), "own" (what comes with the account itself), "assigned"
// (directly), "team:<id>", and for grants by another document "<kind>:<id>".
func (w *Workspace) Explain(ctx context.Context, user string, key Key) (*Explanation, error) {
	var out *Explanation
	err := w.look(ctx, func(_ *machine, st *state) (err error) {
		out, err = st.explain(user, key)
		return err
	})
	return out, err
}

func (s *state) explain(user string, key Key) (*Explanation, error) {
	n, ok := s.lookup(key)
	if !ok || !s.live(n) || s.docs[n].scope == s.private {
		return nil, fault.New(fault.NotFound)
	}
	p := s.principals[user]
	if p == nil {
		return nil, fault.New(fault.NotFound)
	}
	because := []string{}
	scopeNum := s.docs[n].scope
	for _, h := range p.sets {
		switch {
		case h.set == everythingSet:
			because = append(because, "role")
		case s.sets[h.set].member(scopeNum) == nil:
		case h.set == openSet:
			because = append(because, "open")
		default:
			because = append(because, s.grantReasons(h.set, scopeNum, user)...)
		}
	}
	slices.Sort(because)
	because = slices.Compact(because)
	return &Explanation{Visible: len(because) > 0, Because: because}, nil
}

// grantReasons names the documents by which a set holds a scope.
func (s *state) grantReasons(setNum, scopeNum uint32, user string) []string {
	holder := &s.holders[s.sets[setNum].holder]
	var out []string
	for d := range holder.grantors {
		counted := delta{}
		s.count(d, 1, counted, &setNum)
		if counted[setScope{setNum, scopeNum}] > 0 {
			out = append(out, s.reason(d, scopeNum, holder.name, user)...)
		}
	}
	return out
}

func (s *state) reason(d, scopeNum uint32, holder, user string) []string {
	group, byGroup := strings.CutPrefix(holder, "g:")
	switch {
	case s.rare[d].principal != nil && s.docs[d].id == user:
		return []string{"own"}
	case s.docs[d].scope != scopeNum && !s.grantsOwn(d, scopeNum):
		return []string{s.key(d).Kind + ":" + s.docs[d].id}
	case byGroup:
		return []string{"team:" + group}
	}
	return []string{"assigned"}
}

// grantsOwn says whether the scope belongs to document d itself, as the file
// of a client does.
func (s *state) grantsOwn(d, scopeNum uint32) bool {
	_, id, ok := strings.Cut(s.scopes[scopeNum].name, ":")
	return ok && id == s.docs[d].id
}
