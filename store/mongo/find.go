package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/sync"
)

// query for several documents.
type query struct {
	from   string // collection
	filter bson.D
	sort   bson.D
	fields bson.D // nil: all
	limit  int    // 0: none
}

// find looks for documents. With a limit it asks for one answer: that many, or
// as many as fit into it (about 16 MiB), at least one if there is any; so no
// cursor stays open on the server while the caller is busy with them. It is a
// command of our own, to which the driver adds a time limit for the server; to
// that of its Find it does not.
func find(ctx context.Context, db *driver.Database, q query) (*driver.Cursor, error) {
	cur, err := db.RunCommandCursor(ctx, q.command())
	if err != nil && ctx.Err() == nil { // perhaps the primary is another now: the driver repeats its own reads too
		cur, err = db.RunCommandCursor(ctx, q.command())
	}
	return cur, err
}

func (q *query) command() bson.D {
	c := bson.D{
		{Key: "find", Value: q.from}, {Key: "filter", Value: q.filter},
		{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}},
	}
	if q.limit > 0 {
		n := int64(q.limit)
		c = append(c, bson.E{Key: "limit", Value: n}, bson.E{Key: "batchSize", Value: n}, bson.E{Key: "singleBatch", Value: true})
	}
	if q.sort != nil {
		c = append(c, bson.E{Key: "sort", Value: q.sort})
	}
	if q.fields != nil {
		c = append(c, bson.E{Key: "projection", Value: q.fields})
	}
	return c
}

// findAll gives what find finds.
func findAll[T any](ctx context.Context, db *driver.Database, q query) ([]T, error) {
	cur, err := find(ctx, db, q)
	if err != nil {
		return nil, err
	}
	var all []T
	if err := cur.All(ctx, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// one reads a document that was looked for; nil if it is not there.
func one[T any](found *driver.SingleResult) (*T, error) {
	raw, err := found.Raw()
	if errors.Is(err, driver.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := bson.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("%w: %w", sync.ErrDamaged, err)
	}
	return v, nil
}
