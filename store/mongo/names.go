package mongo

import (
	"context"
	"fmt"
	"slices"
	stdsync "sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// names knows which history each workspace's name stands for. Another process
// may give a name to another history; who finds a contradiction forgets it.
type names struct {
	rows *driver.Collection
	mu   stdsync.Mutex
	seen map[string]string // history by name
}

// named is a row of the collection.
type named struct {
	Name    string `bson:"_id"`
	History string `bson:"h"`
}

func newNames(db *driver.Database) *names {
	return &names{rows: db.Collection("workspaces"), seen: map[string]string{}}
}

// find gives the history of a name; "" if there is none.
func (n *names) find(ctx context.Context, name string) (string, error) {
	n.mu.Lock()
	h := n.seen[name]
	n.mu.Unlock()
	if h != "" {
		return h, nil
	}
	return n.read(ctx, name)
}

// read asks the database.
func (n *names) read(ctx context.Context, name string) (string, error) {
	row, err := one[named](n.rows.FindOne(ctx, bson.D{{Key: "_id", Value: name}}))
	if err != nil {
		return "", fmt.Errorf("find workspace %s: %w", name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if row == nil {
		delete(n.seen, name)
		return "", nil
	}
	n.seen[name] = row.History
	return row.History, nil
}

// make gives the history of a name, a new one if there is none.
func (n *names) make(ctx context.Context, name string) (string, error) {
	h, err := n.find(ctx, name)
	if err != nil || h != "" {
		return h, err
	}
	_, err = n.rows.InsertOne(ctx, named{Name: name, History: bson.NewObjectID().Hex()})
	if err != nil && !driver.IsDuplicateKeyError(err) {
		return "", fmt.Errorf("make workspace %s: %w", name, err)
	}
	h, err = n.read(ctx, name)
	if err == nil && h == "" {
		err = fmt.Errorf("make workspace %s: somebody else is about to", name)
	}
	return h, err
}

func (n *names) forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.seen, name)
}

// all gives the rows, sorted by name.
func (n *names) all(ctx context.Context) ([]named, error) {
	const page = 1000
	var all []named
	filter := bson.D{}
	for {
		rows, err := findAll[named](ctx, n.rows.Database(), query{
			from: n.rows.Name(), filter: filter, sort: bson.D{{Key: "_id", Value: 1}}, limit: page,
		})
		if err != nil {
			return nil, fmt.Errorf("list workspaces: %w", err)
		}
		if all = append(all, rows...); len(rows) == 0 {
			return slices.Clip(all), nil
		}
		filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: rows[len(rows)-1].Name}}}}
	}
}
