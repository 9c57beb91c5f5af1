package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// removeUnder removes all rows whose _id lies in a range, few at a time, so
// that no request takes long.
func removeUnder(ctx context.Context, from *driver.Collection, filter bson.D) error {
	const many = 2000
	for {
		rows, err := findAll[struct {
			ID bson.Raw `bson:"_id"`
		}](ctx, from.Database(), query{
			from: from.Name(), filter: filter, sort: bson.D{{Key: "_id", Value: 1}}, fields: bson.D{{Key: "_id", Value: 1}}, limit: many,
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		ends := filter[0].Value.(bson.D)
		upto := bson.D{{Key: "_id", Value: bson.D{ends[0], {Key: "$lte", Value: rows[len(rows)-1].ID}}}}
		if _, err := from.DeleteMany(ctx, upto); err != nil {
			return err
		}
	}
}

// drop a make: entries first, so that none is left behind that no row is of.
func (l *lists) drop(ctx context.Context, mk string) error {
	if mk == "" {
		return nil
	}
	if err := removeUnder(ctx, l.entries, under("k", "m", mk)); err != nil {
		return fmt.Errorf("drop entries: %w", err)
	}
	if err := removeUnder(ctx, l.listed, under("k", "m", mk)); err != nil {
		return fmt.Errorf("drop listed documents: %w", err)
	}
	return nil
}

// drop the documents of a history and their revisions.
func (d *documents) drop(ctx context.Context, history string) error {
	if err := removeUnder(ctx, d.rows, under("k", "h", history)); err != nil {
		return fmt.Errorf("drop documents: %w", err)
	}
	if err := removeUnder(ctx, d.revisions, under("k", "h", history)); err != nil {
		return fmt.Errorf("drop revisions: %w", err)
	}
	return nil
}
