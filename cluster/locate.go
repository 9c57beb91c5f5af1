package cluster

import (
	"context"
	"errors"
	"fmt"
)

// Errors of Locate. Any other is one of the ledger. All may pass.
var (
	// ErrAway: a node has the workspace to which no requests can be sent, as a
	// tool that works on it, or the process that was this node before and died.
	ErrAway = errors.New("the workspace is in the hands of a node that takes no requests")
	// ErrUncertain: this node does not know at the moment whether it is one.
	ErrUncertain = errors.New("this node has no entry among the nodes that it could rely on")
	errContended = errors.New("the seat of the workspace changes all the time")
)

// location is where a workspace is served that is not served here.
type location struct {
	node, address string
	since         instant
}

// maxLocations bounds the memory for locations.
const maxLocations = 10_000

// flight is what is being done about one workspace's seat: one thing at a
// time, however many ask for it.
type flight struct {
	done    chan struct{}
	what    errand
	address string // set before done, as is err
	err     error
}

// errand is what a flight is for.
type errand int

const (
	releasing errand = iota
	locating
	claiming // does what locating does, and makes a seat where there is no workspace
)

// Locate gives the address of the node that serves the workspace; "": this
// one does, or there is no such workspace. It takes a seat that is free or a
// dead node's. ErrAway and ErrUncertain may pass, as may failures of the ledger.
func (c *Cluster) Locate(ctx context.Context, workspace string) (address string, err error) {
	return c.find(ctx, workspace, locating)
}

// Claim is Locate also for a workspace that does not exist yet: who is told
// "" may make it.
func (c *Cluster) Claim(ctx context.Context, workspace string) (address string, err error) {
	return c.find(ctx, workspace, claiming)
}

func (c *Cluster) find(ctx context.Context, workspace string, what errand) (string, error) {
	for {
		if c.Held(workspace) {
			return "", nil
		}
		if address, known := c.known(workspace); known {
			return address, nil
		}
		f, _, err := c.fly(workspace, what, func(ctx context.Context) (string, error) {
			return c.resolve(ctx, workspace, what)
		})
		if err != nil {
			return "", err
		}
		if err := f.wait(ctx); err != nil {
			return "", fmt.Errorf("locate the workspace: %w", err)
		}
		if f.what >= what {
			return f.address, f.err
		}
	}
}

// Mislaid forgets that the workspace was located at the address.
func (c *Cluster) Mislaid(workspace, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locations[workspace].address == address {
		delete(c.locations, workspace)
	}
}

// Release gives up a workspace that nobody uses here. It is no longer held
// when Lost is called, and free for others after that. An error leaves the
// seat with this node, which takes it up again.
func (c *Cluster) Release(ctx context.Context, workspace string) error {
	for {
		f, begun, err := c.fly(workspace, releasing, func(ctx context.Context) (string, error) {
			return "", c.giveBack(ctx, workspace)
		})
		if err != nil {
			return err
		}
		if err := f.wait(ctx); err != nil {
			return fmt.Errorf("release the workspace: %w", err)
		}
		if begun {
			return f.err
		}
	}
}

// fly begins something about a workspace's seat, unless something is being
// done about it already: then that is given. It goes on when the asker has
// gone, for others who ask.
func (c *Cluster) fly(workspace string, what errand, do func(context.Context) (string, error)) (f *flight, begun bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return nil, false, ErrLeft
	}
	if f := c.flights[workspace]; f != nil {
		return f, false, nil
	}
	f = &flight{done: make(chan struct{}), what: what}
	c.flights[workspace] = f
	c.tasks.Go(func() {
		f.address, f.err = do(c.ctx)
		c.mu.Lock()
		delete(c.flights, workspace)
		c.mu.Unlock()
		close(f.done)
	})
	return f, true, nil
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// known is where the workspace was located lately. A node that is gone since
// is no answer.
func (c *Cluster) known(workspace string) (address string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.locations[workspace]
	if !ok {
		return "", false
	}
	_, stands := c.sightings[l.node]
	if !stands || c.o.clock().atMost(l.since) >= c.o.locationsFor() {
		delete(c.locations, workspace)
		return "", false
	}
	return l.address, true
}

