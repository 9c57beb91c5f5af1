package sync

import "sync"

// bodyCache keeps the newest versions of documents, of all workspaces, up to
// a number of bytes. What has not been used since the hand last came by goes
// first ("clock"): marking an entry as used costs next to nothing, and a page
// takes all its bodies under one lock.
type bodyCache struct {
	mu    sync.Mutex
	limit int64
	size  int64
	at    map[bodyKey]uint32 // index into slots
	slots []cachedBody
	free  []uint32 // slots without a version
	hand  uint32
}

// bodyKey is a document by the numbers of its workspace, given by the engine,
// and of itself, given by the state.
type bodyKey uint64

func newBodyKey(workspace, doc uint32) bodyKey {
	return bodyKey(workspace)<<32 | bodyKey(doc)
}

func (k bodyKey) workspace() uint32 { return uint32(k >> 32) }

type cachedBody struct {
	version *Version // nil: the slot is free
	key     bodyKey
	used    bool // since the hand came by
}

// cost of an entry: its bytes and what the cache adds.
func (c *cachedBody) cost() int64 {
	return int64(len(c.version.Body)+len(c.version.Marks)+len(c.version.ID)+len(c.version.Scope)) + 256
}

func newBodyCache(limit int64) *bodyCache {
	return &bodyCache{limit: limit, at: map[bodyKey]uint32{}}
}

// get puts into out the wanted versions that are there, each at its index, and
// gives the number of those that are not.
func (c *bodyCache) get(workspace uint32, want []wanted, out []*Version) (missing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range want {
		n, ok := c.at[newBodyKey(workspace, want[i].doc)]
		if !ok || c.slots[n].version.Rev != want[i].rev || c.slots[n].version.Key != want[i].key {
			missing++ // the key: numbers are another's in another history
			continue
		}
		c.slots[n].used = true
		out[i] = c.slots[n].version
	}
	return missing
}

// put keeps a copy of v, unless a newer version is there: v itself may lie
// among thousands of others, which would all stay in memory with it.
func (c *bodyCache) put(workspace, doc uint32, v *Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := *v
	entry := cachedBody{version: &kept, key: newBodyKey(workspace, doc)}
	if n, ok := c.at[entry.key]; ok {
		if c.slots[n].version.Rev > v.Rev {
			return
		}
		c.drop(n)
	}
	if entry.cost() > c.limit {
		return
	}
	c.size += entry.cost()
	for c.size > c.limit {
		c.evict()
	}
	n := c.slot()
	c.slots[n] = entry
	c.at[entry.key] = n
}

// slot gives a free one.
func (c *bodyCache) slot() uint32 {
	if last := len(c.free) - 1; last >= 0 {
		n := c.free[last]
		c.free = c.free[:last]
		return n
	}
	c.slots = append(c.slots, cachedBody{})
	return uint32(len(c.slots) - 1)
}

// evict moves the hand on to an entry that was not used, and drops it.
func (c *bodyCache) evict() {
	for {
		c.hand = (c.hand + 1) % uint32(len(c.slots))
		s := &c.slots[c.hand]
		if s.version != nil && !s.used {
			c.drop(c.hand)
			return
		}
		s.used = false
	}
}

// forget a workspace's versions: its history turned out to be another one.
func (c *bodyCache) forget(workspace uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, n := range c.at {
		if k.workspace() == workspace {
			c.drop(n)
		}
	}
}

func (c *bodyCache) drop(n uint32) {
	s := &c.slots[n]
	delete(c.at, s.key)
	c.size -= s.cost()
	*s = cachedBody{}
	c.free = append(c.free, n)
}
