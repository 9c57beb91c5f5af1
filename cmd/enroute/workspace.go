package main

import (
	"context"
	"fmt"

	"github.com/enroute-field/enroute/internal/fault"
)

// tool is the address of a process that serves nobody.
const tool = ""

// workspace creates one. It works on the store itself: on a data folder only
// while no server has it open, on a database also while nodes serve it.
func (m *Main) workspace(ctx context.Context, args []string) (err error) {
	f := m.flags("workspace create NAME [flags]",
		"Makes a workspace for another company: on a data folder while no server runs on it, on a store\nof several nodes at any time. NAME is 1 to 64 of a-z, 0-9 and -; it is what people sign in to.",
		"data", "store", "log-level", "log-format")
	var o founding
	f.StringVar(&o.name, "name", "", "`NAME` of the company as people see it; otherwise that of the workspace")
	f.StringVar(&o.email, "admin-email", "", "`ADDRESS` the first administrator signs in with; otherwise admin@NAME.example")
	f.StringVar(&o.zone, "time-zone", "", "IANA time `ZONE` of the company, as Europe/Paris; otherwise America/Toronto")
	cfg, given, err := f.parse(args, 2)
	if err != nil {
		return err
	}
	if given[0] != "create" {
		return usageError{"usage: enroute " + f.Name()}
	}
	b, err := openBackend(ctx, cfg, tool, m.Clock, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = b.stopAfter(ctx, cfg.ShutdownGrace, err) }()
	o.workspace = given[1]
	made, err := b.create(ctx, o)
	if fault.Is(err, fault.ValueTaken) {
		return fmt.Errorf("there is a workspace %s already", o.workspace)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "Workspace %s is there. Its administrator signs in with\n%s", made.workspace, made)
	return nil
}

// String is what to sign in with, one line each.
func (f *founded) String() string {
	return fmt.Sprintf("  workspace  %s\n  e-mail     %s\n  password   %s\nThe password is shown this once; please change it.\n",
		f.workspace, f.email, f.password)
}
