package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	limit  int
}

// find asks for one batch: the first documents, up to the limit or to what
// fits into one answer (about 16 MiB), at least one if there is any. So no
// cursor stays open on the server. The command is put together here because
// the driver's Find sends no time limit to the server.
func find(ctx context.Context, db *driver.Database, q query) (*driver.Cursor, error) {
	command := func() bson.D {
		c := bson.D{
			{Key: "find", Value: q.from}, {Key: "filter", Value: q.filter},
			{Key: "limit", Value: int64(q.limit)}, {Key: "batchSize", Value: int64(q.limit)}, {Key: "singleBatch", Value: true},
			{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}},
			{Key: "maxTimeMS", Value: timeLeft(ctx).Milliseconds() + 1},
		}
		if q.sort != nil {
			c = append(c, bson.E{Key: "sort", Value: q.sort})
		}
		if q.fields != nil {
			c = append(c, bson.E{Key: "projection", Value: q.fields})
		}
		return c
	}
	cur, err := db.RunCommandCursor(ctx, command())
	if err != nil && ctx.Err() == nil { // another primary, perhaps: as the driver does with its own reads
		cur, err = db.RunCommandCursor(ctx, command())
	}
	return cur, err
}

// timeLeft for a call.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(opTimeout, max(0, time.Until(deadline)))
	}
	return opTimeout
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
