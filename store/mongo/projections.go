package mongo

import (
	"context"
	"errors"
	"log/slog"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/sync"
)

// This file stands in for the projections until branch mlists replaces it.

type journalReader interface {
	commits(ctx context.Context, history string, from, to uint64, yield func(*sync.Commit) error) error
	head(ctx context.Context, history string) (uint64, error)
}

type projections struct{ j journalReader }

func newProjections(_ *driver.Database, _ sync.Indexer, j journalReader, _ *slog.Logger) (*projections, error) {
	return &projections{j}, nil
}

func (p *projections) close() {}

func (p *projections) appended(string, []*sync.Commit) {}

func (p *projections) drop(context.Context, string) error { return nil }

func (p *projections) documents(ctx context.Context, history string, keys []sync.Key) ([]sync.Version, error) {
	now := map[sync.Key]sync.Version{}
	err := p.j.commits(ctx, history, 1, 0, func(c *sync.Commit) error {
		for _, v := range c.Changes {
			now[v.Key] = v
		}
		return nil
	})
	var out []sync.Version
	for _, k := range keys {
		if v, ok := now[k]; ok {
			out = append(out, v)
		}
	}
	return out, err
}

func (p *projections) revisions(ctx context.Context, history string, _ uint64, key sync.Key, before uint64, limit int) ([]uint64, error) {
	var out []uint64
	err := p.j.commits(ctx, history, 1, 0, func(c *sync.Commit) error {
		for _, v := range c.Changes {
			if v.Key == key && (before == 0 || c.Number < before) {
				out = append([]uint64{c.Number}, out...)
			}
		}
		return nil
	})
	return out[:min(len(out), limit)], err
}

func (p *projections) list(context.Context, string, uint64, sync.Query) (sync.Listing, error) {
	return sync.Listing{}, errors.New("lists are not there yet")
}
