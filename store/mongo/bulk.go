package mongo

import (
	"context"
	"errors"
	"slices"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// duplicateKey is the code of that error.
const duplicateKey = 11000

// Bounds of one request that writes.
const (
	bulkRows  = 500
	bulkBytes = 4 << 20
)

// insertAll inserts rows, few at a time, and gives the places of those whose
// _id was there already.
func insertAll[T any](ctx context.Context, to *driver.Collection, rows []T) (there []int, err error) {
	from := 0
	for part := range slices.Chunk(rows, bulkRows) {
		_, err := to.InsertMany(ctx, part, options.InsertMany().SetOrdered(false))
		same, err := duplicates(err)
		if err != nil {
			return nil, err
		}
		for _, i := range same {
			there = append(there, from+i)
		}
		from += len(part)
	}
	return there, nil
}

// writeAll sends models, few at a time, in any order. It gives how many of
// them found what they were to change, or put it there.
func writeAll(ctx context.Context, to *driver.Collection, models []driver.WriteModel) (hit int, err error) {
	for part := range slices.Chunk(models, bulkRows) {
		res, err := to.BulkWrite(ctx, part, options.BulkWrite().SetOrdered(false))
		if _, err = duplicates(err); err != nil {
			return hit, err
		}
		if res != nil {
			hit += int(res.MatchedCount + res.UpsertedCount)
		}
	}
	return hit, nil
}

// duplicates takes an error apart that says of some rows only that their _id
// is there already; any other is given back.
func duplicates(err error) (places []int, _ error) {
	if err == nil {
		return nil, nil
	}
	bulk, ok := errors.AsType[driver.BulkWriteException](err)
	if !ok || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
		return nil, err
	}
	for _, e := range bulk.WriteErrors {
		if e.Code != duplicateKey {
			return nil, err
		}
		places = append(places, e.Index)
	}
	return places, nil
}
