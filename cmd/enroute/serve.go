package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/web"
)

// serve runs the server until ctx is done, then ends open streams, lets
// requests under way finish within the grace, and closes the store.
func (m *Main) serve(ctx context.Context, args []string) (err error) {
	f := m.flags("serve [flags]",
		"Serves phones, consoles and integrations. The first start on an empty data folder makes the\nworkspace main and an administrator, and says how to sign in. With a store (--store) instead of a\ndata folder any number of nodes serve the same workspaces.")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	log := m.logger(cfg)
	l, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // for the server closes it
	b, err := openBackend(ctx, cfg, advertised(cfg, l), m.Clock, log)
	if err != nil {
		return err
	}
	defer func() { err = b.stopAfter(ctx, cfg.ShutdownGrace, err) }()
	welcome, err := m.prepare(ctx, cfg, b)
	if err != nil {
		return err
	}
	server, err := m.newServer(cfg, b, log)
	if err != nil {
		return err
	}
	b.onStop(server.Stop)
	if err := server.Start(l); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	url := cmp.Or(cfg.PublicURL, "http://"+local(l.Addr().String()))
	log.Info("serving", "url", url, "from", from(cfg), "version", version())
	fmt.Fprint(m.Stdout, welcome(url))
	m.Ready(url)
	serving, served := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer served()
	beside.Go(func() { giveBackMemory(serving, server.Answered, debug.FreeOSMemory) })
	select {
	case <-ctx.Done():
		log.Info("stopping", "grace", cfg.ShutdownGrace)
		return nil
	case <-server.Done():
		return errors.New("the server has stopped accepting connections")
	case err := <-b.failed:
		return err
	}
}

func (m *Main) newServer(cfg *config.Config, b *backend, log *slog.Logger) (*web.Server, error) {
	o := web.Options{
		Engine: b.engine, Registry: b.registry, Auth: b.auth, Logger: log, Clock: m.Clock, Version: version(),
		TrustedProxies: cfg.TrustedProxies, Gauges: b.gauges,
	}
	if b.cluster != nil {
		o.Cluster = b.cluster
	}
	server, err := web.New(o)
	if err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	return server, nil
}

// welcome is what a start tells the person who made it, given the address.
type welcome func(url string) string

// prepare sees to it that there is a workspace to sign in to.
func (m *Main) prepare(ctx context.Context, cfg *config.Config, b *backend) (welcome, error) {
	if cfg.Demo {
		return m.prepareDemo(ctx, cfg, b)
	}
	made, err := b.foundFirst(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the first workspace: %w", err)
	}
	there, err := b.exists(ctx, demo.Workspace)
	if err != nil {
		return nil, fmt.Errorf("look for the demo: %w", err)
	}
	if there && !cfg.Loopback() {
		if err := refusePublished(ctx, b.auth); err != nil {
			return nil, err
		}
	}
	return func(url string) string { return plainWelcome(url, made) }, nil
}

// foundFirst makes the first workspace of an empty store; nil where it is
// none, or where another node makes it.
func (b *backend) foundFirst(ctx context.Context) (made *founded, err error) {
	some := func(ctx context.Context) (bool, error) {
		names, err := b.engine.Workspaces(ctx)
		return len(names) > 0, err
	}
	err = b.unless(ctx, some, firstWorkspace, func(ctx context.Context) (err error) {
		made, err = b.found(ctx, founding{workspace: firstWorkspace})
		return err
	})
	return made, err
}

// firstWorkspace is made by the first start on an empty store.
const firstWorkspace = "main"

func (m *Main) prepareDemo(ctx context.Context, cfg *config.Config, b *backend) (welcome, error) {
	created := false
	seeded := func(ctx context.Context) (bool, error) { return demo.Seeded(ctx, b.engine) }
	err := b.unless(ctx, seeded, demo.Workspace, func(ctx context.Context) (err error) {
		created, err = demo.Seed(ctx, b.engine, b.auth, demo.Options{Password: cfg.DemoPassword.Reveal(), Clock: m.Clock})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("seed the demo: %w", err)
	}
	if !created && !cfg.Loopback() {
		if err := refusePublished(ctx, b.auth); err != nil {
			return nil, err
		}
	}
	return func(url string) string { return demoWelcome(cfg, url, created) }, nil
}

// refusePublished fails if an account of the demo opens with the password that
// everybody can read: the folder may have been seeded on this machine alone.
func refusePublished(ctx context.Context, a *auth.Service) error {
	for _, email := range demo.Emails() {
		open, err := a.Opens(ctx, auth.LoginRequest{Workspace: demo.Workspace, Email: email, Password: demo.Password})
		if err != nil {
			return fmt.Errorf("try the published password: %w", err)
		}
		if open {
			return fmt.Errorf("%s still has the published password: change it, or use another data folder", email)
		}
	}
	return nil
}

// listen on the configured address: before anything else is done, lest a
// first start makes an administrator of whom nobody hears the password.
func listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// advertised is where other nodes reach this one.
func advertised(cfg *config.Config, l net.Listener) string {
	return cmp.Or(cfg.Advertise, "http://"+l.Addr().String())
}

// version of the program, as the Go tool recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
