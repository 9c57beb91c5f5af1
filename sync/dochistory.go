package sync

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// History gives a document's changes, newest first, those of commits below
// before (0: all), at most limit (0: 50). Office roles may read that of a
// deleted document too.
func (w *Workspace) History(ctx context.Context, a Actor, key Key, before uint64, limit int) (*HistoryPage, error) {
	var page *HistoryPage
	err := w.with(ctx, func(m *machine) (err error) {
		if err := m.current(ctx); err != nil {
			return err
		}
		page, err = m.docHistory(ctx, a, key, before, limit)
		return err
	})
	return page, err
}

func (m *machine) docHistory(ctx context.Context, a Actor, key Key, before uint64, limit int) (*HistoryPage, error) {
	if limit == 0 {
		limit = DefaultListLimit
	}
	if limit < 1 || limit > MaxListLimit {
		return nil, fault.Invalid(fault.At("limit", fault.OutOfRange, "min", "1", "max", fmt.Sprint(MaxListLimit)))
	}
	var head uint64
	err := m.view(func(st *state) error {
		head = st.head.Number
		return st.mayReadHistory(a, key)
	})
	if err != nil {
		return nil, err
	}
	revs, err := m.e.o.Store.Revisions(ctx, m.name, head, key, before, limit+1)
	if err != nil {
		return nil, unavailable(fmt.Errorf("history of %s: %w", key, err))
	}
	page := &HistoryPage{}
	for i, rev := range revs {
		if i == limit {
			page.Next = revs[i-1]
			break
		}
		older := uint64(0)
		if i+1 < len(revs) {
			older = revs[i+1]
		}
		entry, err := m.historyEntry(ctx, key, rev, older)
		if err != nil {
			return nil, unavailable(err)
		}
		page.Items = append(page.Items, *entry)
	}
	return page, nil
}

func (s *state) mayReadHistory(a Actor, key Key) error {
	p, err := s.actor(a)
	if err != nil {
		return err
	}
	n, ok := s.lookup(key)
	if !ok || s.docs[n].rev == 0 || s.docs[n].scope == s.private {
		return fault.New(fault.NotFound)
	}
	if p == nil || p.spec.Role.Office() || s.visible(p, key).rev > 0 {
		return nil
	}
	return fault.New(fault.NotFound)
}

func (m *machine) historyEntry(ctx context.Context, key Key, rev, older uint64) (*HistoryEntry, error) {
	var entry *HistoryEntry
	var now *Version
	err := m.e.o.Store.Journal(ctx, m.name, rev, rev, func(c *Commit) error {
		entry = &HistoryEntry{Rev: rev, At: c.At, ReceivedAt: c.At, DeviceID: c.Actor.Device, Cause: c.Cause,
			Actor: HistoryActor{ID: c.Actor.User, Name: c.Actor.Name}}
		for i := range c.Changes {
			if c.Changes[i].Key == key {
				now = &c.Changes[i]
			}
		}
		return nil
	})
	if err == nil && now == nil {
		err = ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("history of %s@%d: %w", key, rev, err)
	}
	var was *Document
	if older > 0 {
		v, err := m.bodies.fromJournal(ctx, key, older)
		if err != nil {
			return nil, err
		}
		if was, err = decodeDocument(v); err != nil {
			return nil, err
		}
	}
	is, err := decodeDocument(now)
	if err != nil {
		return nil, err
	}
	entry.Changes = changesBetween(was, is)
	entry.At = doneAt(is, entry.ReceivedAt)
	return entry, nil
}

// changesBetween two versions, sorted by field; members of objects singly. A
// deletion shows as every field going away.
func changesBetween(was, is *Document) []FieldChange {
	from, to := map[string]any{}, map[string]any{}
	if was != nil && !was.Deleted {
		flatten("", was.Fields, from)
	}
	if !is.Deleted {
		flatten("", is.Fields, to)
	}
	out := []FieldChange{}
	for f, v := range from {
		if !equal(v, to[f]) {
			out = append(out, FieldChange{f, v, to[f]})
		}
	}
	for f, v := range to {
		if _, had := from[f]; !had {
			out = append(out, FieldChange{f, nil, v})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Field < out[j].Field })
	return out
}

func flatten(prefix string, f Fields, out map[string]any) {
	for name, v := range f {
		if inner, ok := v.(map[string]any); ok && prefix == "" {
			flatten(name+".", inner, out)
			continue
		}
		out[prefix+name] = v
	}
}

// doneAt is the latest corrected device time among the marks of the version's
// own commit; received if it has none.
func doneAt(d *Document, received time.Time) time.Time {
	var at time.Time
	for _, mk := range d.Marks {
		if mk.Rev == d.Rev && mk.At.After(at) {
			at = mk.At
		}
	}
	if at.IsZero() {
		return received
	}
	return at
}
