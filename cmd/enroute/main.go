// Command enroute is the server of Enroute and the tools around it. Only here
// do configuration, stores and the packages that know nothing of each other
// meet.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // a container without a zone database still knows its zones

	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/internal/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGTERM) // supervisors may send it twice
		stop()                         // but who presses Ctrl-C again means it
	})
	m := Main{
		Args: os.Args[1:], Environ: os.Environ(),
		Stdout: os.Stdout, Stderr: os.Stderr,
		Clock: time.Now, Ready: func(string) {},
	}
	os.Exit(m.Run(ctx))
}

// Main is one run of the program: all that a process gets from outside, so
// that tests run the real thing.
type Main struct {
	Args           []string // without the program's name
	Environ        []string // "NAME=value"
	Stdout, Stderr io.Writer
	Clock          func() time.Time
	Ready          func(url string) // called once serve answers requests
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Run does what the arguments ask for and gives the exit code. It returns
// soon after ctx is done.
func (m *Main) Run(ctx context.Context) int {
	if len(m.Args) == 0 {
		m.overview(m.Stderr)
		return exitUsage
	}
	name, args := m.Args[0], m.Args[1:]
	if name == "help" || name == "-h" || name == "--help" {
		m.overview(m.Stdout)
		return exitOK
	}
	for _, c := range m.commands() {
		if c.name == name {
			return m.outcome(c.run(ctx, args))
		}
	}
	fmt.Fprintf(m.Stderr, "enroute: there is no command %q; `enroute help` lists them\n", name)
	return exitUsage
}

// usageError is a mistake in the arguments.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// outcome tells an error and gives the exit code for it.
func (m *Main) outcome(err error) int {
	var usage usageError
	var wrong *config.Error
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage), errors.As(err, &wrong):
		fmt.Fprintf(m.Stderr, "enroute: %v\n", err)
		return exitUsage
	}
	var refusal *fault.Error
	if errors.As(err, &refusal) && refusal.Code != fault.Internal {
		fmt.Fprintf(m.Stderr, "enroute: %s\n", refusal.Detail("en"))
		for _, f := range refusal.Fields {
			fmt.Fprintf(m.Stderr, "  %s: %s\n", f.Field, f.Detail("en"))
		}
		return exitFailed
	}
	fmt.Fprintf(m.Stderr, "enroute: %v\n", err)
	return exitFailed
}

// command is one subcommand.
type command struct {
	name, about string
	run         func(ctx context.Context, args []string) error
}

func (m *Main) commands() []command {
	return []command{
		{"serve", "serve phones, consoles and integrations", m.serve},
		{"workspace", "create a workspace for another company", m.workspace},
		{"import", "read clients from a file", m.importClients},
		{"simulate", "let a fleet of devices work against a running server, and verify", m.simulate},
		{"verify", "replay the journals and compare everything read off them", m.verify},
		{"backup", "write all workspaces into a file, while servers run", m.backup},
		{"restore", "put the workspaces of a backup back", m.restore},
		{"migrate", "copy all workspaces from a folder to a database, or back", m.migrate},
		{"bench", "measure this machine", m.bench},
		{"health", "ask a running server whether it is ready", m.health},
	}
}

func (m *Main) overview(w io.Writer) {
	fmt.Fprint(w, "Enroute: dispatch and field service for phones that are often offline.\n\nUsage: enroute COMMAND [flags]\n\n")
	for _, c := range m.commands() {
		fmt.Fprintf(w, "  %-10s  %s\n", c.name, c.about)
	}
	fmt.Fprint(w, "\n`enroute COMMAND --help` lists the flags of a command.\n")
}
