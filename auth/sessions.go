package auth

import "sync"

// sessions keeps the sessions in use in memory. Whoever takes one out asks it
// whether it is still current.
type sessions struct {
	mu     sync.Mutex
	byHash *recent[tokenHash, *session]
}

func newSessions(max int) *sessions {
	return &sessions{byHash: newRecent[tokenHash, *session](max)}
}

// get a session; nil if it is not in memory.
func (c *sessions) get(hash tokenHash) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	ses, _ := c.byHash.get(hash)
	return ses
}

// keep a session; nil forgets it.
func (c *sessions) keep(hash tokenHash, ses *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ses == nil {
		c.byHash.drop(hash)
		return
	}
	c.byHash.put(hash, ses)
}
