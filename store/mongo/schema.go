package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// schemaVersion is of the collections and of what is in them.
const schemaVersion = 1

// collection and the indexes it has besides the one of _id.
type collection struct {
	name    string
	indexes []driver.IndexModel
}

// collections are all that the store has, but for meta.
func collections() []collection {
	return []collection{
		{name: "workspaces"},
		{name: "segments", indexes: []driver.IndexModel{{Keys: bson.D{{Key: "commits.ids", Value: 1}}}}},
		{name: "checkpoints"},
		{name: "notes"},
		{name: "nodes"},
		{name: "seats"},
		{name: "documents"},
		{name: "revisions"},
		{name: "listed"},
		{name: "entries"},
		{name: "marks"},
	}
}

// prepare the database: what is missing is made, what is not ours is refused.
// The document that says so is written last, so that a start that was broken
// off is made up for by the next.
func prepare(ctx context.Context, db *driver.Database) error {
	var meta struct {
		Version int `bson:"version"`
	}
	err := db.Collection("meta").FindOne(ctx, byID("schema")).Decode(&meta)
	switch {
	case err == nil && meta.Version > schemaVersion:
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, meta.Version, schemaVersion)
	case err == nil && meta.Version == schemaVersion:
		return nil
	case err != nil && !errors.Is(err, driver.ErrNoDocuments):
		return fmt.Errorf("read the schema's version: %w", err)
	}
	return setUp(ctx, db)
}

func setUp(ctx context.Context, db *driver.Database) error {
	there, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("list collections: %w", err)
	}
	ours := collections()
	for _, name := range there {
		known := name == "meta" || slices.ContainsFunc(ours, func(c collection) bool { return c.name == name })
		if !known {
			return fmt.Errorf("%w: it has a collection %s", ErrForeign, name)
		}
	}
	for _, c := range ours {
		if len(c.indexes) == 0 {
			continue // made by the first write
		}
		if _, err := db.Collection(c.name).Indexes().CreateMany(ctx, c.indexes); err != nil {
			return fmt.Errorf("make the indexes of %s: %w", c.name, err)
		}
	}
	_, err = db.Collection("meta").InsertOne(ctx, bson.D{{Key: "_id", Value: "schema"}, {Key: "version", Value: schemaVersion}})
	if err != nil && !driver.IsDuplicateKeyError(err) { // two that start at once write the same
		return fmt.Errorf("write the schema's version: %w", err)
	}
	return nil
}
