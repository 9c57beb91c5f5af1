package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/store/mongo"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// database is the file in the data folder.
const database = "enroute.db"

// storage is the store, and what its kind brings along.
type storage struct {
	sync.Store
	ledger cluster.Ledger // nil: no other process has the store
	behind func() uint64  // how many commits lists do not show yet
}

// openStore opens the database that the settings name, and makes it where
// there is none. failed hears of a disk after whose failure only a new start
// helps.
func openStore(ctx context.Context, cfg *config.Config, registry *sync.Registry, log *slog.Logger, failed func(error)) (*storage, error) {
	if cfg.Store != "" {
		return openMongo(ctx, cfg, registry, log)
	}
	return openFolder(ctx, cfg, registry, log, failed)
}

// from says where everything is kept. A store's address may hold a password.
func from(cfg *config.Config) string {
	if cfg.Store != "" {
		return "store"
	}
	return cfg.Data
}

func openMongo(ctx context.Context, cfg *config.Config, registry *sync.Registry, log *slog.Logger) (*storage, error) {
	s, err := mongo.Open(ctx, cfg.Store.Reveal(), registry, mongo.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return &storage{Store: s, ledger: s.Ledger(), behind: s.Behind}, nil
}

// openFolder refuses a folder that another process has open.
func openFolder(ctx context.Context, cfg *config.Config, registry *sync.Registry, log *slog.Logger, failed func(error)) (*storage, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	s, err := sqlite.Open(ctx, filepath.Join(cfg.Data, database), registry, sqlite.Options{Logger: log, Failed: failed})
	if err != nil {
		return nil, fmt.Errorf("open the data folder %s: %w", cfg.Data, err)
	}
	return &storage{Store: s, behind: s.Behind}, nil
}
