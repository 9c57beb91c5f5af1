package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/bench"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/sync"
)

// bench measures this program. "bench bare" and "bench load" are the
// processes it starts beside "serve".
func (m *Main) bench(ctx context.Context, args []string) error {
	if len(args) == 1 {
		switch args[0] {
		case "bare":
			return bench.Bare(ctx, os.Stdin, m.Stdout)
		case "load":
			return bench.Load(ctx, os.Stdin, m.Stdout)
		}
	}
	f := m.flags("bench [flags]",
		"Measures pulls and pushes of a server in a process of its own, beside a bare handler and SQLite\nalone, and prints a table. It needs a quiet machine and takes some minutes.", "log-level", "log-format")
	size := bench.Full()
	small := f.Bool("small", false, "a size that is over in seconds and measures nothing in earnest")
	f.IntVar(&size.Technicians, "technicians", size.Technicians, "`NUMBER` of technicians")
	f.IntVar(&size.Clients, "clients", size.Clients, "`NUMBER` of clients; a multiple of the technicians")
	f.IntVar(&size.Connections, "connections", size.Connections, "`NUMBER` of connections of the load process")
	f.IntVar(&size.Rounds, "rounds", size.Rounds, "`NUMBER` of rounds, the median of which counts")
	f.DurationVar(&size.Duration, "duration", size.Duration, "`DURATION` of one measurement")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	if *small {
		size = bench.Small()
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	rep, err := bench.Run(ctx, bench.Options{Size: size, Self: []string{self}, Open: m.benchFolder(cfg), Progress: m.Stderr})
	if err != nil {
		return err
	}
	fmt.Fprint(m.Stdout, rep.Markdown())
	return nil
}

// benchFolder opens the engine over a folder for filling it.
func (m *Main) benchFolder(cfg *config.Config) func(context.Context, string) (*sync.Engine, *auth.Service, func(context.Context) error, error) {
	return func(ctx context.Context, dir string) (*sync.Engine, *auth.Service, func(context.Context) error, error) {
		c := *cfg
		c.Data = dir
		b, err := openBackend(ctx, &c, time.Now, m.logger(&c))
		if err != nil {
			return nil, nil, nil, err
		}
		return b.engine, b.auth, b.stop, nil
	}
}
