package sync

import (
	"slices"
	"time"
)

// holds says whether the actor sees and may touch what is in a scope, or did
// when he last heard from the server.
func (w *work) holds(scope string) bool {
	switch {
	case w.trusted:
		return true
	case scope == ScopePrivate:
		return false
	case w.role.Office() || scope == ScopeWorkspace:
		return true
	}
	return w.b.base.heldSince(w.actor.User, scope, w.presented, w.b.now.Add(-grace)) || w.gained(scope)
}

// gained says whether something earlier in the batch gave the actor the scope.
func (w *work) gained(scope string) bool {
	return slices.ContainsFunc(w.b.over.gains[scope], func(g gain) bool {
		return !g.from.undone && w.reaches(g.grant)
	})
}

// reaches says whether the grant gives its scopes to the actor today.
func (w *work) reaches(g *Grant) bool {
	if g == nil {
		return w.profile.Open
	}
	named := slices.Contains(g.Principals, w.actor.User) || slices.ContainsFunc(g.Groups, func(group string) bool {
		return w.b.base.inGroup(group, w.actor.User)
	})
	return named && (g.Always || w.inWindow(g.Start, g.End))
}

// inWindow says whether a day from start to end lies in the actor's window
// around the workspace's date.
func (w *work) inWindow(start, end time.Time) bool {
	if start.IsZero() {
		return false
	}
	if end.IsZero() {
		end = start
	}
	zone := w.b.base.zone()
	_, today := w.b.base.today()
	first, last := dayNumber(start.In(zone)), dayNumber(end.In(zone))
	return last >= today-w.profile.Past && first <= today+w.profile.Future
}
