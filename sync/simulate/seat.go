package simulate

import (
	"context"
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/sync"
)

// seat gives the workspace's seat to a node, which believes it at once. The
// node that held it before goes on believing until it is told.
func (s *server) seat(to *node) {
	s.turns++
	s.sits.Store(to)
	to.tenure.Store(s.turns)
}

// robbed says whether the node believes to hold a seat that is another's.
func (n *node) robbed() bool { return n != n.s.holder() && n.tenure.Load() != 0 }

// lose the seat, and give away what was held for it.
func (n *node) lose(ctx context.Context) error {
	n.tenure.Store(0)
	n.forgets()
	if n.careless().surrender {
		return nil
	}
	return n.engine.Surrender(ctx, workspace)
}

// began sees to it that the holder's tenure has begun.
func (s *server) began(ctx context.Context) error {
	if !s.many() {
		return nil
	}
	if _, err := s.holder().ws.Head(ctx); err != nil {
		return s.w.refused("head", asked{sole: true}, err)
	}
	return nil
}

// other is a node that does not hold the seat.
func (s *server) other() *node {
	n := pick(s.w, s.nodes[1:])
	if n == s.holder() {
		n = s.nodes[0]
	}
	return n
}

// tell the robbed nodes that are to hear of it at this step.
func (s *server) tell(ctx context.Context, step int) error {
	var errs []error
	for _, n := range s.nodes {
		if n.robbed() && n.told <= step {
			s.w.logf("%v hears that its seat was stolen", n)
			errs = append(errs, n.lose(ctx))
		}
	}
	return errors.Join(errs...)
}

// settle tells all of them.
func (s *server) settle(ctx context.Context) error { return s.tell(ctx, theEnd) }

// crash of a node. If it held the seat another one takes it.
func (s *server) crash(ctx context.Context, n *node) error {
	if s.many() {
		n.tenure.Store(0)
	}
	if err := n.crash(ctx); err != nil {
		return err
	}
	if s.many() && n == s.holder() {
		s.w.count("holder died")
		s.seat(s.other())
	}
	return nil
}

// called counts the calls to the store so far.
func (s *server) called() int {
	calls := 0
	for _, n := range s.nodes {
		calls += n.disk.called()
	}
	return calls
}

// handOver gives the seat to another node, in order.
func (w *world) handOver(ctx context.Context) error {
	from, to := w.server.holder(), w.server.other()
	w.logf("%v hands the seat over to %v", from, to)
	w.count("seat handed over")
	p := pick(w, w.online())
	if p == nil || w.server.failing() || !w.model.active(p.actor.User) || w.chance(50) {
		err := from.lose(ctx)
		w.server.seat(to)
		return err
	}
	stream, err := from.ws.Live(ctx, p.actor, p.dev.Condition().Cursor)
	if err != nil {
		return tolerable(w.refused("live", asked{sole: true}, err))
	}
	defer stream.Close()
	if err := from.lose(ctx); err != nil {
		return err
	}
	w.server.seat(to)
	return w.ends(ctx, p, stream)
}

// ends: a stream at a node that has given the seat away has ended, so that the
// device looks for the node that holds it.
func (w *world) ends(ctx context.Context, p *phone, stream *sync.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel() // nobody is to wait
	if _, err := stream.Next(ctx); err == nil || errors.Is(err, context.Canceled) {
		return violated("live", "the stream of %s goes on at a node that gave the seat away", p.actor.Device)
	}
	w.count("stream ended by a handover")
	return nil
}

// longestBelief is for how many steps a robbed node may not know it.
const longestBelief = 12

// steal the seat: another node holds it at once, the old one does not know.
func (w *world) steal(context.Context) error {
	w.rob(w.server.holder(), w.server.other())
	return nil
}

func (w *world) rob(from, to *node) {
	from.told = w.step + 1 + w.rng.IntN(longestBelief)
	w.logf("%v steals the seat of %v, which hears of it at step %d", to, from, from.told)
	w.count("seat stolen")
	w.server.seat(to)
}

// lateHolder lets an append of the holder wait on its way to the store while
// another node takes the seat and serves; then it arrives. Either it comes to
// nothing, or everybody sees it.
func (w *world) lateHolder(ctx context.Context) error {
	e := w.prepareDesk()
	if e == nil || w.server.failing() || !w.sameDay() || e.about("workspaceSettings") {
		return nil
	}
	from := w.server.holder()
	if w.chance(50) { // else it may be the first commit of its tenure that comes late
		if err := w.server.began(ctx); err != nil {
			return tolerable(err)
		}
	}
	e.at = from
	w.server.avoid(from)
	defer w.server.avoid(nil)
	h := from.disk.hold()
	written := make(chan error, 1)
	go func() { written <- w.write(ctx, e) }()
	select {
	case err := <-written: // it came to nothing
		from.disk.release(h)
		return err
	case <-h.begun:
	}
	w.count("append of a robbed holder on its way")
	w.rob(from, w.server.other())
	err := w.pullSome(ctx)
	if err == nil && w.chance(50) {
		err = w.deskWorkAt(ctx, w.server.holder())
	}
	from.disk.release(h)
	err = errors.Join(err, <-written)
	w.server.avoid(nil)
	return errors.Join(err, w.pullSome(ctx))
}

// lookAtHeads asks every node for its head.
func (w *world) lookAtHeads(ctx context.Context) error {
	for _, n := range w.server.nodes {
		known, robbed := w.known(), n.robbed()
		head, err := n.ws.Head(ctx)
		if err != nil {
			if err := tolerable(w.refused(fmt.Sprintf("head of %v", n), asked{sole: n == w.server.holder()}, err)); err != nil {
				return err
			}
			continue
		}
		w.logf("%v is at %d", n, head.Number)
		if head.Number < known && !robbed {
			return violated("lag", "%v says that the head is %d, %d was known", n, head.Number, known)
		}
		if head.Number < known {
			w.count("robbed node lags")
		}
		if n == w.server.holder() {
			w.learns(head.Number)
		}
		w.heads = append(w.heads, head)
	}
	return nil
}

// checkHeads: every head that somebody saw is in the chain.
func (w *world) checkHeads() error {
	for _, h := range w.heads {
		if h.Number > w.model.head || w.model.hashes[h.Number-1] != h.Hash {
			return violated("append", "a node was at commit %d, which is not in the chain up to %d", h.Number, w.model.head)
		}
	}
	w.heads = nil
	return nil
}
