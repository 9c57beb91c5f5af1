package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	stdsync "sync"
	"sync/atomic"

	"github.com/enroute-field/enroute/sync"
)

// server is the company's server: one node, or several over one store.
type server struct {
	w        *world
	registry *sync.Registry
	depot    depot
	nodes    []*node
	sits     atomic.Pointer[node] // on the workspace's seat
	turns    uint64               // how often the seat was taken
	copies   int                  // of the store that were kept

	mu      stdsync.Mutex // guards routes and avoided
	routes  *rand.Rand    // says who is asked
	avoided *node
}

func newServer(ctx context.Context, w *world, registry *sync.Registry) (*server, error) {
	depot, err := w.cfg.Store.depot(ctx, w.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("make the depot: %w", err)
	}
	s := &server{w: w, registry: registry, depot: depot}
	late := &stragglers{}
	for n := range max(1, w.cfg.Nodes) {
		s.nodes = append(s.nodes, newNode(s, n, late))
	}
	s.begin(0)
	return s, s.start(ctx)
}

// many says whether there are several nodes.
func (s *server) many() bool { return len(s.nodes) > 1 }

// holder of the workspace's seat.
func (s *server) holder() *node { return s.sits.Load() }

// begin is a new step: the disks and the ways to the nodes have their own
// chance in it.
func (s *server) begin(step int) {
	for _, n := range s.nodes {
		n.disk.begin(source(s.w.cfg.Seed, forDisk+n.number<<8, step))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes = source(s.w.cfg.Seed, forRoutes, step)
}

// start opens the store at every node, and gives one of them the seat.
func (s *server) start(ctx context.Context) error {
	for _, n := range s.nodes {
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	if !s.many() {
		s.sits.Store(s.nodes[0])
		return nil
	}
	s.seat(pick(s.w, s.nodes))
	return nil
}

// open finds the workspace again after a start.
func (s *server) open(ctx context.Context) error {
	for _, n := range s.nodes {
		if err := n.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// store as it is, without failures.
func (s *server) store() sync.Store { return s.nodes[0].store }

// failing says whether the store fails now and then for somebody.
func (s *server) failing() bool {
	for _, n := range s.nodes {
		if n.disk.failing() {
			return true
		}
	}
	return false
}

// mend ends the times in which calls may fail.
func (s *server) mend() {
	for _, n := range s.nodes {
		n.disk.fail(false)
	}
}

// stop ends everything in order.
func (s *server) stop(ctx context.Context) error {
	return errors.Join(s.close(ctx), s.depot.Close(ctx))
}

func (s *server) close(ctx context.Context) error {
	s.mend()
	var errs []error
	for _, n := range s.nodes {
		errs = append(errs, n.stop(ctx))
	}
	return errors.Join(errs...)
}

// restart stops in order and starts again.
func (s *server) restart(ctx context.Context) error {
	return s.away(ctx, func() error { return nil })
}

// backup copies the store, with the server stopped for it.
func (s *server) backup(ctx context.Context) error {
	return s.away(ctx, func() error {
		s.copies++
		return s.depot.Copy(ctx, s.copies, s.w.clock.Now())
	})
}

// restore puts a copy in the place of the store: all commits after it are lost.
func (s *server) restore(ctx context.Context, n int) error {
	return s.away(ctx, func() error { return s.depot.PutBack(ctx, n, s.w.chance(50), s.w.clock.Now()) })
}

// away does something to the store while nobody has it open.
func (s *server) away(ctx context.Context, do func() error) error {
	if err := s.close(ctx); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	if s.many() {
		for _, n := range s.nodes { // others may have noted less
			n.tenure.Store(0)
			n.forgets()
		}
	}
	if err := do(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.open(ctx)
}
