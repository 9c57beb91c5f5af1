package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/enroute-field/enroute/store/archive"
)

// backup writes everything into a file.
func (m *Main) backup(ctx context.Context, args []string) (err error) {
	f := m.flags("backup --to FILE [flags]",
		"Writes all workspaces into one file, each as it is at one moment. Servers may run and go on\nwriting meanwhile. The file holds everything, passwords' hashes too: only you may read it.",
		"data", "store", "log-level", "log-format")
	to := f.String("to", "", "`FILE` to make; one that exists is refused")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	if *to == "" {
		return usageError{"--to must name a file"}
	}
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	from, err := placeOf(cfg).read(ctx, cfg, registry, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	contents, err := archive.BackupFile(ctx, from, *to, m.Clock())
	if err != nil {
		return err
	}
	for _, w := range contents.Workspaces {
		fmt.Fprintf(m.Stdout, "workspace %s: %s\n", w.Name, asOf(w))
	}
	info, err := os.Stat(*to)
	if err != nil {
		return fmt.Errorf("look at the backup: %w", err)
	}
	fmt.Fprintf(m.Stdout, "%s has %d bytes\n", *to, info.Size())
	return nil
}

// asOf tells up to where a workspace goes.
func asOf(w archive.Workspace) string {
	return fmt.Sprintf("%d commits, the last of %s", w.Head.Number, w.Head.At.UTC().Format(time.RFC3339))
}
