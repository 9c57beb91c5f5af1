package main

import (
	"context"
	"fmt"

	"github.com/enroute-field/enroute/internal/fault"
)

// workspace creates one. It works on the data folder itself, which is refused
// while a server has it open.
func (m *Main) workspace(ctx context.Context, args []string) (err error) {
	f := m.flags("workspace create NAME [flags]",
		"Makes a workspace for another company, while no server runs on the data folder.\nNAME is 1 to 64 of a-z, 0-9 and -; it is what people sign in to.",
		"data", "log-level", "log-format")
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
	b, err := openBackend(ctx, cfg, m.Clock, m.logger(cfg))
	if err != nil {
		return err
	}
	defer func() { err = b.stopAfter(ctx, cfg.ShutdownGrace, err) }()
	o.workspace = given[1]
	made, err := b.found(ctx, o)
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
