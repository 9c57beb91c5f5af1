package sync

import (
	"context"
	"sync"
	"time"
)

// history gives the links and times of a workspace's commits: the newest from
// memory, older ones from the store.
type history struct {
	store     Store
	workspace string

	mu    sync.Mutex
	first uint64 // number of the oldest in links
	links []chainLink
	older map[uint64]chainLink // that were asked for
}

// chainLink is what cursors and clocks need of a commit.
type chainLink struct {
	link uint64
	at   time.Time
}

// keptLinks is how many of the newest commits are known at least, keptOlder
// how many others at most: after a restart every device comes with a cursor
// from before it, and few of them are alike. Each took two queries of the store,
// more than a quarter of the work of a pull that brings ten documents.
const (
	keptLinks = 1 << 16
	keptOlder = 1 << 12
)

// newHistory begins at a head; the zero Head is before the first commit.
func newHistory(store Store, workspace string, head Head) *history {
	h := &history{store: store, workspace: workspace, first: 1, older: map[uint64]chainLink{}}
	if head.Number > 0 {
		h.add(head)
	}
	return h
}

// add the next commit.
func (h *history) add(head Head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.links) == 0 {
		h.first = head.Number
	}
	if len(h.links) >= 2*keptLinks {
		h.links = append([]chainLink(nil), h.links[keptLinks:]...)
		h.first += keptLinks
	}
	h.links = append(h.links, chainLink{head.Hash.Link(), head.At})
}

// at gives the link of commit number; ErrMissing if there is none.
func (h *history) at(ctx context.Context, number uint64) (chainLink, error) {
	if l, ok := h.inMemory(number); ok {
		return l, nil
	}
	var found *chainLink
	err := h.store.Journal(ctx, h.workspace, number, number, func(c *Commit) error {
		found = &chainLink{c.Hash.Link(), c.At}
		return nil
	})
	if err != nil {
		return chainLink{}, err
	}
	if found == nil {
		return chainLink{}, ErrMissing
	}
	h.remember(number, *found)
	return *found, nil
}

func (h *history) remember(number uint64, l chainLink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.older) >= keptOlder {
		clear(h.older)
	}
	h.older[number] = l
}

func (h *history) inMemory(number uint64) (chainLink, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number < h.first || number >= h.first+uint64(len(h.links)) {
		l, ok := h.older[number]
		return l, ok
	}
	return h.links[number-h.first], true
}
