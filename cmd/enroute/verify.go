package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/enroute-field/enroute/sync"
)

// verify replays every journal of a data folder.
func (m *Main) verify(ctx context.Context, args []string) (err error) {
	f := m.flags("verify [flags]",
		"Replays the journals, checks their hash chains, and compares everything that is read off them\nwith what is stored, while no server runs on the data folder. It changes nothing.",
		"data", "log-level", "log-format")
	only := f.String("workspace", "", "`NAME` of the one workspace to verify; otherwise all")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, database)); err != nil {
		return fmt.Errorf("find the database: %w", err) // opening it would make one
	}
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	store, err := openStore(ctx, cfg, registry, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	names := []string{*only}
	if *only == "" {
		if names, err = store.Workspaces(ctx); err != nil {
			return fmt.Errorf("list workspaces: %w", err)
		}
	}
	return m.verifyAll(ctx, store, registry, names)
}

func (m *Main) verifyAll(ctx context.Context, store sync.Store, registry *sync.Registry, names []string) error {
	var errs []error
	for _, name := range names {
		report, err := sync.Verify(ctx, store, registry, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("workspace %s: %w", name, err))
			continue
		}
		fmt.Fprintf(m.Stdout, "workspace %s: %s\n", name, report)
	}
	return errors.Join(errs...)
}
