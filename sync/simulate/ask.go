package simulate

import (
	"fmt"

	"github.com/enroute-field/enroute/internal/fault"
)

// asked is how a request went.
type asked struct {
	known  uint64 // the newest head that was acknowledged when it was made
	robbed bool   // the node that answered believed to hold a seat that is another's
	sole   bool   // it was the holder of the seat
	by     *node
}

// ask a node; nil: whichever the request comes to. One that does not hold the
// seat and may not answer sends the request on to the node that does.
func ask[T any](s *server, n *node, do func(*node) (T, error)) (T, asked, error) {
	if n == nil {
		n = s.next()
	}
	how := asked{known: s.w.known(), robbed: n.robbed()}
	out, err := do(n)
	if n != s.holder() && fault.Is(err, fault.Unavailable) {
		s.w.count("sent on to the holder")
		n, how.robbed = s.holder(), false
		out, err = do(n)
	}
	how.sole, how.by = n == s.holder(), n
	return out, how, err
}

// next is the node that the next request comes to: any of them, but often the
// one that holds the seat.
func (s *server) next() *node {
	if !s.many() {
		return s.holder()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[s.routes.IntN(len(s.nodes))]
	if s.routes.IntN(2) == 0 || n == s.avoided {
		return s.holder()
	}
	return n
}

// avoid a node, which would keep requests waiting; nil: none.
func (s *server) avoid(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.avoided = n
}

// known is the newest head that the holder of the seat has answered with, or
// that stood in the store when nobody wrote.
func (w *world) known() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.acknowledged, w.model.head)
}

// learns that a head was acknowledged.
func (w *world) learns(head uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acknowledged = max(w.acknowledged, head)
}

// from which of several nodes the answer came, for the history.
func (a asked) from() string {
	switch {
	case a.by == nil || !a.by.s.many():
		return ""
	case a.robbed:
		return fmt.Sprintf(", from %v, which was robbed", a.by)
	}
	return fmt.Sprintf(", from %v", a.by)
}