func (c *Cluster) remember(workspace string, n Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.locations) >= maxLocations {
		for w := range c.locations {
			delete(c.locations, w) // any: who asks for it locates it again
			break
		}
	}
	c.locations[workspace] = location{node: n.ID, address: n.Address, since: c.o.clock()}
}

// resolve finds out who serves the workspace and takes the seat if nobody does.
func (c *Cluster) resolve(ctx context.Context, workspace string, what errand) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	const tries = 4
	for range tries {
		seat, err := c.o.Ledger.Seat(ctx, workspace)
		if err != nil {
			return "", fmt.Errorf("read the seat: %w", err)
		}
		address, done, err := c.settle(ctx, seat, what)
		if done || err != nil {
			return address, err
		}
	}
	return "", errContended
}

// settle decides what a seat means for this node. Not done: it has changed.
func (c *Cluster) settle(ctx context.Context, seat Seat, what errand) (address string, done bool, err error) {
	b := c.belief.Load()
	switch {
	case b != nil && b.node == seat.Node:
		if held, ok := c.seat(seat.Workspace); ok && held == seat {
			return "", true, nil // and Held says whether that still counts
		}
	case seat.Turn == 0 && what != claiming:
		if there, err := c.exists(ctx, seat.Workspace); err != nil || !there {
			return "", true, err // whoever looks for it here finds that it is not
		}
	case seat.Node != "":
		n, stands, err := c.node(ctx, seat.Node)
		if err != nil {
			return "", false, err
		}
		if stands {
			return c.elsewhere(seat.Workspace, n)
		}
	}
	done, err = c.take(ctx, b, seat)
	return "", done, err
}

func (c *Cluster) exists(ctx context.Context, workspace string) (bool, error) {
	if c.o.Exists == nil {
		return true, nil
	}
	there, err := c.o.Exists(ctx, workspace)
	if err != nil {
		return false, fmt.Errorf("look for the workspace: %w", err)
	}
	return there, nil
}

// node finds an entry, among those read now, after the seat that names it.
func (c *Cluster) node(ctx context.Context, id string) (n Node, stands bool, err error) {
	nodes, err := c.look(ctx)
	if err != nil {
		return Node{}, false, fmt.Errorf("read the nodes: %w", err)
	}
	n, stands = nodes[id]
	return n, stands, nil
}

func (c *Cluster) elsewhere(workspace string, n Node) (address string, done bool, err error) {
	if n.Address == "" || n.Address == c.o.Address { // its own: of the process before this one
		return "", true, ErrAway
	}
	c.remember(workspace, n)
	return n.Address, true, nil
}

// take makes the seat this node's. False: it is another's by now.
func (c *Cluster) take(ctx context.Context, b *belief, was Seat) (bool, error) {
	if b == nil || c.believed() == nil {
		return false, ErrUncertain
	}
	seat := Seat{Workspace: was.Workspace, Node: b.node, Turn: was.Turn + 1}
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	done, err := c.o.Ledger.Swap(ctx, was, seat)
	if err != nil {
		return false, fmt.Errorf("take the seat: %w", err)
	}
	return done && c.hold(seat), nil
}

// hold begins the belief in a seat that was taken; not if the node was buried
// in the meantime.
func (c *Cluster) hold(seat Seat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.belief.Load()
	if b == nil || b.node != seat.Node {
		return false
	}
	c.seats.Store(seat.Workspace, seat)
	delete(c.locations, seat.Workspace)
	return true
}

// giveBack makes the seat nobody's.
func (c *Cluster) giveBack(ctx context.Context, workspace string) error {
	was, ok := c.seat(workspace)
	if !ok {
		return nil
	}
	c.seats.Delete(workspace)
	c.call(ctx, c.o.Lost, workspace)
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	if _, err := c.o.Ledger.Swap(ctx, was, Seat{Workspace: workspace, Turn: was.Turn + 1}); err != nil {
		return fmt.Errorf("give the seat back: %w", err)
	}
	return nil
}
