package sync

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/enroute-field/enroute/internal/fault"
)

// Limits of a list.
const (
	DefaultListLimit = 50
	MaxListLimit     = 500
)

// List gives documents of a kind that the actor sees, under the present head:
// what was acknowledged before is in it. Documents whose kind has a
// DisabledField are left out while it is true, unless a filter names that
// field or asks for ids.
func (w *Workspace) List(ctx context.Context, a Actor, req ListRequest) (*ListPage, error) {
	var page *ListPage
	err := w.with(ctx, func(m *machine) (err error) {
		if err := m.current(ctx); err != nil {
			return err
		}
		page, err = m.list(ctx, a, req)
		return err
	})
	return page, err
}

func (m *machine) list(ctx context.Context, a Actor, req ListRequest) (*ListPage, error) {
	q, err := m.query(req)
	if err != nil {
		return nil, err
	}
	var head Head
	err = m.view(func(st *state) error {
		p, err := st.actor(a)
		if err == nil {
			head = st.head
			q.Visible = m.visibleTo(p, req.Kind)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	found, err := m.e.o.Store.List(ctx, m.name, head.Number, q)
	if err != nil {
		return nil, unavailable(fmt.Errorf("list %s: %w", req.Kind, err))
	}
	page := &ListPage{Total: found.Total, More: found.More}
	if page.Items, err = m.bodiesOf(ctx, a, req.Kind, found.IDs); err != nil {
		return nil, err
	}
	if found.Next != nil {
		page.Next, err = encodePlace(req, found.Next)
	}
	return page, err
}

// visibleTo gives the filter for what the principal sees; nil when that is all.
func (m *machine) visibleTo(p *principal, kind string) func(string) bool {
	if p == nil || p.spec.Role.Office() {
		return nil
	}
	return func(id string) (ok bool) {
		_ = m.view(func(st *state) error {
			ok = st.visible(p, Key{kind, id}).rev > 0
			return nil
		})
		return ok
	}
}

// bodiesOf reads documents as they are now; one that is gone, or no longer
// visible, is left out.
func (m *machine) bodiesOf(ctx context.Context, a Actor, kind string, ids []string) ([][]byte, error) {
	const tries = 3
	for i := 1; ; i++ {
		var want []wanted
		err := m.view(func(st *state) error {
			p, err := st.actor(a)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if w := st.visible(p, Key{kind, id}); w.rev > 0 {
					want = append(want, w)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		got, moved, err := m.bodies.versions(ctx, want)
		if err != nil {
			return nil, unavailable(err)
		}
		if moved < len(want) && i < tries {
			continue
		}
		out := make([][]byte, 0, len(got))
		for _, v := range got {
			if v != nil {
				out = append(out, v.Body)
			}
		}
		return out, nil
	}
}

// query turns a request into what the store runs.
func (m *machine) query(req ListRequest) (Query, error) {
	k := m.e.o.Registry.Kind(req.Kind)
	if k == nil || k.Plural == "" { // private kinds are in no list
		return Query{}, fault.New(fault.UnknownKind, "kind", req.Kind)
	}
	q := Query{Kind: req.Kind, Filters: req.Filters, Words: searchWords(req.Search), Sort: req.Sort, Limit: req.Limit}
	if q.Limit == 0 {
		q.Limit = DefaultListLimit
	}
	if q.Limit < 1 || q.Limit > MaxListLimit {
		return Query{}, fault.Invalid(fault.At("limit", fault.OutOfRange, "min", "1", "max", fmt.Sprint(MaxListLimit)))
	}
	if k.DisabledField != "" && !asks(req.Filters, k.DisabledField) {
		q.Filters = append(q.Filters[:len(q.Filters):len(q.Filters)],
			Filter{Field: k.DisabledField, Op: Equal, Values: []Entry{{Field: k.DisabledField, Exact: "true", Order: "true"}}, Not: true})
	}
	if req.After == "" {
		return q, nil
	}
	var err error
	q.After, err = decodePlace(req)
	return q, err
}

func asks(filters []Filter, field string) bool {
	for _, f := range filters {
		if f.Field == field || f.Field == "id" {
			return true
		}
	}
	return false
}

// listToken is what "after" holds: a place, and the list in whose order it is one.
type listToken struct {
	Kind  string    `json:"k"`
	Sort  []SortKey `json:"s,omitempty"`
	Place ListPlace `json:"p"`
}

func encodePlace(req ListRequest, p *ListPlace) (string, error) {
	b, err := json.Marshal(listToken{req.Kind, req.Sort, *p})
	if err != nil {
		return "", fmt.Errorf("encode list place: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func decodePlace(req ListRequest) (*ListPlace, error) {
	var t listToken
	b, err := base64.RawURLEncoding.DecodeString(req.After)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	keys := len(req.Sort)
	if err == nil && (t.Kind != req.Kind || !slices.Equal(t.Sort, req.Sort) || len(t.Place.Order) != keys || len(t.Place.Missing) != keys) {
		err = errors.New("place of another list")
	}
	if err != nil {
		return nil, fault.New(fault.Gone).Because(err)
	}
	return &t.Place, nil
}
