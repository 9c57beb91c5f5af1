package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/enroute-field/enroute/store/archive"
)

// restore puts back what backup wrote.
func (m *Main) restore(ctx context.Context, args []string) (err error) {
	f := m.flags("restore --from FILE [flags]",
		"Puts the workspaces of a backup back, while no server runs on them. Devices notice, load everything\nanew, and send again what the backup does not have. A run that was broken off can be repeated.",
		"data", "store", "lease-term", "log-level", "log-format")
	from := f.String("from", "", "`FILE` that enroute backup has made")
	var o archive.RestoreOptions
	f.StringVar(&o.Only, "workspace", "", "`NAME` of the one workspace to restore; otherwise all of the backup")
	f.BoolVar(&o.Replace, "replace", false, "replace workspaces that exist; what they hold now is gone then")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	if *from == "" {
		return usageError{"--from must name a file"}
	}
	file, err := os.Open(*from)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	names, err := claimed(ctx, file, o.Only) // before a store is made for nothing
	if err != nil {
		return fmt.Errorf("read %s: %w", *from, err)
	}
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	store, ctx, err := openAlone(ctx, placeOf(cfg), cfg, registry, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.claim(ctx, names...); err != nil {
		return err
	}
	o.Now = m.Clock()
	out, err := archive.Restore(ctx, store, file, o)
	if exists, ok := errors.AsType[*archive.ExistsError](err); ok {
		return fmt.Errorf("%w in %s; --replace replaces it, and what it holds now is gone then", exists, store.place)
	}
	if err != nil {
		return told(ctx, err)
	}
	m.tellRestored(out)
	return nil
}

// claimed reads which workspaces a restore is about, and rewinds the file.
func claimed(ctx context.Context, file *os.File, only string) ([]string, error) {
	contents, err := archive.Look(ctx, file)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range contents.Workspaces {
		if only == "" || only == w.Name {
			names = append(names, w.Name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no workspace %s in the backup", only)
	}
	_, err = file.Seek(0, io.SeekStart)
	return names, err
}

func (m *Main) tellRestored(out *archive.Restored) {
	for _, w := range out.Workspaces {
		fmt.Fprintf(m.Stdout, "workspace %s: %s", w.Name, asOf(w.Workspace))
		switch {
		case w.Already:
			fmt.Fprint(m.Stdout, "; it had been restored before")
		case w.Was.Number > 0:
			fmt.Fprintf(m.Stdout, "; it replaces one of %d commits", w.Was.Number)
		}
		fmt.Fprintln(m.Stdout)
	}
	fmt.Fprintf(m.Stdout, "Restored from the backup of %s. Devices load everything anew and send what it does not have.\n",
		out.Made.UTC().Format("2006-01-02 15:04:05 MST"))
}
