package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/web"
)

// serve runs the server until ctx is done, then ends open streams, lets
// requests under way finish within the grace, and closes the data folder.
func (m *Main) serve(ctx context.Context, args []string) (err error) {
	f := m.flags("serve [flags]",
		"Serves phones, consoles and integrations. The first start on an empty data folder makes the\nworkspace main and an administrator, and says how to sign in.")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	log := m.logger(cfg)
	b, err := openBackend(ctx, cfg, m.Clock, log)
	if err != nil {
		return err
	}
	defer func() { err = b.stopAfter(ctx, cfg.ShutdownGrace, err) }()
	welcome, err := m.prepare(ctx, cfg, b)
	if err != nil {
		return err
	}
	server, err := web.New(web.Options{
		Engine: b.engine, Registry: b.registry, Auth: b.auth, Logger: log, Clock: m.Clock, Version: version(),
		TrustedProxies: cfg.TrustedProxies,
		Gauges: func() map[string]float64 {
			return map[string]float64{"lists_behind_commits": float64(b.store.Behind())}
		},
	})
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	b.onStop(server.Stop)
	url, err := listen(ctx, cfg, server)
	if err != nil {
		return err
	}
	log.Info("serving", "url", url, "data", cfg.Data, "version", version())
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

// welcome is what a start tells the person who made it, given the address.
type welcome func(url string) string

// prepare sees to it that there is a workspace to sign in to.
func (m *Main) prepare(ctx context.Context, cfg *config.Config, b *backend) (welcome, error) {
	if cfg.Demo {
		return m.prepareDemo(ctx, cfg, b)
	}
	names, err := b.engine.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, demo.Workspace) && !cfg.Loopback() {
		if err := refusePublished(ctx, b.auth); err != nil {
			return nil, err
		}
	}
	var made *founded
	if len(names) == 0 {
		if made, err = b.found(ctx, founding{workspace: firstWorkspace}); err != nil {
			return nil, fmt.Errorf("make the first workspace: %w", err)
		}
	}
	return func(url string) string { return plainWelcome(url, made) }, nil
}

// firstWorkspace is made by the first start on an empty data folder.
const firstWorkspace = "main"

func (m *Main) prepareDemo(ctx context.Context, cfg *config.Config, b *backend) (welcome, error) {
	created, err := demo.Seed(ctx, b.engine, b.auth, demo.Options{Password: cfg.DemoPassword.Reveal(), Clock: m.Clock})
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
		_, err := a.Login(ctx, auth.LoginRequest{Workspace: demo.Workspace, Email: email, Password: demo.Password})
		if err == nil {
			return fmt.Errorf("%s still has the published password: change it, or use another data folder", email)
		}
		if !fault.Is(err, fault.BadCredentials) {
			return fmt.Errorf("try the published password: %w", err)
		}
	}
	return nil
}

// listen starts the server on the configured address and gives the URL at
// which people reach it.
func listen(ctx context.Context, cfg *config.Config, server *web.Server) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	if err := server.Start(l); err != nil {
		return "", fmt.Errorf("start the server: %w", err)
	}
	if cfg.PublicURL != "" {
		return cfg.PublicURL, nil
	}
	return "http://" + local(l.Addr().String()), nil
}

// version of the program, as the Go tool recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
