package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/sync"
)

// verify replays every journal.
func (m *Main) verify(ctx context.Context, args []string) (err error) {
	f := m.flags("verify [flags]",
		"Replays the journals, checks their hash chains, and compares everything that is read off them\nwith what is stored, while no server runs on the data folder; on a database they may run.\nIt changes nothing.",
		"data", "store", "log-level", "log-format")
	only := f.String("workspace", "", "`NAME` of the one workspace to verify; otherwise all")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	if err := placeOf(cfg).there(); err != nil {
		return err
	}
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	store, err := openStore(ctx, cfg, registry, m.logger(cfg), func(error) {})
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

// verifyAll tells what it finds of each workspace; the error says that
// something is not as it should be.
func (m *Main) verifyAll(ctx context.Context, store sync.Store, registry *sync.Registry, names []string) error {
	damaged := 0
	for _, name := range names {
		v, err := sync.Verify(ctx, store, registry, name)
		if ctx.Err() != nil {
			return err
		}
		if err != nil { // the other workspaces may be whole
			fmt.Fprintf(m.Stdout, "workspace %s: %v\n", name, err)
			damaged++
			continue
		}
		fmt.Fprintf(m.Stdout, "workspace %s: %d commits, %d documents, %d deleted ones, %d outcomes, %d lists %s: %s\n",
			name, v.Commits, v.Documents, v.Deleted, v.Outcomes, v.Lists, checkpoint(v), verdict(v))
		for _, p := range v.Problems {
			fmt.Fprintf(m.Stdout, "  %s\n", p)
		}
		if len(v.Problems) > 0 {
			damaged++
		}
	}
	if damaged > 0 {
		return fmt.Errorf("%d of %d workspaces are not as their journals say", damaged, len(names))
	}
	return nil
}

func checkpoint(v *sync.Verification) string {
	if v.Checkpoint == 0 {
		return "compared (there is no checkpoint)"
	}
	return fmt.Sprintf("and the checkpoint of commit %d compared", v.Checkpoint)
}

func verdict(v *sync.Verification) string {
	switch {
	case len(v.Problems) == 0 && v.Meanwhile > 0:
		return fmt.Sprintf("all as the journal says (%d documents were changed meanwhile, and not looked for in lists)", v.Meanwhile)
	case len(v.Problems) == 0:
		return "all as the journal says"
	}
	return fmt.Sprintf("%d problems", len(v.Problems))
}
