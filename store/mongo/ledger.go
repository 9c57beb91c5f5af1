package mongo

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/cluster"
)

// Ledger is where the nodes over one database tell each other who serves
// which workspace. Each write is one of one document, with its condition in
// the filter, and is acknowledged by a majority; reads are of the primary.
type Ledger struct {
	nodes, seats, meta *driver.Collection
}

// Ledger of the store's database. It works until the store is closed.
func (s *Store) Ledger() *Ledger { return newLedger(s.db) }

func newLedger(db *driver.Database) *Ledger {
	return &Ledger{nodes: db.Collection("nodes"), seats: db.Collection("seats"), meta: db.Collection("meta")}
}

// nodeRow is a node's entry.
type nodeRow struct {
	ID      string `bson:"_id"`
	Address string `bson:"address"`
	Term    int64  `bson:"term"` // milliseconds
	Beat    int64  `bson:"beat"`
}

// seatRow is a workspace's seat.
type seatRow struct {
	Workspace string `bson:"_id"`
	Node      string `bson:"node"` // "": none
	Turn      int64  `bson:"turn"`
}

func (r seatRow) seat() cluster.Seat {
	return cluster.Seat{Workspace: r.Workspace, Node: r.Node, Turn: uint64(r.Turn)}
}

// Beat implements cluster.Ledger.
func (l *Ledger) Beat(ctx context.Context, n cluster.Node) (bool, error) {
	if n.Beat == 1 {
		_, err := l.nodes.InsertOne(ctx, nodeRow{ID: n.ID, Address: n.Address, Term: n.Term.Milliseconds(), Beat: 1})
		return inserted(err, "make a node's entry")
	}
	lower := bson.D{{Key: "_id", Value: n.ID}, {Key: "beat", Value: bson.D{{Key: "$lt", Value: int64(n.Beat)}}}}
	return l.change(ctx, l.nodes, lower, bson.D{{Key: "beat", Value: int64(n.Beat)}}, "write a node's beat")
}

// inserted says whether a document was inserted, rather than there already.
func inserted(err error, doing string) (bool, error) {
	if driver.IsDuplicateKeyError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	return true, nil
}

// change the document if it is as the filter says.
func (l *Ledger) change(ctx context.Context, rows *driver.Collection, filter, set bson.D, doing string) (bool, error) {
	done, err := rows.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: set}})
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	return done.MatchedCount == 1, nil
}

// Nodes implements cluster.Ledger.
func (l *Ledger) Nodes(ctx context.Context) ([]cluster.Node, error) {
	const most = 10_000 // far more than one database can serve
	rows, err := findAll[nodeRow](ctx, l.nodes.Database(), query{from: l.nodes.Name(), filter: bson.D{}, limit: most})
	if err != nil {
		return nil, fmt.Errorf("read the nodes' entries: %w", err)
	}
	out := make([]cluster.Node, len(rows))
	for i, r := range rows {
		out[i] = cluster.Node{ID: r.ID, Address: r.Address, Term: time.Duration(r.Term) * time.Millisecond, Beat: uint64(r.Beat)}
	}
	return out, nil
}

// Bury implements cluster.Ledger.
func (l *Ledger) Bury(ctx context.Context, n cluster.Node) (bool, error) {
	still := bson.D{{Key: "_id", Value: n.ID}, {Key: "beat", Value: bson.D{{Key: "$lte", Value: int64(n.Beat)}}}}
	done, err := l.nodes.DeleteOne(ctx, still)
	if err != nil {
		return false, fmt.Errorf("remove a node's entry: %w", err)
	}
	return done.DeletedCount == 1, nil
}

// Seats implements cluster.Ledger.
func (l *Ledger) Seats(ctx context.Context) ([]cluster.Seat, error) {
	return l.list(ctx, bson.D{{Key: "$gt", Value: ""}})
}

// SeatsOf implements cluster.Ledger.
func (l *Ledger) SeatsOf(ctx context.Context, node string) ([]cluster.Seat, error) {
	return l.list(ctx, bson.D{{Key: "$eq", Value: node}})
}

// list the seats whose node is as asked, page by page. It looks through one
// small document for each workspace, so there is no index to keep.
func (l *Ledger) list(ctx context.Context, node bson.D) ([]cluster.Seat, error) {
	const page = 10_000
	var out []cluster.Seat
	after := ""
	for {
		rows, err := findAll[seatRow](ctx, l.seats.Database(), query{
			from: l.seats.Name(), sort: bson.D{{Key: "_id", Value: 1}}, limit: page,
			filter: bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}, {Key: "node", Value: node}},
		})
		if err != nil {
			return nil, fmt.Errorf("list seats: %w", err)
		}
		for _, r := range rows {
			out = append(out, r.seat())
		}
		if len(rows) < page {
			return out, nil
		}
		after = rows[len(rows)-1].Workspace
	}
}

// Seat implements cluster.Ledger.
func (l *Ledger) Seat(ctx context.Context, workspace string) (cluster.Seat, error) {
	row, err := one[seatRow](l.seats.FindOne(ctx, bson.D{{Key: "_id", Value: workspace}}))
	if err != nil {
		return cluster.Seat{}, fmt.Errorf("read the seat of %s: %w", workspace, err)
	}
	if row == nil {
		return cluster.Seat{Workspace: workspace}, nil
	}
	return row.seat(), nil
}

// Swap implements cluster.Ledger.
func (l *Ledger) Swap(ctx context.Context, was, now cluster.Seat) (bool, error) {
	if was.Turn == 0 {
		_, err := l.seats.InsertOne(ctx, seatRow{Workspace: now.Workspace, Node: now.Node, Turn: int64(now.Turn)})
		return inserted(err, "make the seat of "+now.Workspace)
	}
	still := bson.D{{Key: "_id", Value: was.Workspace}, {Key: "node", Value: was.Node}, {Key: "turn", Value: int64(was.Turn)}}
	set := bson.D{{Key: "node", Value: now.Node}, {Key: "turn", Value: int64(now.Turn)}}
	return l.change(ctx, l.seats, still, set, "change the seat of "+now.Workspace)
}

// secretRow is in the collection meta.
type secretRow struct {
	ID     string `bson:"_id"`
	Secret []byte `bson:"secret"`
}

const secretID = "secret"

// Secret implements cluster.Ledger.
func (l *Ledger) Secret(ctx context.Context) ([]byte, error) {
	row, err := l.secret(ctx)
	if err == nil && row == nil {
		fresh := secretRow{ID: secretID, Secret: make([]byte, 32)}
		_, _ = rand.Read(fresh.Secret) // it never fails
		_, err = l.meta.InsertOne(ctx, fresh)
		if _, err = inserted(err, "make the nodes' secret"); err == nil {
			row, err = l.secret(ctx) // of whoever was first
		}
	}
	if err != nil {
		return nil, err
	}
	return row.Secret, nil
}

func (l *Ledger) secret(ctx context.Context) (*secretRow, error) {
	row, err := one[secretRow](l.meta.FindOne(ctx, bson.D{{Key: "_id", Value: secretID}}))
	if err != nil {
		return nil, fmt.Errorf("read the nodes' secret: %w", err)
	}
	return row, nil
}
