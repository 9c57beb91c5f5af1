package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/mongo"
	"github.com/enroute-field/enroute/sync"
)

// opener is a depot without copies.
type opener interface {
	Open(ctx context.Context, registry *sync.Registry) (sync.Store, error)
	Close(ctx context.Context) error
}

// database of a MongoDB server.
type database struct {
	uri  string
	drop func(context.Context) error
}

// Open implements depot.
func (d *database) Open(ctx context.Context, registry *sync.Registry) (sync.Store, error) {
	return mongo.Open(ctx, d.uri, registry, mongo.Options{})
}

// Close implements depot.
func (d *database) Close(ctx context.Context) error { return d.drop(ctx) }

// archived is a depot whose copies are backups: a restore tells the journal.
type archived struct {
	opener
	registry *sync.Registry // of who opened it last
	copies   map[int][]byte
}

// Open implements depot.
func (a *archived) Open(ctx context.Context, registry *sync.Registry) (sync.Store, error) {
	a.registry = registry
	return a.opener.Open(ctx, registry)
}

// Copy implements depot.
func (a *archived) Copy(ctx context.Context, n int, now time.Time) error {
	return a.with(ctx, func(store sync.Store) error {
		var file bytes.Buffer
		_, err := archive.Backup(ctx, store, &file, now)
		a.copies[n] = file.Bytes()
		return err
	})
}

// PutBack implements depot.
func (a *archived) PutBack(ctx context.Context, n int, _ bool, now time.Time) error {
	return a.with(ctx, func(store sync.Store) error {
		_, err := archive.Restore(ctx, store, bytes.NewReader(a.copies[n]), archive.RestoreOptions{Replace: true, Now: now})
		return err
	})
}

func (a *archived) with(ctx context.Context, do func(sync.Store) error) error {
	store, err := a.Open(ctx, a.registry)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	return errors.Join(do(store), store.Close())
}
