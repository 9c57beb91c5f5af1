package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/enroute-field/enroute/config"
)

// flags are those of one command: its own, and the settings it uses.
type flags struct {
	*flag.FlagSet
	about    string
	settings *config.Loader
	m        *Main
}

// flags for a command. synopsis is what follows "enroute" in its usage line.
// The settings are those named, or all if none is.
func (m *Main) flags(synopsis, about string, settings ...string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(synopsis, flag.ContinueOnError), m: m}
	f.settings = config.Bind(f.FlagSet, settings...)
	f.about = about
	f.SetOutput(io.Discard) // outcome tells
	return f
}

// parse the arguments and load the configuration. Exactly as many arguments
// without a flag as the command wants may stand among the flags; they are
// returned.
func (f *flags) parse(args []string, want int) (*config.Config, []string, error) {
	var given []string
	for {
		switch err := f.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			f.help()
			return nil, nil, err
		case err != nil:
			return nil, nil, usageError{err.Error()}
		}
		if f.NArg() == 0 {
			break
		}
		given, args = append(given, f.Arg(0)), f.Args()[1:]
	}
	if len(given) != want {
		return nil, nil, usageError{"usage: enroute " + f.Name()}
	}
	cfg, warnings, err := f.settings.Load(f.m.Environ)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range warnings {
		f.m.logger(cfg).Warn(w)
	}
	return cfg, given, nil
}

func (f *flags) help() {
	fmt.Fprintf(f.m.Stdout, "Usage: enroute %s\n\n%s\n\n", f.Name(), f.about)
	f.VisitAll(func(fl *flag.Flag) {
		if f.settings.Has(fl.Name) {
			return
		}
		form, text := flag.UnquoteUsage(fl)
		fmt.Fprintf(f.m.Stdout, "  --%s\n      %s\n", strings.TrimSpace(fl.Name+" "+form), text)
	})
	f.settings.Help(f.m.Stdout)
}

// logger writes to the error stream as configured.
func (m *Main) logger(cfg *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if strings.EqualFold(cfg.LogFormat, "json") {
		return slog.New(slog.NewJSONHandler(m.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(m.Stderr, o))
}
