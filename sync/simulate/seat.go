package simulate

import (
	"context"
)

// seat gives the workspace's seat to a node, which believes it at once. The
// node that held it before goes on believing until it is told.
func (s *server) seat(to *node) {
	s.turns++
	s.holder = to
	to.tenure.Store(s.turns)
}

// robbed says whether the node believes to hold a seat that is another's.
func (n *node) robbed() bool { return n != n.s.holder && n.tenure.Load() != 0 }

// tell every robbed node whose time has come that its seat was stolen.
func (s *server) tell(ctx context.Context, step int) error {
	return nil
}

// settle tells all of them.
func (s *server) settle(ctx context.Context) error { return s.tell(ctx, theEnd) }

// crash of a node. If it held the seat another one takes it.
func (s *server) crash(ctx context.Context, n *node) error {
	return n.crash(ctx)
}

// called counts the calls to the store so far.
func (s *server) called() int {
	calls := 0
	for _, n := range s.nodes {
		calls += n.disk.called()
	}
	return calls
}
