package web_test

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/enroute-field/enroute/web"
)

// clusterKey is the secret of every cluster here.
const clusterKey = "a key that only nodes know"

// seats say which node serves which workspace, and where the nodes are. Tests
// change them as they like.
type seats struct {
	mu        sync.Mutex
	node      map[string]string // by workspace; "" for the rest
	address   map[string]string // by node
	mislaid   []string          // addresses, in order
	forgotten func(address string)
}

func newSeats() *seats {
	return &seats{node: map[string]string{}, address: map[string]string{}, forgotten: func(string) {}}
}

// take gives the workspace to a node.
func (s *seats) take(workspace, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node[workspace] = node
}

// place says where a node is.
func (s *seats) place(node, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address[node] = address
}

// missed are the addresses at which a workspace was not found.
func (s *seats) missed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mislaid...)
}

// member is what one node knows of the seats.
type member struct {
	*seats
	name string
}

var errNobody = errors.New("nobody serves the workspace")

func (m member) Locate(_ context.Context, workspace string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node := cmp.Or(m.node[workspace], m.node[""])
	switch {
	case node == "":
		return "", errNobody
	case node == m.name:
		return "", nil
	}
	return m.address[node], nil
}

func (m member) Mislaid(_, address string) {
	m.mu.Lock()
	m.mislaid = append(m.mislaid, address)
	forgotten := m.forgotten
	m.mu.Unlock()
	forgotten(address)
}

func (member) Key() string { return clusterKey }

// startNode starts a server of the cluster beside the ones there are. The
// world that it gives asks that one.
func (w *world) startNode(s *seats, name string, o web.Options) *world {
	w.t.Helper()
	node := *w
	o.Cluster = member{s, name}
	node.start(o)
	s.place(name, node.url)
	return &node
}

// startBehind starts a node that serves the workspace, and another one that
// forwards to it and is the one that is asked.
func (w *world) startBehind(o web.Options) *seats {
	w.t.Helper()
	s := newSeats()
	s.take("", "there")
	w.startNode(s, "there", o)
	*w = *w.startNode(s, "here", o)
	return s
}

// openNodes is a world with two nodes: one that is asked and does not serve
// the workspace, and one that does.
func openNodes(t testing.TB, change ...func(*web.Options)) (here, there *world, s *seats) {
	t.Helper()
	var o web.Options
	there = open(t, append(change, func(of *web.Options) {
		s = newSeats()
		s.take("", "there")
		of.Cluster = member{s, "there"}
		o = *of
	})...)
	s.place("there", there.url)
	return there.startNode(s, "here", o), there, s
}
