package simulate

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/sync"
)

// seenPage is a page that somebody was given.
type seenPage struct {
	actor sync.Actor
	how   asked
	page  device.Page
}

func (w *world) saw(p *seenPage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages = append(w.pages, p)
	if p.how.sole { // others may see what the holder does not know yet to be in the store
		w.acknowledged = max(w.acknowledged, p.page.Head)
	}
}

// read brings the model to the head of the journal, and checks on the way
// what was committed and what was given.
func (w *world) read(ctx context.Context) error {
	w.mu.Lock()
	bad, pages := w.bad, w.pages
	w.pages = nil
	w.mu.Unlock()
	if bad != nil {
		return bad
	}
	w.report.Pages += len(pages)
	slices.SortStableFunc(pages, func(a, b *seenPage) int { return int(int64(a.page.Head) - int64(b.page.Head)) })
	old, pages := lagging(pages, w.model.head)
	pages, err := w.checkPages(pages)
	if err != nil {
		return err
	}
	err = w.server.store().Journal(ctx, workspace, w.model.head+1, 0, func(c *sync.Commit) error {
		if err := w.commit(c); err != nil {
			return err
		}
		pages, err = w.checkPages(pages)
		return err
	})
	if err == nil {
		err = errors.Join(w.checkOld(ctx, old), w.checkHeads())
	}
	if err == nil && len(pages) > 0 {
		err = violated("append", "%s was given a page of commit %d, the journal ends at %d", pages[0].actor.Device, pages[0].page.Head, w.model.head)
	}
	return err
}

// checkPages checks those pages, from the front, that were given at the head
// the model has come to.
func (w *world) checkPages(pages []*seenPage) ([]*seenPage, error) {
	var seen map[string]map[sync.Key]*doc
	for len(pages) > 0 && pages[0].page.Head <= w.model.head {
		p := pages[0]
		if seen == nil {
			seen = map[string]map[sync.Key]*doc{}
		}
		if seen[p.actor.User] == nil {
			seen[p.actor.User] = w.model.view(p.actor.User)
		}
		if p.page.Head < p.how.known && !p.how.robbed || p.page.Head != w.model.head {
			return nil, violated("lag", "%s was given a page of head %d, known were %d to %d", p.actor.Device, p.page.Head, p.how.known, w.model.head)
		}
		if err := w.checkPage(p, seen[p.actor.User]); err != nil {
			return nil, err
		}
		pages = pages[1:]
	}
	return pages, nil
}

// lagging takes out, of pages sorted by head, those of robbed nodes that are
// of an earlier head than the model.
func lagging(pages []*seenPage, head uint64) (old, others []*seenPage) {
	for _, p := range pages {
		if p.how.robbed && p.page.Head < head {
			old = append(old, p)
		} else {
			others = append(others, p)
		}
	}
	return old, others
}

// checkOld checks pages of earlier heads, sorted by them, against the journal
// up to there.
func (w *world) checkOld(ctx context.Context, pages []*seenPage) error {
	for _, p := range pages {
		w.count("read at a robbed node")
		if w.past == nil || w.past.head > p.page.Head {
			w.past = newModel()
		}
		err := w.server.store().Journal(ctx, workspace, w.past.head+1, p.page.Head, w.past.apply)
		if err != nil {
			return err
		}
		if err := w.checkPage(p, w.past.view(p.actor.User)); err != nil {
			return err
		}
	}
	return nil
}

// checkPage: every body was visible to its reader at that rev.
func (w *world) checkPage(p *seenPage, view map[sync.Key]*doc) error {
	for i := range p.page.Put {
		w.report.Bodies++
		got := &p.page.Put[i]
		want := view[sync.Key(got.Key)]
		if want == nil {
			return violated("leak", "%s was sent %s@%d, which %s does not see at %d", p.actor.Device, got.Key, got.Rev, p.actor.User, p.page.Head)
		}
		if got.Rev != want.rev || got.Scope != want.scope || !bytes.Equal(got.Body, want.body) {
			return violated("leak", "%s was sent %s as\n%s\nat %d it is\n%s", p.actor.Device, got.Key, got.Body, p.page.Head, want.body)
		}
	}
	return nil
}

// commit applies one to the model, with the state before it at hand.
func (w *world) commit(c *sync.Commit) error {
	at := &moment{w: w, c: c, old: map[sync.Key]*doc{}}
	for i := range c.Changes {
		at.old[c.Changes[i].Key] = w.model.docs[c.Changes[i].Key]
	}
	at.technician = c.Cause.Kind == "push" && w.model.active(c.Actor.User) && !w.model.office(c.Actor.User)
	if at.technician {
		at.before = w.model.view(c.Actor.User)
	}
	if err := w.model.apply(c); err != nil {
		return err
	}
	for _, o := range c.Outcomes {
		if s := w.sent[o.ID]; s != nil && !s.console && w.model.outcomes[o.ID].status != sync.Rejected {
			at.mutations = append(at.mutations, s)
		}
	}
	return at.check()
}
