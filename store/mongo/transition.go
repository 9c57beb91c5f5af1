package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/store/listing"
)

// transition is the way of one document to what a change left.
type transition struct {
	id       listedID
	rev      int64
	deleted  bool
	facts    facts
	terms    []term     // of facts
	from     *listedRow // as it was read; nil: there is none
	had      []term     // of from
	suspects []term     // whose entries may stand for nothing, by what was tried
}

// stale are entries of a document whose facts its row, at rev, has not.
type stale struct {
	id    listedID
	rev   int64
	terms []term
}

func (l *lists) transition(mk string, c *listing.Change) (*transition, error) {
	t := &transition{id: listedID{mk, c.Key.Kind, c.Key.ID}, rev: int64(c.Rev), deleted: c.Last.Deleted}
	if t.deleted {
		return t, nil
	}
	entries, words, err := l.index.Index(c.Key.Kind, c.Last.Body)
	if err != nil {
		return nil, err
	}
	t.facts.Words = words
	for _, e := range entries {
		t.facts.Entries = append(t.facts.Entries, listing.Entry[string]{Column: e.Field, Order: e.Order, Exact: e.Exact})
	}
	t.facts.Tidy()
	t.terms = terms(&t.facts)
	return t, nil
}

// advance goes once through the steps, and gives what has to be tried again.
func (l *lists) advance(ctx context.Context, todo []*transition) (again []*transition, err error) {
	if err := l.readRows(ctx, todo); err != nil {
		return nil, err
	}
	var gone []stale
	todo = slices.DeleteFunc(todo, func(t *transition) bool {
		past := t.from != nil && t.from.Rev >= t.rev
		if past {
			gone = append(gone, stale{t.id, t.from.Rev, less(t.suspects, t.had)})
		}
		return past
	})
	if err := l.putEntries(ctx, todo); err != nil {
		return nil, err
	}
	all, err := l.changeRows(ctx, todo)
	if err != nil {
		return nil, err
	}
	for _, t := range todo {
		if all {
			gone = append(gone, stale{t.id, t.rev, less(t.had, t.terms)})
			continue
		} // else some of them were changed by another; the next reading tells which
		t.suspects = slices.Concat(t.suspects, t.had, t.terms)
		slices.SortFunc(t.suspects, term.compare)
		again = append(again, t)
	}
	return again, l.removeEntries(ctx, gone)
}

// readRows reads what the documents are listed as.
func (l *lists) readRows(ctx context.Context, todo []*transition) error {
	ids := make([]listedID, len(todo))
	for i, t := range todo {
		ids[i] = t.id
	}
	rows, err := l.rows(ctx, ids)
	if err != nil {
		return err
	}
	for _, t := range todo {
		t.from, t.had = rows[t.id], nil
		if t.from == nil {
			continue
		}
		f, err := t.from.facts()
		if err != nil {
			return err
		}
		t.had = terms(&f)
	}
	return nil
}

// rows of listed.
func (l *lists) rows(ctx context.Context, ids []listedID) (map[listedID]*listedRow, error) {
	found := make(map[listedID]*listedRow, len(ids))
	for len(ids) > 0 {
		part := ids[:min(len(ids), bulkRows)]
		rows, err := findAll[listedRow](ctx, l.listed.Database(), query{from: l.listed.Name(), filter: among(part), limit: len(part)})
		if err != nil {
			return nil, fmt.Errorf("read listed documents: %w", err)
		}
		for i := range rows {
			found[rows[i].ID] = &rows[i]
		}
		ids = ids[len(part):]
		if 0 < len(rows) && len(rows) < len(part) { // one answer does not hold them all, perhaps
			ids = append(slices.DeleteFunc(slices.Clone(part), func(id listedID) bool { return found[id] != nil }), ids...)
		}
	}
	return found, nil
}

// entryRow is a row of entries.
type entryRow struct {
	ID  entryID `bson:"_id"`
	Rev int64   `bson:"r"`
}

func entryOf(id listedID, t term) entryID { return entryID{id.Make, id.Kind, t.column, t.order, id.ID} }

// putEntries that the documents do not have yet.
func (l *lists) putEntries(ctx context.Context, todo []*transition) error {
	var rows []entryRow
	for _, t := range todo {
		for _, add := range less(t.terms, t.had) {
			rows = append(rows, entryRow{entryOf(t.id, add), t.rev})
		}
	}
	there, err := insertAll(ctx, l.entries, rows)
	if err != nil {
		return fmt.Errorf("put entries: %w", err)
	}
	var raise []driver.WriteModel
	for _, i := range there {
		raise = append(raise, driver.NewUpdateOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: rows[i].ID}}).
			SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: "r", Value: rows[i].Rev}}}}))
	}
	for hit := 0; hit < len(raise); { // two that put the same at once hinder one another
		if hit, err = writeAll(ctx, l.entries, raise); err != nil {
			return fmt.Errorf("put entries again: %w", err)
		}
	}
	return nil
}

// changeRows of the documents that are still as they were read; false when
// some were not.
func (l *lists) changeRows(ctx context.Context, todo []*transition) (all bool, err error) {
	var inserts []listedRow
	var updates []driver.WriteModel
	for _, t := range todo {
		row := t.row()
		if t.from == nil {
			inserts = append(inserts, row)
			continue
		}
		updates = append(updates, driver.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: row.ID}, {Key: "r", Value: t.from.Rev}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{
				{Key: "r", Value: row.Rev}, {Key: "d", Value: row.Deleted}, {Key: "c", Value: row.Columns}, {Key: "f", Value: row.Facts},
			}}}))
	}
	there, err := insertAll(ctx, l.listed, inserts)
	if err != nil {
		return false, fmt.Errorf("list documents: %w", err)
	}
	hit, err := writeAll(ctx, l.listed, updates)
	if err != nil {
		return false, fmt.Errorf("list changed documents: %w", err)
	}
	return len(there) == 0 && hit == len(updates), nil
}

func (t *transition) row() listedRow {
	columns := []string{}
	for i := range t.facts.Entries {
		if t.facts.IsLeast(i) {
			columns = append(columns, t.facts.Entries[i].Column)
		}
	}
	return listedRow{t.id, t.rev, t.deleted, columns, t.facts.Row(rowName(t.id, t.rev))}
}

func (l *lists) removeEntries(ctx context.Context, all []stale) error {
	var models []driver.WriteModel
	for _, s := range all {
		if len(s.terms) == 0 {
			continue
		}
		ids := make([]entryID, len(s.terms))
		for i, t := range s.terms {
			ids[i] = entryOf(s.id, t)
		}
		older := bson.E{Key: "r", Value: bson.D{{Key: "$lt", Value: s.rev}}}
		models = append(models, driver.NewDeleteManyModel().SetFilter(append(among(ids), older)))
	}
	if _, err := writeAll(ctx, l.entries, models); err != nil {
		return fmt.Errorf("remove entries: %w", err)
	}
	return nil
}
