package cluster

import "time"

// SetClock gives a node clocks of its own.
func (o *Options) SetClock(steady, wall func() time.Time) {
	o.clock = func() instant { return instant{steady: steady(), wall: wall().Round(0)} }
}

// Locations is how many are remembered.
func (c *Cluster) Locations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.locations)
}

// MaxLocations is how many may be.
const MaxLocations = maxLocations

// Name under which the node believes to stand; "": none.
func (c *Cluster) Name() string {
	if b := c.belief.Load(); b != nil {
		return b.node
	}
	return ""
}
