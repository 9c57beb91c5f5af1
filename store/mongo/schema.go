package mongo

import (
	"context"
	"fmt"

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

// collections are all that the store has, but for meta. Those that need an
// index are made at the start, the others by their first write.
func collections() []collection {
	return []collection{
		{name: "workspaces"},
		{name: "segments", indexes: []driver.IndexModel{{Keys: bson.D{{Key: "commits.tags", Value: 1}}}}},
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

// schema is the document that says whose the database is.
type schema struct {
	Version int  `bson:"version"`
	Ready   bool `bson:"ready"` // all indexes are made
}

// prepare the database: what is missing is made, what is not ours is refused.
// That it is ours is written before anything else, so that a start that was
// broken off is made up for by the next.
func prepare(ctx context.Context, db *driver.Database) error {
	found, err := readSchema(ctx, db)
	if err != nil || found != nil && found.Ready {
		return err
	}
	if err := claim(ctx, db); err != nil {
		return err
	}
	for _, c := range collections() {
		if len(c.indexes) == 0 {
			continue
		}
		if _, err := db.Collection(c.name).Indexes().CreateMany(ctx, c.indexes); err != nil {
			return fmt.Errorf("make the indexes of %s: %w", c.name, err)
		}
	}
	ready := bson.D{{Key: "$set", Value: bson.D{{Key: "ready", Value: true}}}}
	if _, err := db.Collection("meta").UpdateOne(ctx, byID("schema"), ready); err != nil {
		return fmt.Errorf("write that the schema is ready: %w", err)
	}
	return nil
}

// readSchema gives nil where nobody has been.
func readSchema(ctx context.Context, db *driver.Database) (*schema, error) {
	found, err := one[schema](db.Collection("meta").FindOne(ctx, byID("schema")))
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	if found != nil && found.Version > schemaVersion {
		return nil, fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, found.Version, schemaVersion)
	}
	return found, nil
}

// claim an empty database.
func claim(ctx context.Context, db *driver.Database) error {
	there, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("list collections: %w", err)
	}
	found, err := readSchema(ctx, db) // after the list: another node may be making them
	if err != nil || found != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("%w: it has a collection %s", ErrForeign, there[0])
	}
	_, err = db.Collection("meta").InsertOne(ctx, bson.D{{Key: "_id", Value: "schema"}, {Key: "version", Value: schemaVersion}})
	if err != nil && !driver.IsDuplicateKeyError(err) {
		return fmt.Errorf("write the schema's version: %w", err)
	}
	return nil
}
