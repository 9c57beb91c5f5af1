package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"golang.org/x/sync/errgroup"
)

// audit compares the seats this node holds with the ledger: one that somebody
// else has taken is lost, and one that names this node is its own, though it
// may not have heard that taking it succeeded.
func (c *Cluster) audit(ctx context.Context) {
	b := c.belief.Load()
	if b == nil {
		return
	}
	before := map[string]Seat{}
	c.seats.Range(func(workspace, seat any) bool {
		before[workspace.(string)] = seat.(Seat)
		return true
	})
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	seats, err := c.o.Ledger.SeatsOf(ctx, b.node)
	if err != nil {
		return // the beats fail too, and tell
	}
	for _, s := range seats {
		if before[s.Workspace] == s {
			delete(before, s.Workspace)
		} else if _, taken := c.seat(s.Workspace); !taken {
			c.adopt(s)
		}
	}
	c.stolen(before)
}

// adopt takes up a seat that names this node, unless something is being done
// about it.
func (c *Cluster) adopt(s Seat) {
	_, begun, err := c.fly(s.Workspace, locating, func(ctx context.Context) (string, error) {
		return c.resolve(ctx, s.Workspace, locating)
	})
	if err == nil && begun {
		c.tell(c.o.Taken, s.Workspace)
	}
}

// stolen ends the belief in seats that the ledger does not confirm. One that
// has changed here since is another matter.
func (c *Cluster) stolen(seats map[string]Seat) {
	for workspace, s := range seats {
		if c.seats.CompareAndDelete(workspace, s) {
			c.o.Logger.Warn("a seat was taken away", "workspace", workspace)
			c.tell(c.o.Lost, workspace)
		}
	}
}

// sweeping takes the seats of dead nodes when one has vanished, and looks for
// forgotten ones now and then.
func (c *Cluster) sweeping() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.swept:
		case <-timer.C:
		}
		next := c.o.sweepEvery()
		if !c.sweep(c.ctx) {
			next = c.o.watchEvery()
		}
		timer.Reset(jittered(next))
	}
}

// atOnce is how many seats are taken at the same time.
const atOnce = 8

// sweep takes the dead nodes' seats that fall to this node, and those that the
// others have left since the last sweep. It says whether that is all.
func (c *Cluster) sweep(ctx context.Context) (all bool) {
	orphans, nodes, err := c.orphaned(ctx)
	b := c.believed()
	if err != nil || b == nil {
		return false
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	left := map[Seat]bool{}
	for _, seat := range orphans {
		if !c.orphans[seat] && heir(seat.Workspace, nodes) != b.node {
			left[seat] = true
			continue
		}
		g.Go(func() error {
			c.inherit(b, seat)
			return nil
		})
	}
	_ = g.Wait() // what failed is an orphan still
	c.orphans = left
	return len(orphans) == 0
}

// orphaned are the seats whose node has no entry among those read after them.
func (c *Cluster) orphaned(ctx context.Context) ([]Seat, map[string]Node, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	seats, err := c.o.Ledger.Seats(ctx)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := c.look(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []Seat
	for _, s := range seats {
		if _, stands := nodes[s.Node]; !stands {
			out = append(out, s)
		}
	}
	return out, nodes, nil
}

// inherit takes a dead node's seat, unless somebody asks for it just now.
func (c *Cluster) inherit(b *belief, seat Seat) {
	f, begun, err := c.fly(seat.Workspace, locating, func(ctx context.Context) (string, error) {
		if taken, err := c.take(ctx, b, seat); taken || err != nil {
			return "", err
		}
		return c.resolve(ctx, seat.Workspace, locating) // for those who ask meanwhile
	})
	if err != nil || !begun {
		return
	}
	<-f.done
	if c.Held(seat.Workspace) {
		c.tell(c.o.Taken, seat.Workspace)
	}
}

// heir is the node to which a dead node's seat falls: all survivors compute
// the same, and another dead node's seats fall to others.
func heir(workspace string, nodes map[string]Node) string {
	var best string
	var most uint64
	for id, n := range nodes {
		h := sha256.Sum256([]byte(id + "\x00" + workspace))
		if w := binary.BigEndian.Uint64(h[:]); n.Address != "" && (best == "" || w > most) {
			best, most = id, w
		}
	}
	return best
}
