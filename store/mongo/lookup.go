package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// lookup is the index of one list, for one query.
type lookup struct {
	*lists
	make, kind string
	words      []string
	rarest     *string // of words, the prefix that the fewest entries have
}

var _ listing.Index[string] = (*lookup)(nil)

// answer a query from a make.
func (l *lists) answer(ctx context.Context, mk string, q sync.Query, limits listing.Limits) (sync.Listing, error) {
	c, err := listing.Compile(q, func(name string) (listing.Field[string], error) {
		return listing.Field[string]{Column: name, Many: true}, nil
	})
	if err != nil {
		return sync.Listing{}, err
	}
	c.Loose = true
	return listing.Run(ctx, c, &lookup{lists: l, make: mk, kind: q.Kind, words: q.Words}, limits)
}

// chunk is how many documents are read at once: first for a page, then, where
// that is not enough, more and more.
const (
	firstChunk = 128
	lastChunk  = 1024
	fullAnswer = 4 << 20 // bytes, from which on an answer may have been too large to be whole
)

// Count implements listing.Index.
func (l *lookup) Count(ctx context.Context, s source, limit int) (int, error) {
	switch {
	case s.Words:
		return l.countWords(ctx, limit)
	case s.Filter == nil:
		n, err := l.listed.CountDocuments(ctx, l.alive(), options.Count().SetLimit(int64(limit)))
		if err != nil {
			return 0, fmt.Errorf("count documents: %w", err)
		}
		return int(n), nil
	}
	total := 0
	for _, sp := range s.Filter.Spans {
		n, err := l.countEntries(ctx, s.Filter.Column.Column, sp, limit-total)
		if total += n; err != nil || total >= limit {
			return total, err
		}
	}
	return total, nil
}

func (l *lookup) countEntries(ctx context.Context, column string, sp listing.Span, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	n, err := l.entries.CountDocuments(ctx, inSpan(l.make, l.kind, column, sp), options.Count().SetLimit(int64(limit)))
	if err != nil {
		return 0, fmt.Errorf("count entries: %w", err)
	}
	return int(n), nil
}

// countWords counts the entries of the rarest word.
func (l *lookup) countWords(ctx context.Context, limit int) (int, error) {
	least := limit
	for i, w := range l.words {
		n, err := l.countEntries(ctx, wordColumn, wordSpan(w), least)
		if err != nil {
			return 0, err
		}
		if n < least || i == 0 {
			least, l.rarest = n, &l.words[i]
		}
	}
	return least, nil
}

func wordSpan(prefix string) listing.Span {
	return listing.Span{From: prefix, To: listing.Beyond(prefix)}
}

// alive is all rows of documents that there are.
func (l *lookup) alive() bson.D {
	return append(under("i", "m", l.make, "k", l.kind), bson.E{Key: "d", Value: false})
}

// Candidates implements listing.Index.
func (l *lookup) Candidates(ctx context.Context, s source, next yield) error {
	switch {
	case s.Words:
		if l.rarest == nil {
			l.rarest = &l.words[0]
		}
		return l.inSpans(ctx, wordColumn, []listing.Span{wordSpan(*l.rarest)}, next)
	case s.Filter == nil:
		return l.Without(ctx, nil, false, "", next)
	}
	return l.inSpans(ctx, s.Filter.Column.Column, s.Filter.Spans, next)
}

