package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/bench"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/sync"
)

// bench measures this program. With one of the words in benchParts it is one
// of the processes that the measurement starts beside "serve".
func (m *Main) bench(ctx context.Context, args []string) error {
	if len(args) == 1 {
		if part := benchPart(args[0]); part != nil {
			return part(ctx, os.Stdin, m.Stdout)
		}
	}
	o, cfg, err := m.benchOptions(args)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o.Self, o.Open, o.Progress = []string{self}, m.benchFolder(cfg), m.Stderr
	rep, err := bench.Run(ctx, *o)
	if rep != nil { // what was measured before something failed is worth reading
		fmt.Fprint(m.Stdout, rep.Markdown())
	}
	return err
}

func benchPart(name string) func(context.Context, io.Reader, io.Writer) error {
	switch name {
	case "bare":
		return bench.Bare
	case "load":
		return bench.Load
	case "follow":
		return bench.Follow
	case "handover":
		return bench.Handover
	}
	return nil
}

func (m *Main) benchOptions(args []string) (*bench.Options, *config.Config, error) {
	f := m.flags("bench [flags]",
		"Measures a server in a process of its own, beside a bare handler and SQLite alone, and prints\ntables of figures and their targets. It needs a quiet machine and takes some minutes.\nThe scenario nodes is measured if --store names a MongoDB on which databases can be made and dropped.", "store", "log-level", "log-format")
	o := &bench.Options{Size: bench.Full()}
	size := &o.Size
	small := f.Bool("small", false, "every scenario in a size that is over in seconds and measures nothing in earnest")
	f.BoolVar(&o.Scale, "scale", false, "measure the scenarios growth and workspaces too, whose folders take minutes to fill")
	f.Func("only", "measure the scenarios `NAME,…` only: "+strings.Join(bench.Scenarios(), ", "), func(v string) error {
		o.Only = strings.Split(v, ",")
		return nil
	})
	f.StringVar(&o.Keep, "keep", "", "keep the filled data folders in `DIR` for the next run; made by another version, they may be of no use")
	f.IntVar(&size.Technicians, "technicians", size.Technicians, "`NUMBER` of technicians")
	f.IntVar(&size.Clients, "clients", size.Clients, "`NUMBER` of clients; a multiple of the technicians")
	f.IntVar(&size.Streams, "streams", size.Streams, "`NUMBER` of live streams open at once; a multiple of the technicians")
	f.IntVar(&size.Grown[1], "grown", size.Grown[1], "`NUMBER` of documents of the large workspace; a multiple of four times the technicians")
	f.IntVar(&size.Workspaces, "workspaces", size.Workspaces, "`NUMBER` of workspaces of the server with many")
	f.IntVar(&size.Connections, "connections", size.Connections, "`NUMBER` of connections of the load process")
	f.IntVar(&size.Rounds, "rounds", size.Rounds, "`NUMBER` of rounds, the median of which counts")
	f.DurationVar(&size.Duration, "duration", size.Duration, "`DURATION` of one measurement")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return nil, nil, err
	}
	o.Store = cfg.Store.Reveal()
	if *small {
		o.Size, o.Scale = bench.Small(), true
	}
	return o, cfg, nil
}

// benchFolder opens the engine over a folder for filling it.
func (m *Main) benchFolder(cfg *config.Config) bench.Opener {
	return func(ctx context.Context, dir string) (*sync.Engine, *auth.Service, func(context.Context) error, error) {
		c := *cfg
		c.Data, c.Store = dir, ""
		b, err := openBackend(ctx, &c, tool, time.Now, m.logger(&c))
		if err != nil {
			return nil, nil, nil, err
		}
		return b.engine, b.auth, b.stop, nil
	}
}
