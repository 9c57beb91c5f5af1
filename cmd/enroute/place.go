package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/mongo"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// place is where workspaces are kept: a data folder or a MongoDB database.
type place struct{ folder, uri string }

// placeOf is what the settings name.
func placeOf(cfg *config.Config) place {
	if cfg.Store != "" {
		return place{uri: string(cfg.Store)}
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

// open the store, and make what is missing. A folder that another process has
// open is refused; whether others work on a database is for seats to tell.
func (p place) open(ctx context.Context, registry *sync.Registry, log *slog.Logger) (sync.Store, error) {
	if p.uri != "" {
		return mongo.Open(ctx, p.uri, registry, mongo.Options{Logger: log})
	}
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	s, err := sqlite.Open(ctx, p.file(), registry, sqlite.Options{Logger: log})
	if errors.Is(err, sqlite.ErrInUse) {
		err = fmt.Errorf("%w; stop the server first", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the data folder %s: %w", p.folder, err)
	}
	return s, nil
}

// source is a place to read journals of, while others write to it.
type source interface {
	archive.Source
	io.Closer
}

// read opens the place for that.
func (p place) read(ctx context.Context, registry *sync.Registry, log *slog.Logger) (source, error) {
	if p.uri != "" {
		return p.open(ctx, registry, log)
	}
	return sqlite.OpenReader(ctx, p.file())
}
