package sync

import (
	"context"
	"errors"

	"github.com/enroute-field/enroute/internal/fault"
)

// Limits of a page's rows, and of the preview that rides on a first one.
const (
	DefaultLimit = 1000
	MaxLimit     = 5000
	maxPreview   = 500
)

// Pull gives the next page for a device that holds cursor ("" for nothing):
// at most limit rows (0: DefaultLimit). Fault BadCursor for a cursor that was
// not given to this actor, NotSignedIn for an account that is gone.
func (w *Workspace) Pull(ctx context.Context, a Actor, text string, limit int) (*Page, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit < 1 || limit > MaxLimit {
		return nil, fault.Invalid(fault.At("limit", fault.OutOfRange, "min", "1", "max", "5000"))
	}
	var page *Page
	err := w.with(ctx, func(m *machine) error {
		from, err := m.asked(ctx, a, text)
		if err != nil {
			return err
		}
		m.shown(a, from)
		page, err = m.pull(ctx, a, from, limit)
		return err
	})
	return page, err
}

// asked is where a pull is to go on.
type asked struct {
	text  string
	cur   cursor // the zero cursor when reset
	reset bool   // the device must start over
}

// asked reads a cursor, after the date was seen to.
func (m *machine) asked(ctx context.Context, a Actor, text string) (asked, error) {
	if err := m.current(ctx); err != nil {
		return asked{}, err
	}
	cur, reset, err := m.readCursor(ctx, a, text)
	return asked{text, cur, reset}, err
}

// pull gives the page after a cursor, whether a device showed it or a stream
// goes on from it.
func (m *machine) pull(ctx context.Context, a Actor, from asked, limit int) (*Page, error) {
	if page, err := m.nothingNew(a, from); page != nil || err != nil {
		return page, err
	}
	const tries = 3
	for i := 1; ; i++ {
		pl, err := m.plan(a, from.cur, limit)
		if err != nil {
			return nil, err
		}
		page, whole, err := m.fill(ctx, a, pl, i == tries)
		if err != nil {
			return nil, unavailable(err)
		}
		if whole {
			page.Reset = from.reset
			return page, nil
		}
	}
}

// nothingNew is the page for a device that is at the head already: from
// memory, with the cursor it has. It is nil for any other device.
func (m *machine) nothingNew(a Actor, from asked) (*Page, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	cur := from.cur
	if cur.n == 0 || cur.n != m.st.head.Number || cur.t != 0 {
		return nil, nil //nolint:nilnil // the caller goes on
	}
	p, err := m.st.actor(a)
	if err != nil || p == nil {
		return nil, err
	}
	digest := m.st.digestOf(p)
	return &Page{Cursor: from.text, Head: cur.n, Digest: &digest}, nil
}

// readCursor decodes a cursor and checks that it is of this history and
// within the horizon; else reset tells the device to start over.
func (m *machine) readCursor(ctx context.Context, a Actor, text string) (cur cursor, reset bool, err error) {
	cur, now, err := m.decodeCursor(a, text)
	if err == nil && cur.newest() > now.head.Number && m.e.o.Tenure != nil { // another node has gone on
		m.doubt()
		if err = m.current(ctx); err == nil {
			cur, now, err = m.decodeCursor(a, text)
		}
	}
	if err != nil || cur.n == 0 && cur.t == 0 {
		return cursor{}, false, err
	}
	good, err := now.accept(ctx, cur, m.e.o.Faults.TrustCursors)
	if err != nil || !good {
		return cursor{}, err == nil, err
	}
	return cur, false, nil
}

// past is what a cursor is compared with.
type past struct {
	head    Head
	horizon uint64
	chain   *history
}

func (m *machine) decodeCursor(a Actor, text string) (cursor, past, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	cur, err := cursors{m.st.secret}.decode(text, a)
	return cur, past{m.st.head, m.st.horizon, m.chain}, err
}

// accept says whether the cursor is of this history and not too old.
func (p past) accept(ctx context.Context, cur cursor, trust bool) (bool, error) {
	if cur.before(p.horizon) {
		return false, nil
	}
	for _, l := range [...]struct{ n, link uint64 }{{cur.n, cur.nLink}, {cur.t, cur.tLink}, {cur.seen, cur.seenLink}} {
		same, err := sameHistory(ctx, p.chain, p.head, l.n, l.link)
		if err != nil {
			return false, unavailable(err)
		}
		if !same && !trust {
			return false, nil
		}
	}
	return true, nil
}

func sameHistory(ctx context.Context, chain *history, head Head, n, link uint64) (bool, error) {
	switch n {
	case 0:
		return true, nil
	case head.Number:
		return link == head.Hash.Link(), nil
	}
	l, err := chain.at(ctx, n)
	if errors.Is(err, ErrMissing) {
		return false, nil
	}
	return err == nil && l.link == link, err
}

