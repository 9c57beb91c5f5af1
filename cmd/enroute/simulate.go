package main

import (
	"context"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/device/fleet"
)

// simulate lets a fleet of devices work against a running server.
func (m *Main) simulate(ctx context.Context, args []string) error {
	f := m.flags("simulate [flags]",
		"Lets technicians' devices and a dispatcher work against a running server, over connections that\nlose and repeat answers, and verifies that each device ends with exactly what its user may see.\nIt changes the workspace: use it on a demo.", "log-level", "log-format")
	o := fleet.Options{Progress: m.Stderr}
	f.StringVar(&o.URL, "url", "http://127.0.0.1:8080", "`URL` of the server")
	f.StringVar(&o.Workspace, "workspace", "demo", "`NAME` of the workspace")
	f.StringVar(&o.Email, "email", "dispatcher@demo.example", "`ADDRESS` of a dispatcher or administrator")
	f.StringVar(&o.Password, "password", "enroute-demo", "`PASSWORD` of that account and of the technicians")
	f.IntVar(&o.Devices, "devices", 200, "`NUMBER` of devices, shared out among the active technicians")
	minutes := f.Float64("minutes", 1, "`MINUTES` of work before the verification")
	f.Uint64Var(&o.Seed, "seed", uint64(m.Clock().UnixNano()), "`NUMBER` that decides what everybody does")
	if _, _, err := f.parse(args, 0); err != nil {
		return err
	}
	if o.Devices < 1 || *minutes <= 0 {
		return usageError{"--devices and --minutes must be positive"}
	}
	o.Duration = time.Duration(*minutes * float64(time.Minute))
	r, err := fleet.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprint(m.Stdout, r)
	return nil
}