// inSpans hands on each document with entries in the spans, once.
func (l *lookup) inSpans(ctx context.Context, column string, spans []listing.Span, next yield) error {
	seen := map[string]bool{}
	for _, sp := range spans {
		err := l.scan(ctx, inSpan(l.make, l.kind, column, sp), 1, lastChunk, func(rows []entryRow) error {
			fresh := rows[:0]
			for _, r := range rows {
				if !seen[r.ID.ID] {
					seen[r.ID.ID] = true
					fresh = append(fresh, r)
				}
			}
			return l.each(ctx, fresh, func(_ entryID, id string, f *facts) error { return next(id, f) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// InOrder implements listing.Index.
func (l *lookup) InOrder(ctx context.Context, col string, down bool, order, id string, next yield) error {
	column := []any{"m", l.make, "k", l.kind, "c", col}
	at := func(order, id string) bson.D { return path(append(column, "o", atMost(order), "i", atMost(id))...) }
	filter, dir := idsBetween(bound{"$gt", at(order, id)}, bound{"$lt", path(append(column, "o", bson.MaxKey{})...)}), 1
	if down {
		filter, dir = idsBetween(bound{"$gte", path(column...)}, bound{"$lt", at(order, id)}), -1
	}
	return l.scan(ctx, filter, dir, firstChunk, func(rows []entryRow) error {
		return l.each(ctx, rows, func(e entryID, id string, f *facts) error {
			if have := f.Column(col); len(have) == 0 || have[0].Order != e.Order {
				return nil // not what it sorts by
			}
			return next(id, f)
		})
	})
}

// scan hands entries on, many at a time, in order of their _id.
func (l *lookup) scan(ctx context.Context, filter bson.D, dir, chunk int, take func([]entryRow) error) error {
	for {
		rows, err := findAll[entryRow](ctx, l.entries.Database(), query{
			from: l.entries.Name(), filter: filter, sort: bson.D{{Key: "_id", Value: dir}}, limit: chunk,
		})
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		filter = goOn(filter, dir, rows[len(rows)-1].ID)
		last := len(rows) < chunk // no answer is too large for so many
		if err := take(rows); err != nil || last {
			return err
		}
		chunk = min(2*chunk, lastChunk)
	}
}

// goOn is the rest of a range of _ids after the one that came last.
func goOn(filter bson.D, dir int, last any) bson.D {
	op, ends := "$gt", filter[0].Value.(bson.D)
	keep := ends[1]
	if dir < 0 {
		op, keep = "$lt", ends[0]
	}
	rest := append(bson.D{}, filter...)
	rest[0].Value = bson.D{{Key: op, Value: last}, keep}
	return rest
}

// each reads the documents of entries and hands on those that are there, in
// the order of the entries.
func (l *lookup) each(ctx context.Context, rows []entryRow, next func(e entryID, id string, f *facts) error) error {
	ids := make([]listedID, len(rows))
	for i, r := range rows {
		ids[i] = listedID{l.make, l.kind, r.ID.ID}
	}
	found, err := l.rows(ctx, ids)
	if err != nil {
		return err
	}
	for i, id := range ids {
		row := found[id]
		if row == nil || row.Deleted {
			continue
		}
		f, err := row.facts()
		if err != nil {
			return err
		}
		if err := next(rows[i].ID, id.ID, &f); err != nil {
			return err
		}
	}
	return nil
}

// Without implements listing.Index.
func (l *lookup) Without(ctx context.Context, col *string, down bool, id string, next yield) error {
	at := path("m", l.make, "k", l.kind, "i", atMost(id))
	filter, dir := idsBetween(bound{"$gt", at}, bound{"$lt", path("m", l.make, "k", l.kind, "i", bson.MaxKey{})}), 1
	if down {
		filter, dir = idsBetween(bound{"$gte", path("m", l.make, "k", l.kind)}, bound{"$lt", at}), -1
	}
	filter = append(filter, bson.E{Key: "d", Value: false})
	if col != nil {
		filter = append(filter, bson.E{Key: "c", Value: bson.D{{Key: "$ne", Value: *col}}})
	}
	for chunk := firstChunk; ; chunk = min(2*chunk, lastChunk) {
		rows, err := findAll[listedRow](ctx, l.listed.Database(), query{
			from: l.listed.Name(), filter: filter, sort: bson.D{{Key: "_id", Value: dir}}, limit: chunk,
		})
		if err != nil {
			return fmt.Errorf("read documents: %w", err)
		}
		size := 0
		for i := range rows {
			f, err := rows[i].facts()
			if err != nil {
				return err
			}
			if err := next(rows[i].ID.ID, &f); err != nil {
				return err
			}
			size += len(rows[i].Facts)
		}
		if len(rows) == 0 || len(rows) < chunk && size < fullAnswer {
			return nil
		}
		filter = goOn(filter, dir, rows[len(rows)-1].ID)
	}
}
