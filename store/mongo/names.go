package mongo

import (
	"context"
	"errors"
	"fmt"
	stdsync "sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// names knows which history each workspace's name stands for. Another process
// may give a name to another history: who finds a contradiction forgets it.
type names struct {
	rows *driver.Collection
	mu   stdsync.Mutex
	seen map[string]string // history by name
}

// named is a row of the collection.
type named struct {
	Name    string `bson:"_id"`
	History string `bson:"h"`
	// Of a staged history:
	To   string `bson:"to,omitempty"`   // the workspace whose name it is about to take
	Old  string `bson:"old,omitempty"`  // that workspace's history until then
	Gone bool   `bson:"gone,omitempty"` // it is about to be dropped
}

func newNames(db *driver.Database) *names {
	return &names{rows: db.Collection("workspaces"), seen: map[string]string{}}
}

// find gives the history of a name as last seen; "" if there is none.
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
	row, err := n.row(ctx, name)
	if err != nil {
		return "", err
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

// row of a name; nil if there is none.
func (n *names) row(ctx context.Context, name string) (*named, error) {
	row, err := one[named](n.rows.FindOne(ctx, byID(name)))
	if err != nil {
		return nil, fmt.Errorf("find workspace %s: %w", name, err)
	}
	return row, nil
}

// make gives the history of a name, a new one if there is none.
func (n *names) make(ctx context.Context, name string) (string, error) {
	h, err := n.read(ctx, name)
	if err != nil || h != "" {
		return h, err
	}
	_, err = n.rows.InsertOne(ctx, named{Name: name, History: bson.NewObjectID().Hex()})
	if err != nil && !driver.IsDuplicateKeyError(err) {
		return "", fmt.Errorf("make workspace %s: %w", name, err)
	}
	h, err = n.read(ctx, name)
	if err == nil && h == "" {
		err = fmt.Errorf("make workspace %s: another's is there, but not confirmed", name)
	}
	return h, err
}

func (n *names) forget(names ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		delete(n.seen, name)
	}
}

// all calls yield with some rows after the others, sorted by name.
func (n *names) all(ctx context.Context, yield func([]named) error) error {
	const page = 1000
	q := query{from: n.rows.Name(), filter: bson.D{}, sort: byID(1), limit: page}
	for {
		rows, err := findAll[named](ctx, n.rows.Database(), q)
		if err != nil {
			return fmt.Errorf("list workspaces: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		if err := yield(rows); err != nil {
			return err
		}
		q.filter = byID(bson.D{{Key: "$gt", Value: rows[len(rows)-1].Name}})
	}
}

// change a row if it is still as the filter says.
func (n *names) change(ctx context.Context, filter, update bson.D) (bool, error) {
	res, err := n.rows.UpdateOne(ctx, filter, update)
	if err != nil {
		return false, err
	}
	return res.MatchedCount == 1, nil
}

// errHalfWay: a staged history cannot be dropped while it is about to take a
// workspace's name, since the workspace may be closed in its favour.
var errHalfWay = errors.New("its promotion has begun: promote it again")

func byID(v any) bson.D { return bson.D{{Key: "_id", Value: v}} }
