package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/sync"
)

// migrate takes everything from one place to another.
func (m *Main) migrate(ctx context.Context, args []string) (err error) {
	f := m.flags("migrate --from PLACE --to PLACE [flags]",
		"Copies all workspaces to another place, while no server runs on either, and compares the copy.\nA PLACE is a data folder, or a database as mongodb://host/enroute. Devices go on as if nothing had\nbeen. The place they come from is not changed. A run that was broken off goes on when it is repeated.",
		"lease-term", "log-level", "log-format")
	from := f.String("from", "", "`PLACE` that has the workspaces")
	to := f.String("to", "", "`PLACE` that gets them")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	if *from == "" || *to == "" || *from == *to {
		return usageError{"--from and --to must name two places"}
	}
	if err := placeNamed(*from).there(); err != nil {
		return err
	}
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	source, ctx, err := openAlone(ctx, placeNamed(*from), cfg, registry, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, ctx, err := openAlone(ctx, placeNamed(*to), cfg, registry, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return told(ctx, m.copyAll(ctx, source, target, registry))
}

func (m *Main) copyAll(ctx context.Context, source, target *alone, registry *sync.Registry) error {
	names, err := source.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("list workspaces: %w", err)
	}
	if err := errors.Join(source.claim(ctx, names...), target.claim(ctx, names...)); err != nil {
		return err
	}
	check := func(ctx context.Context, staged string) error { return compared(ctx, target, registry, staged) }
	err = archive.Copy(ctx, source, target, check, func(c archive.Copied) {
		what := "copied and compared"
		if c.Already {
			what = "the same is there already"
		}
		fmt.Fprintf(m.Stdout, "workspace %s: %s: %s\n", c.Name, asOf(c.Workspace), what)
	})
	if exists, ok := errors.AsType[*archive.ExistsError](err); ok {
		return fmt.Errorf("%w in %s, and it is another one", exists, target.place)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "All is in %s now. Serve it from there; %s stays as it was.\n", target.place, source.place)
	return nil
}

// compared replays a history, and compares everything read off it.
func compared(ctx context.Context, store sync.Store, registry *sync.Registry, name string) error {
	v, err := sync.Verify(ctx, store, registry, name)
	if err != nil {
		return err
	}
	if len(v.Problems) > 0 {
		return fmt.Errorf("%d problems, the first: %s", len(v.Problems), v.Problems[0])
	}
	return nil
}
