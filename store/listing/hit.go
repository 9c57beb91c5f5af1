package listing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// hit is a document of the answer, with what it sorts by.
type hit struct {
	id   string
	keys []key
}

// key is a document's value in one column of the sort.
type key struct {
	order   string
	missing bool
}

func (q *Query[C]) hit(id string, f *Facts[C]) hit {
	h := hit{id, make([]key, len(q.Sort))}
	for i, s := range q.Sort {
		if entries := f.Column(s.Column); len(entries) > 0 {
			h.keys[i].order = strings.Clone(entries[0].Order) // keeps no hold of the whole row
		} else {
			h.keys[i].missing = true
		}
	}
	return h
}

// compare puts what has no value last; documents that sort alike come by id,
// in the direction of the first key.
func (q *Query[C]) compare(a, b hit) int {
	for i, s := range q.Sort {
		if c := a.keys[i].compare(b.keys[i], s.Descending); c != 0 {
			return c
		}
	}
	if q.downward() {
		return strings.Compare(b.id, a.id)
	}
	return strings.Compare(a.id, b.id)
}

func (k key) compare(o key, descending bool) int {
	switch {
	case k.missing != o.missing && k.missing:
		return 1
	case k.missing != o.missing:
		return -1
	case descending:
		return cmp.Compare(o.order, k.order)
	}
	return cmp.Compare(k.order, o.order)
}

// downward says whether the first key sorts descending.
func (q *Query[C]) downward() bool { return len(q.Sort) > 0 && q.Sort[0].Descending }

// after is the place to continue from as a hit; false at the start.
func (q *Query[C]) after() (hit, bool) {
	if q.After == nil {
		return hit{}, false
	}
	h := hit{q.After.ID, make([]key, len(q.Sort))}
	for i := range h.keys {
		h.keys[i] = key{q.After.Order[i], q.After.Missing[i]}
	}
	return h, true
}

// beyondPlace leaves out what comes before the page.
func (q *Query[C]) beyondPlace(hits []hit) []hit {
	place, ok := q.after()
	if !ok {
		return hits
	}
	i, found := slices.BinarySearchFunc(hits, place, q.compare)
	if found {
		i++
	}
	return hits[i:]
}

// page makes the listing of hits that are in order and all after the place;
// one more than the limit tells that there is a next page.
func (q *Query[C]) page(hits []hit) sync.Listing {
	var out sync.Listing
	for i, h := range hits {
		if i == q.Limit {
			out.Next = hits[i-1].place()
			break
		}
		out.IDs = append(out.IDs, h.id)
	}
	return out
}

func (h hit) place() *sync.ListPlace {
	p := &sync.ListPlace{ID: h.id, Order: make([]string, len(h.keys)), Missing: make([]bool, len(h.keys))}
	for i, k := range h.keys {
		p.Order[i], p.Missing[i] = k.order, k.missing
	}
	return p
}
