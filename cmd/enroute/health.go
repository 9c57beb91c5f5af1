package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const healthTimeout = 5 * time.Second

// health asks a running server whether it takes requests. Containers call it.
func (m *Main) health(ctx context.Context, args []string) error {
	f := m.flags("health [flags]", "Asks a running server whether it is ready; the exit code says so.", "listen")
	url := f.String("url", "", "base `URL` of the server, instead of the listen address on this machine")
	cfg, _, err := f.parse(args, 0)
	if err != nil {
		return err
	}
	base := *url
	if base == "" {
		base = "http://" + local(cfg.Listen)
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := ready(ctx, base); err != nil {
		return err
	}
	fmt.Fprintln(m.Stdout, "ready")
	return nil
}

// ready asks base's /readyz.
func ready(ctx context.Context, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", base, err)
	}
	req.Close = true // one question, and no connection left behind
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("not reachable: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing depends on it
	if res.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // the status says enough
		return fmt.Errorf("%s is not ready: %s %s", base, res.Status, why)
	}
	return nil
}

// local is how this machine reaches a listen address: an unspecified host
// means every interface, the loopback one among them.
func local(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
