package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// note is a small value beside the journal.
type note struct {
	ID    noteID `bson:"_id"`
	Value []byte `bson:"v"`
}

type noteID struct {
	History string `bson:"h"`
	Key     string `bson:"k"`
}

// SaveNotes implements sync.Store. They belong to the history, since they tell
// of positions in it; a workspace may have some before its first commit.
func (s *Store) SaveNotes(ctx context.Context, workspace string, notes map[string][]byte) error {
	if len(notes) == 0 {
		return nil
	}
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	history, err := s.names.make(ctx, workspace)
	if err != nil {
		return fmt.Errorf("save notes of %s: %w", workspace, err)
	}
	var changes []driver.WriteModel
	for key, value := range notes {
		id := byID(noteID{history, key})
		if value == nil {
			changes = append(changes, driver.NewDeleteOneModel().SetFilter(id))
			continue
		}
		set := bson.D{{Key: "$set", Value: bson.D{{Key: "v", Value: value}}}}
		changes = append(changes, driver.NewUpdateOneModel().SetFilter(id).SetUpdate(set).SetUpsert(true))
	}
	if _, err := s.db.Collection("notes").BulkWrite(ctx, changes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("save notes of %s: %w", workspace, err)
	}
	return nil
}

// Notes implements sync.Store.
func (s *Store) Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error) {
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	history, err := s.names.read(ctx, workspace)
	if err != nil {
		return nil, fmt.Errorf("read notes of %s: %w", workspace, err)
	}
	out := map[string][]byte{}
	if history == "" {
		return out, nil
	}
	found, err := findAll[note](ctx, s.db, query{from: "notes", filter: startingWith(history, prefix)})
	if err != nil {
		return nil, fmt.Errorf("read notes of %s: %w", workspace, err)
	}
	for _, n := range found {
		out[n.ID.Key] = n.Value
	}
	return out, nil
}

// startingWith finds the notes whose keys start with a prefix.
func startingWith(history, prefix string) bson.D {
	end := bson.D{{Key: "h", Value: history}, {Key: "k", Value: following(prefix)}}
	return byID(bson.D{{Key: "$gte", Value: noteID{history, prefix}}, {Key: "$lt", Value: end}})
}
