package cluster

import (
	"context"
	"time"
)

// sighting is an entry as this node has seen it.
type sighting struct {
	Node
	silent time.Duration // for how long it was seen with this beat, at least
}

// watch looks at all entries, buries those that stand still, and says when to
// look again: sooner, if another is due by then.
func (c *Cluster) watch(ctx context.Context) time.Duration {
	next := jittered(c.o.watchEvery())
	nodes, err := c.look(ctx)
	if err != nil {
		return next // the beats fail too, and tell
	}
	for _, n := range nodes {
		due := c.due(n)
		if due <= 0 {
			c.bury(ctx, n)
		} else {
			next = min(next, due)
		}
	}
	return next
}

// look reads the entries and notes what is new.
func (c *Cluster) look(ctx context.Context) (map[string]Node, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	nodes, err := c.o.Ledger.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Node, len(nodes))
	c.mu.Lock()
	defer c.mu.Unlock()
	watched := c.watched()
	before := c.sightings
	c.sightings = make(map[string]sighting, len(nodes))
	for _, n := range nodes {
		out[n.ID] = n
		s, known := before[n.ID]
		if known && s.Beat >= n.Beat {
			s.silent += watched
		} else {
			s = sighting{Node: n}
		}
		c.sightings[n.ID] = s
	}
	for id := range before {
		if _, stands := c.sightings[id]; !stands {
			c.vanished()
		}
	}
	return out, nil
}

// watched is the time since the last look that counts as having watched: while
// the ledger could not be read, others may not have been able to write it, and
// all would bury all when it is back.
func (c *Cluster) watched() time.Duration {
	at := c.o.clock()
	defer func() { c.looked = at }()
	return min(at.atLeast(c.looked), c.o.auditEvery())
}

// vanished wakes whoever takes the seats of dead nodes.
func (c *Cluster) vanished() {
	select {
	case c.swept <- struct{}{}:
	default: // it is awake already
	}
}

// due is in how long the entry, as just read, is to be buried. Not this node's
// own: it has others for that.
func (c *Cluster) due(n Node) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, stands := c.sightings[n.ID]
	if !stands || s.Beat != n.Beat || n.ID == c.self.ID {
		return c.o.watchEvery()
	}
	return s.buryAfter() - s.silent
}

func (c *Cluster) bury(ctx context.Context, n Node) {
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	done, err := c.o.Ledger.Bury(ctx, n)
	if err != nil || !done {
		return // the next look tells
	}
	c.o.Logger.Warn("another node is dead", "node", n.ID, "address", n.Address)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sightings, n.ID)
	c.vanished()
}
