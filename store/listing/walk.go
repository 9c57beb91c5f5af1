package listing

import (
	"context"
	"errors"
	"slices"
)

// walk reads the list in the order of its first key until the page is full.
// Documents that the first key does not tell apart are sorted as a run.
func (r *runner[C]) walk(ctx context.Context) ([]hit, error) {
	w := &walker[C]{q: r.q}
	add := w.add
	if r.q.Loose { // a document that moves while it is read
		add = once(add)
	}
	place, placed := r.q.after()
	var err error
	if len(r.q.Sort) > 0 && !(placed && place.keys[0].missing) {
		err = r.walkColumn(ctx, add)
	}
	if err == nil {
		err = r.walkMissing(ctx, add)
	}
	if err == nil || errors.Is(err, errEnough) {
		w.endRun()
		return w.page, nil
	}
	return nil, err
}

// walker collects a page.
type walker[C Column] struct {
	q    *Query[C]
	page []hit
	run  []hit // with the same first key
}

// add the next document; errEnough when the page is full.
func (w *walker[C]) add(id string, f *Facts[C]) error {
	if !w.q.Matches(id, f) {
		return nil
	}
	h := w.q.hit(id, f)
	if len(w.run) > 0 && (len(h.keys) < 2 || h.keys[0] != w.run[0].keys[0]) {
		w.endRun()
	}
	if len(w.page) > w.q.Limit {
		return errEnough
	}
	w.run = append(w.run, h)
	return nil
}

func (w *walker[C]) endRun() {
	slices.SortFunc(w.run, w.q.compare)
	w.page = append(w.page, w.q.beyondPlace(w.run)...)
	w.run = w.run[:0]
}

// walkColumn goes through the documents that have a value in the first key's
// column.
func (r *runner[C]) walkColumn(ctx context.Context, yield Yield[C]) error {
	q, order, id := r.q, "", ""
	if q.downward() {
		order = Top
	}
	if place, ok := q.after(); ok {
		order, id = place.keys[0].order, place.id
		if len(q.Sort) > 1 { // the whole run of the place is read again
			id = ""
			if q.downward() {
				id = Top
			}
		}
	}
	return r.index.InOrder(ctx, q.Sort[0].Column, q.downward(), order, id, yield)
}

// walkMissing goes through the documents that have none; without a sort, that
// is all.
func (r *runner[C]) walkMissing(ctx context.Context, yield Yield[C]) error {
	q, from := r.q, ""
	if q.downward() {
		from = Top
	}
	place, ok := q.after()
	if ok && (len(q.Sort) == 0 || len(q.Sort) == 1 && place.keys[0].missing) {
		from = place.id
	}
	if len(q.Sort) == 0 {
		return r.index.Without(ctx, nil, false, from, yield)
	}
	return r.index.Without(ctx, &q.Sort[0].Column, q.downward(), from, yield)
}
