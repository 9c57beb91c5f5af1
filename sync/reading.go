package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// bodySource reads the bodies that a workspace's state names: from the cache,
// else from the store's documents, else from the journal.
type bodySource struct {
	workspace string
	number    uint32 // the workspace's in the cache
	store     Store
	cache     *bodyCache
	log       *slog.Logger
}

var _ bodies = bodySource{}

// version of the document at exactly this rev.
func (b bodySource) version(ctx context.Context, w wanted) (*Version, error) {
	var out [1]*Version
	if b.cache.get(b.number, []wanted{w}, out[:]) == 0 {
		return out[0], nil
	}
	rows, err := b.documents(ctx, []Key{w.key})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", w.key, err)
	}
	if len(rows) == 1 && rows[0].Key == w.key && rows[0].Rev == w.rev {
		b.cache.put(b.number, w.doc, &rows[0])
		return &rows[0], nil
	}
	return b.fromJournal(ctx, w.key, w.rev)
}

// documents gives the current versions of those keys of which the store has
// one. Damaged ones are none: the journal has them too.
func (b bodySource) documents(ctx context.Context, keys []Key) ([]Version, error) {
	rows, err := b.store.Documents(ctx, b.workspace, keys)
	if errors.Is(err, ErrDamaged) {
		b.log.Error("documents are damaged; reading them from the journal", "workspace", b.workspace, "err", err)
		return nil, nil
	}
	return rows, err
}

// fromJournal finds the version in the commit that made it.
func (b bodySource) fromJournal(ctx context.Context, key Key, rev uint64) (*Version, error) {
	var out *Version
	err := b.store.Journal(ctx, b.workspace, rev, rev, func(c *Commit) error {
		for i := range c.Changes {
			if c.Changes[i].Key == key {
				out = &c.Changes[i]
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s@%d from the journal: %w", key, rev, err)
	}
	if out == nil {
		return nil, fmt.Errorf("read %s@%d from the journal: %w", key, rev, ErrMissing)
	}
	return out, nil
}

// wanted is a version to read; the zero rev is none.
type wanted struct {
	doc uint32 // the document's number
	key Key
	rev uint64
}

// versions reads many at once, in the order asked for. moved is the index of
// the first one of which the store has a newer version: the state has gone on
// since.
func (b bodySource) versions(ctx context.Context, want []wanted) (out []*Version, moved int, err error) {
	out = make([]*Version, len(want))
	moved = len(want)
	missed := b.cache.get(b.number, want, out)
	if missed == 0 {
		return out, moved, nil
	}
	missing := make([]Key, 0, missed)
	at := make(map[Key]int, missed)
	for i, w := range want {
		if out[i] == nil {
			missing = append(missing, w.key)
			at[w.key] = i
		}
	}
	rows, err := b.documents(ctx, missing)
	if err != nil {
		return nil, 0, fmt.Errorf("read %d documents: %w", len(missing), err)
	}
	for j := range rows {
		row := &rows[j]
		i, asked := at[row.Key]
		switch {
		case !asked: // an index is damaged: what was asked for is in the journal
		case row.Rev == want[i].rev:
			b.cache.put(b.number, want[i].doc, row)
			out[i] = row
		case row.Rev > want[i].rev:
			moved = min(moved, i)
		}
	}
	for _, i := range at {
		if out[i] == nil && i < moved {
			if out[i], err = b.fromJournal(ctx, want[i].key, want[i].rev); err != nil {
				return nil, 0, err
			}
		}
	}
	return out, moved, nil
}
