package cluster

import (
	"context"
	"crypto/rand"
	"errors"
)

// beat renews the node's entry, or makes a new one where the old is gone.
func (c *Cluster) beat(ctx context.Context) {
	var err error
	if c.entered() {
		err = c.renew(ctx)
	} else {
		err = c.enter(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	c.failed.Add(1)
	c.o.Logger.Warn("the beat of this node failed", "err", err)
}

func (c *Cluster) entered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.ID != ""
}

// enter makes an entry. After an attempt that failed, which may have had its
// effect, the next one is made under another name; nobody counts up the beat
// of the first, so others bury it.
func (c *Cluster) enter(ctx context.Context) error {
	n := Node{ID: rand.Text(), Address: c.o.Address, Term: c.o.Term, Beat: 1}
	since := c.o.clock()
	if err := c.write(ctx, n); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.self = n
	if c.left {
		return ErrLeft
	}
	c.belief.Store(&belief{node: n.ID, since: since})
	c.o.Logger.Info("joined the cluster", "node", n.ID, "address", n.Address)
	return nil
}

// errBuried: the entry is gone.
var errBuried = errors.New("the entry of this node is gone")

func (c *Cluster) write(ctx context.Context, n Node) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.beatTimeout())
	defer cancel()
	ok, err := c.o.Ledger.Beat(ctx, n)
	if err == nil && !ok {
		return errBuried
	}
	return err
}

// renew counts the beat up. A number whose writing failed is left out: had it
// had its effect, rivals would be counting from there.
func (c *Cluster) renew(ctx context.Context) error {
	c.mu.Lock()
	c.self.Beat++
	n := c.self
	c.mu.Unlock()
	since := c.o.clock()
	err := c.write(ctx, n)
	if errors.Is(err, errBuried) {
		c.buried(n.ID)
		return c.enter(ctx)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left {
		c.belief.Store(&belief{node: n.ID, since: since})
	}
	return nil
}

// buried ends all that this node believed under its old name.
func (c *Cluster) buried(name string) {
	c.mu.Lock()
	c.self = Node{}
	delete(c.sightings, name)
	c.belief.Store(nil)
	var lost []string
	c.seats.Range(func(workspace, _ any) bool {
		lost = append(lost, workspace.(string))
		return true
	})
	c.seats.Clear()
	c.mu.Unlock()
	c.o.Logger.Warn("this node was taken for dead", "node", name, "lost", len(lost))
	c.tell(c.o.Lost, lost...)
}