// plan is a page before bodies are read.
type plan struct {
	n, t    uint64
	nLink   uint64
	tLink   uint64
	from    place
	rows    []row
	preview []wanted
	last    place
	done    bool // the step is complete
	head    Head
	digest  Digest
	secret  []byte
}

// errHorizonMoved: a checkpoint forgot what the cursor needs since it was
// read. Asked again, the device is told to start over.
var errHorizonMoved = errors.New("the horizon has moved")

// plan computes a page's rows under one published head.
func (m *machine) plan(a Actor, cur cursor, limit int) (*plan, error) {
	pl := &plan{n: cur.n, nLink: cur.nLink, t: cur.t, tLink: cur.tLink, from: cur.at}
	err := m.view(func(st *state) error {
		p, err := st.actor(a)
		if err != nil {
			return err
		}
		if p == nil {
			return fault.New(fault.Forbidden) // the system has no view
		}
		if cur.before(st.horizon) {
			return unavailable(errHorizonMoved)
		}
		pl.head, pl.secret = st.head, st.secret
		if pl.t == 0 || m.e.o.Faults.CrossSteps {
			pl.t, pl.tLink = st.head.Number, st.head.Hash.Link()
		}
		if pl.n > 0 && pl.t == st.head.Number && st.lastChange(p) <= pl.n {
			pl.done = true
		} else {
			pl.rows, pl.last, pl.done = st.rows(p, pl.n, pl.t, pl.from, limit)
		}
		if pl.done && pl.t == st.head.Number {
			pl.digest = st.digestOf(p)
		}
		if pl.n == 0 && pl.from == (place{}) && !pl.done {
			pl.preview = st.preview(p, maxPreview)
		}
		return nil
	})
	return pl, err
}

// fill reads the bodies of a plan. whole is false when the state went on
// meanwhile and the page is to be computed again; with cut it ends instead
// before the first row that moved.
func (m *machine) fill(ctx context.Context, a Actor, pl *plan, cut bool) (*Page, bool, error) {
	page := &Page{Head: pl.head.Number}
	var removed map[Key]struct{}
	want := make([]wanted, 0, len(pl.rows))
	for i := range pl.rows {
		switch r := &pl.rows[i]; r.at.phase {
		case phaseDrop:
			page.Drop = append(page.Drop, r.scope)
		case phaseRemove:
			if removed == nil {
				removed = map[Key]struct{}{}
			}
			removed[r.key] = struct{}{}
		case phasePut:
			want = append(want, wanted{r.at.doc, r.key, r.rev})
		}
	}
	got, moved, err := m.bodies.versions(ctx, want)
	if err != nil {
		return nil, false, err
	}
	if moved < len(want) {
		if !cut {
			return nil, false, nil
		}
		pl.cutBefore(len(pl.rows) - len(want) + moved)
		got = got[:moved]
	}
	page.Put = make([][]byte, 0, len(got))
	for _, v := range got {
		delete(removed, v.Key) // a put in the same page replaces it
		page.Put = append(page.Put, v.Body)
	}
	for i := range pl.rows[:len(pl.rows)-len(got)] { // puts are the last rows
		if _, ok := removed[pl.rows[i].key]; ok && pl.rows[i].at.phase == phaseRemove {
			page.Remove = append(page.Remove, pl.rows[i].key)
		}
	}
	if err := m.addPreview(ctx, pl, page, got); err != nil {
		return nil, false, err
	}
	pl.finish(page, a)
	return page, true, nil
}

// cutBefore ends the page before row i.
func (pl *plan) cutBefore(i int) {
	pl.done = false
	pl.rows = pl.rows[:i]
	pl.last = pl.from
	if i > 0 {
		pl.last = pl.rows[i-1].at
	}
}

// addPreview sends ahead what the page itself does not hold.
func (m *machine) addPreview(ctx context.Context, pl *plan, page *Page, got []*Version) error {
	if len(pl.preview) == 0 {
		return nil
	}
	sent := map[Key]struct{}{}
	for _, v := range got {
		sent[v.Key] = struct{}{}
	}
	var want []wanted
	for _, w := range pl.preview {
		if _, again := sent[w.key]; !again {
			want = append(want, w)
		}
	}
	ahead, _, err := m.bodies.versions(ctx, want)
	if err != nil {
		return err
	}
	for _, v := range ahead {
		if v != nil { // one that moved meanwhile comes with the scan
			page.Put = append(page.Put, v.Body)
		}
	}
	return nil
}

// finish puts cursor, more and digest.
func (pl *plan) finish(page *Page, a Actor) {
	next := cursor{n: pl.n, nLink: pl.nLink, t: pl.t, tLink: pl.tLink, at: pl.last}
	if pl.done {
		next = cursor{n: pl.t, nLink: pl.tLink}
	}
	if pl.head.Number > pl.t {
		next.seen, next.seenLink = pl.head.Number, pl.head.Hash.Link()
	}
	page.More = !pl.done || pl.t != pl.head.Number
	if !page.More {
		page.Digest = &pl.digest
	}
	page.Cursor = cursors{pl.secret}.encode(next, a)
}
