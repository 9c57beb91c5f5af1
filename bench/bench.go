// Package bench measures a server of this program in a process of its own,
// over loopback, and where there is one beside a yardstick of the same machine
// and minute: a bare Fiber handler that sends the same bytes, and SQLite alone
// that stores them. Rounds of all are interleaved, so that a busy moment hits
// each alike, and the median of the rounds counts.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Options of Run.
type Options struct {
	Size Size
	// Scale measures the scenarios of large folders too, which take minutes
	// to fill.
	Scale bool
	// Only, unless empty, names the scenarios to measure.
	Only []string
	// Store, unless "", is the address of a MongoDB on which databases can be
	// made and dropped: the scenario nodes needs one.
	Store string
	// Keep, unless "", is where filled data folders are kept for another run.
	Keep string
	// Self is the command that runs this program: the first word of each
	// process that is measured.
	Self []string
	// Open opens the engine over a data folder, for filling it before the
	// server process takes it over.
	Open Opener
	// Progress is told what is being done.
	Progress io.Writer
}

// scenario is one kind of work that is measured. It puts its figures into the
// report.
type scenario struct {
	name string
	when func(o *Options) bool // unless it is asked for by name
	run  func(r *run, ctx context.Context) error
}

func scenarios() []scenario {
	return []scenario{
		{"nothing-new", always, (*run).nothingNew},
		{"delta", always, (*run).delta},
		{"first", always, (*run).first},
		{"push", always, (*run).push},
		{"live", always, (*run).live},
		{"streams", always, (*run).streams},
		{"move", always, (*run).move},
		{"memory", always, (*run).quiet},
		{"growth", (*Options).large, (*run).growth},
		{"workspaces", (*Options).large, (*run).workspaces},
		{"nodes", (*Options).spread, (*run).nodes},
	}
}

func always(*Options) bool      { return true }
func (o *Options) large() bool  { return o.Scale }
func (o *Options) spread() bool { return o.Store != "" }

// Scenarios are the names that Options.Only may have.
func Scenarios() []string {
	var out []string
	for _, s := range scenarios() {
		out = append(out, s.name)
	}
	return out
}

// chosen are the scenarios that the options ask for.
func (o *Options) chosen() ([]scenario, error) {
	for _, name := range o.Only {
		if !slices.Contains(Scenarios(), name) {
			return nil, fmt.Errorf("there is no scenario %q, only %s", name, strings.Join(Scenarios(), ", "))
		}
	}
	return slices.DeleteFunc(scenarios(), func(s scenario) bool {
		if len(o.Only) > 0 {
			return !slices.Contains(o.Only, s.name)
		}
		return !s.when(o)
	}), nil
}

// run is one run of the measurement.
type run struct {
	Options
	dir   string // of what this run alone needs
	shelf *shelf
	rep   *Report
}

// Run measures and reports. With an error comes the report of what was
// measured before it.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	if err := o.Size.check(); err != nil {
		return nil, err
	}
	chosen, err := o.chosen()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "enroute-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a data folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &run{Options: o, dir: dir, rep: &Report{size: o.Size}}
	r.shelf = &shelf{dir: o.Keep, size: o.Size, open: o.Open, say: r.say}
	if o.Keep == "" {
		r.shelf.dir = dir
	}
	return r.rep, r.all(ctx, chosen)
}

// all scenarios, one after the other.
func (r *run) all(ctx context.Context, chosen []scenario) error {
	c, err := observe(r.dir)
	if err != nil {
		return err
	}
	r.rep.before = c
	for _, s := range chosen {
		r.say("%s", s.name)
		r.rep.scenario = s.name
		began, err := now()
		if err != nil {
			return err
		}
		if err := s.run(r, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := r.rep.spent(began); err != nil {
			return err
		}
	}
	r.rep.after, err = observe(r.dir)
	return err
}

func (r *run) self(args ...string) []string { return append(r.Self[:len(r.Self):len(r.Self)], args...) }

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Progress, format+"\n", args...) }
