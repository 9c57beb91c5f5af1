package sync

import (
	"container/list"
	"sync"
)

// bodyCache keeps the newest versions of documents, of all workspaces, up to
// a number of bytes; the least recently used go first.
type bodyCache struct {
	mu    sync.Mutex
	limit int64
	size  int64
	byKey map[bodyKey]*list.Element
	used  list.List // of *cachedBody, most recently used first
}

type bodyKey struct {
	workspace string
	key       Key
}

type cachedBody struct {
	key     bodyKey
	version *Version
}

// cost of an entry: its bytes and what the cache adds.
func (c *cachedBody) cost() int64 {
	return int64(len(c.version.Body)+len(c.version.Marks)+len(c.version.ID)+len(c.version.Scope)) + 256
}

func newBodyCache(limit int64) *bodyCache {
	return &bodyCache{limit: limit, byKey: map[bodyKey]*list.Element{}}
}

// get the version of key if it has rev.
func (c *bodyCache) get(workspace string, key Key, rev uint64) *Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[bodyKey{workspace, key}]
	if e == nil {
		return nil
	}
	v := e.Value.(*cachedBody).version
	if v.Rev != rev {
		return nil
	}
	c.used.MoveToFront(e)
	return v
}

// put keeps a copy of v, unless a newer version is there: v itself may lie
// among thousands of others, which would all stay in memory with it.
func (c *bodyCache) put(workspace string, v *Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := bodyKey{workspace, v.Key}
	if e := c.byKey[k]; e != nil {
		if e.Value.(*cachedBody).version.Rev > v.Rev {
			return
		}
		c.drop(e)
	}
	kept := *v
	entry := &cachedBody{k, &kept}
	c.byKey[k] = c.used.PushFront(entry)
	c.size += entry.cost()
	for c.size > c.limit && c.used.Len() > 0 {
		c.drop(c.used.Back())
	}
}

// forget a workspace's versions: its history turned out to be another one.
func (c *bodyCache) forget(workspace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, e := range c.byKey {
		if k.workspace == workspace {
			c.drop(e)
		}
	}
}

func (c *bodyCache) drop(e *list.Element) {
	entry := e.Value.(*cachedBody)
	c.used.Remove(e)
	delete(c.byKey, entry.key)
	c.size -= entry.cost()
}
