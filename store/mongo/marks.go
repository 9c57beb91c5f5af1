package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// marks say how far the projections of each history are, in the collection
// marks: a row for its documents, and one for each make of its lists.
type marks struct {
	rows  *driver.Collection
	index string // version of the indexer
}

// markID of a row. Index is the version of the indexer; "": of documents.
type markID struct {
	History string `bson:"h"`
	Index   string `bson:"v"`
}

type mark struct {
	ID   markID `bson:"_id"`
	Upto int64  `bson:"n"` // all up to this commit is written
	Make string `bson:"m"` // "": of documents
}

// retired begins the Index of a make that is being removed.
const retired = "retired/"

// errRetired: the make has been removed, by a program of another version.
var errRetired = errors.New("the lists have been thrown away")

func newMarks(db *driver.Database, index string) *marks { return &marks{db.Collection("marks"), index} }

// of a history, all.
func (m *marks) of(ctx context.Context, history string) ([]mark, error) {
	const many = 1000 // more than there are versions
	rows, err := findAll[mark](ctx, m.rows.Database(), query{from: m.rows.Name(), filter: under("v", "h", history), limit: many})
	if err != nil {
		return nil, fmt.Errorf("read the marks: %w", err)
	}
	return rows, nil
}

// met is what the marks of a history say: how far its documents are, its lists,
// and which makes are of no use.
type met struct {
	docs, lists uint64
	make        string
	old         []mark
}

// meet reads the marks. Where there are no lists, a make of them is begun.
func (m *marks) meet(ctx context.Context, history string) (met, error) {
	for {
		all, err := m.of(ctx, history)
		if err != nil {
			return met{}, err
		}
		out, done, err := m.sort(ctx, all)
		if done || err != nil {
			return out, err
		}
		_, err = m.rows.InsertOne(ctx, mark{ID: markID{history, m.index}, Make: bson.NewObjectID().Hex()})
		if err != nil && !driver.IsDuplicateKeyError(err) {
			return met{}, fmt.Errorf("begin lists: %w", err)
		}
	}
}

// sort the marks of a history; false when one of our lists is missing. A make
// that has a grave is dead, should its own mark still be there.
func (m *marks) sort(ctx context.Context, all []mark) (out met, ok bool, err error) {
	for _, row := range all {
		grave := func(g mark) bool { return g.Make == row.Make && g.ID == graveOf(row) && g.ID != row.ID }
		switch {
		case row.ID.Index == "":
			out.docs = uint64(row.Upto)
		case slices.ContainsFunc(all, grave):
			if _, err := m.rows.DeleteOne(ctx, exactly(row)); err != nil {
				return met{}, false, fmt.Errorf("bury retired lists: %w", err)
			}
		case row.ID.Index == m.index:
			out.lists, out.make = uint64(row.Upto), row.Make
		default:
			out.old = append(out.old, row)
		}
	}
	return out, out.make != "", nil
}

// graveOf is the mark of the same make once it is retired.
func graveOf(row mark) markID { return markID{row.ID.History, retired + row.Make} }

func exactly(row mark) bson.D {
	return bson.D{{Key: "_id", Value: row.ID}, {Key: "m", Value: row.Make}}
}

// stands says whether the make is still the one of its history.
func (m *marks) stands(ctx context.Context, history, mk string) (bool, error) {
	row, err := one[mark](m.rows.FindOne(ctx, bson.D{{Key: "_id", Value: markID{history, m.index}}}))
	if err != nil {
		return false, fmt.Errorf("read the mark of the lists: %w", err)
	}
	return row != nil && row.Make == mk, nil
}

// raiseDocuments says that the documents are written up to a commit.
func (m *marks) raiseDocuments(ctx context.Context, history string, upto uint64) error {
	_, err := m.rows.UpdateOne(ctx, bson.D{{Key: "_id", Value: markID{history, ""}}}, atLeast(upto), options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("mark documents: %w", err)
	}
	return nil
}

// raiseLists says the same of a make of the lists.
func (m *marks) raiseLists(ctx context.Context, history, mk string, upto uint64) error {
	res, err := m.rows.UpdateOne(ctx, bson.D{{Key: "_id", Value: markID{history, m.index}}, {Key: "m", Value: mk}}, atLeast(upto))
	if err != nil {
		return fmt.Errorf("mark lists: %w", err)
	}
	if res.MatchedCount == 0 {
		return errRetired
	}
	return nil
}

func atLeast(upto uint64) bson.D {
	return bson.D{{Key: "$max", Value: bson.D{{Key: "n", Value: int64(upto)}}}}
}

// retire a make: first it is said to be gone, so that who reads from it meanwhile
// notices afterwards; then remove takes its rows away. What was broken off is
// found by its grave.
func (m *marks) retire(ctx context.Context, old mark, remove func(context.Context, string) error) error {
	grave := graveOf(old)
	if old.ID != grave {
		_, err := m.rows.InsertOne(ctx, mark{ID: grave, Make: old.Make})
		if err == nil || driver.IsDuplicateKeyError(err) {
			_, err = m.rows.DeleteOne(ctx, exactly(old))
		}
		if err != nil {
			return fmt.Errorf("retire lists: %w", err)
		}
	}
	if err := remove(ctx, old.Make); err != nil {
		return err
	}
	if _, err := m.rows.DeleteOne(ctx, bson.D{{Key: "_id", Value: grave}}); err != nil {
		return fmt.Errorf("forget retired lists: %w", err)
	}
	return nil
}

// drop those of a history.
func (m *marks) drop(ctx context.Context, history string) error {
	if _, err := m.rows.DeleteMany(ctx, under("v", "h", history)); err != nil {
		return fmt.Errorf("drop marks: %w", err)
	}
	return nil
}
