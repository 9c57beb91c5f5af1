package simulate

import (
	"slices"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// sends notes mutations that go to the server.
func (w *world) sends(a sync.Actor, all []sync.Mutation, since uint64, console bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range all {
		s := w.sent[m.ID]
		if s == nil {
			s = &sent{Mutation: m, actor: a, console: console, since: since}
			w.sent[m.ID] = s
			w.report.Mutations++
		}
		s.since = min(s.since, since)
	}
}

// answered compares an answer with the first one each mutation got.
func (w *world) answered(all []sync.Mutation, how asked, resp *sync.PushResponse) error {
	w.learns(resp.Head)
	w.mu.Lock()
	defer w.mu.Unlock()
	if resp.Head < how.known && !how.robbed {
		return violated("lag", "a push was answered under head %d, %d was known", resp.Head, how.known)
	}
	if len(resp.Results) != len(all) {
		return violated("push", "%d results for %d mutations", len(resp.Results), len(all))
	}
	for i := range all {
		if err := w.answeredOne(w.sent[all[i].ID], &resp.Results[i], resp.Head); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) answeredOne(s *sent, r *sync.Result, head uint64) error {
	if r.Error != nil {
		w.report.Refusals[string(r.Error.Code)]++
		if r.Error.Code == fault.Internal {
			return violated("errors", "%s %s: %v", s.Op, s.Key(), r.Error)
		}
	}
	switch {
	case r.ID != s.ID || r.Rev > head || (r.Error != nil) != (r.Status == sync.Rejected):
		return violated("push", "%s %s was answered %+v under head %d", s.Op, s.Key(), r, head)
	case s.answered == nil, s.answered.Duplicate && !r.Duplicate && s.answered.Rev == r.Rev: // of two at once
		s.answered = r
		if r.Status == sync.Merged {
			w.report.Merged++
		}
	case !r.Duplicate || r.Status != s.answered.Status || r.Rev != s.answered.Rev:
		return violated("once", "%s %s was answered %+v, before %+v", s.Op, s.Key(), r, s.answered)
	}
	return nil
}

// checkDelivered: what was answered is in the journal exactly once, with that
// answer (the model has seen to it that nothing is there twice).
func (w *world) checkDelivered() error {
	for id, s := range w.sent {
		if s.answered == nil {
			continue
		}
		o := w.model.outcomes[id]
		if o == nil || o.status != s.answered.Status || o.user != s.actor.User {
			return violated("append", "%s %s by %s was answered %+v, the journal says %+v", s.Op, s.Key(), s.actor.Device, s.answered, o)
		}
	}
	return nil
}

// forgetLost is for after a restore: what the backup does not have was lost.
func (w *world) forgetLost(before *model) {
	common := before.common(w.model)
	for id, s := range w.sent {
		if o := before.outcomes[id]; o != nil && o.commits[0] > common {
			s.answered, s.idle = nil, o.idle
		}
	}
	for _, p := range w.phones {
		p.forgetLost(common)
	}
}

// forgetLost leaves out what the cursors of the lost history covered, and
// what the server may have forgotten of those that were shown.
func (p *phone) forgetLost(common uint64) {
	clear(p.shown)
	for cursor, g := range p.given {
		if g.head > common {
			delete(p.given, cursor)
		}
	}
	for cursor, covered := range p.reached {
		if covered > common {
			delete(p.reached, cursor)
			delete(p.complete, cursor)
		}
	}
}

// checkWork: an active person's device has nothing left to send, and all that
// was acknowledged to it is in the journal, unless it changed nothing.
func (p *phone) checkWork() error {
	if n := p.dev.Condition().Waiting; n > 0 {
		return violated("delivery", "%s still has %d mutations to send", p.actor.Device, n)
	}
	for _, e := range p.dev.Entries() {
		if e.Phase == device.Acknowledged && p.w.model.outcomes[e.Mutation.ID] == nil && !p.w.sent[e.Mutation.ID].idle {
			return violated("restore", "%s: %s %s was acknowledged at %d and is not in the journal", p.actor.Device, e.Mutation.Op, e.Mutation.Key(), e.Rev)
		}
	}
	return nil
}

// sentIDs are the ids of what devices pushed, sorted, for picking.
func (w *world) sentIDs() []uuid.UUID {
	var out []uuid.UUID
	for id, s := range w.sent {
		if !s.console {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return out
}
