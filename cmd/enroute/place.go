package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// place is where workspaces are kept: a data folder or a MongoDB database.
type place struct{ folder, uri string }

// placeOf is what the settings name.
func placeOf(cfg *config.Config) place {
	if cfg.Store != "" {
		return place{uri: cfg.Store.Reveal()}
	}
	return place{folder: cfg.Data}
}

// placeNamed is what a text names: the address of a database, or a folder.
func placeNamed(text string) place {
	if scheme, _, ok := strings.Cut(text, "://"); ok && strings.HasPrefix(strings.ToLower(scheme), "mongodb") {
		return place{uri: text}
	}
	return place{folder: text}
}

// settings that name the place.
func (p place) settings(cfg *config.Config) *config.Config {
	here := *cfg
	here.Data, here.Store = p.folder, config.Secret(p.uri)
	return &here
}

// String names the place, without the password of a database.
func (p place) String() string {
	if p.uri == "" {
		return p.folder
	}
	u, err := url.Parse(p.uri)
	if err != nil {
		return "the database"
	}
	return fmt.Sprintf("database %s at %s", cmp.Or(strings.Trim(u.Path, "/"), "enroute"), u.Host)
}

func (p place) file() string { return filepath.Join(p.folder, database) }

// there says why not, if there is nothing to read in a folder. Opening it
// would make something.
func (p place) there() error {
	if p.uri != "" {
		return nil
	}
	if _, err := os.Stat(p.file()); err != nil {
		return fmt.Errorf("find the database: %w", err)
	}
	return nil
}

// source is a place to read journals of, while others write to it.
type source interface {
	archive.Source
	io.Closer
}

// read opens the place for that.
func (p place) read(ctx context.Context, cfg *config.Config, registry *sync.Registry, log *slog.Logger) (source, error) {
	if p.uri != "" {
		return openStore(ctx, p.settings(cfg), registry, log, func(error) {})
	}
	return sqlite.OpenReader(ctx, p.file())
}
