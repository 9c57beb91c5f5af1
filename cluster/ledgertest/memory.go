// Package ledgertest is the contract of a cluster.Ledger as tests, a ledger in
// memory, and a way to it that delays, fails and loses answers on command.
package ledgertest

import (
	"context"
	"sync"

	"github.com/enroute-field/enroute/cluster"
)

// Memory is a ledger for the nodes of one test.
type Memory struct {
	mu    sync.Mutex
	nodes map[string]cluster.Node
	seats map[string]cluster.Seat
}

// NewMemory is empty.
func NewMemory() *Memory {
	return &Memory{nodes: map[string]cluster.Node{}, seats: map[string]cluster.Seat{}}
}

// Beat writes an entry.
func (m *Memory) Beat(_ context.Context, n cluster.Node) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, stands := m.nodes[n.ID]
	if n.Beat > 1 && (!stands || old.Beat >= n.Beat) || n.Beat == 1 && stands {
		return false, nil
	}
	m.nodes[n.ID] = n
	return true, nil
}

// Nodes gives all entries.
func (m *Memory) Nodes(context.Context) ([]cluster.Node, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []cluster.Node
	for _, n := range m.nodes {
		out = append(out, n)
	}
	return out, nil
}

// Bury removes an entry.
func (m *Memory) Bury(_ context.Context, n cluster.Node) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, stands := m.nodes[n.ID]
	if !stands || old.Beat > n.Beat {
		return false, nil
	}
	delete(m.nodes, n.ID)
	return true, nil
}

// Seats gives those that name a node.
func (m *Memory) Seats(context.Context) ([]cluster.Seat, error) {
	return m.choose(func(s cluster.Seat) bool { return s.Node != "" }), nil
}

// SeatsOf gives those that name this node.
func (m *Memory) SeatsOf(_ context.Context, node string) ([]cluster.Seat, error) {
	return m.choose(func(s cluster.Seat) bool { return s.Node == node }), nil
}

func (m *Memory) choose(want func(cluster.Seat) bool) []cluster.Seat {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []cluster.Seat
	for _, s := range m.seats {
		if want(s) {
			out = append(out, s)
		}
	}
	return out
}

// Seat of a workspace.
func (m *Memory) Seat(_ context.Context, workspace string) (cluster.Seat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seat(workspace), nil
}

func (m *Memory) seat(workspace string) cluster.Seat {
	if s, ok := m.seats[workspace]; ok {
		return s
	}
	return cluster.Seat{Workspace: workspace}
}

// Swap changes a seat.
func (m *Memory) Swap(_ context.Context, was, now cluster.Seat) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seat(was.Workspace) != was {
		return false, nil
	}
	m.seats[now.Workspace] = now
	return true, nil
}

// Secret is always the same.
func (m *Memory) Secret(context.Context) ([]byte, error) {
	return []byte("secret of the nodes in memory"), nil
}
