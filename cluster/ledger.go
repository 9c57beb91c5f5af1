package cluster

import (
	"context"
	"time"
)

// Node is the entry of a node.
type Node struct {
	ID      string        // given anew at each joining, never used again
	Address string        // URL at which other nodes reach it; "": they do not
	Term    time.Duration // within which it wants to be replaced when it dies; whole milliseconds
	Beat    uint64        // counted up by the node itself, from 1
}

// Seat says which node serves a workspace.
type Seat struct {
	Workspace string
	Node      string // "": none does
	Turn      uint64 // grows with every change of the seat, from 1; 0: there never was one
}

// Ledger is what the nodes of one database share. What a call that succeeded
// has written, every later call of any node sees. A call that failed may have
// had its effect, or may have it later.
type Ledger interface {
	// Beat writes the node's entry: at beat 1 a new one, later only over one
	// that stands with a lower beat. False: there is none, the node was buried.
	Beat(ctx context.Context, n Node) (bool, error)
	// Nodes gives all entries.
	Nodes(ctx context.Context) ([]Node, error)
	// Bury removes the node's entry if its beat is not beyond n.Beat. False:
	// it is, or there is no entry.
	Bury(ctx context.Context, n Node) (bool, error)
	// Seats gives all seats that name a node.
	Seats(ctx context.Context) ([]Seat, error)
	// SeatsOf gives the seats that name this node.
	SeatsOf(ctx context.Context, node string) ([]Seat, error)
	// Seat of a workspace; where there never was one, one of no node at turn 0.
	Seat(ctx context.Context, workspace string) (Seat, error)
	// Swap changes the seat was into now, of the same workspace. False: the
	// seat is another one. A seat of turn 0 is one that never was. It is never
	// removed: a seat of no node keeps the turn.
	Swap(ctx context.Context, was, now Seat) (bool, error)
	// Secret is known to all nodes of the database and to nobody else. Who
	// asks first makes it.
	Secret(ctx context.Context) ([]byte, error)
}
