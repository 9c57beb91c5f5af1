package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is the program as a process of its own, which can be killed and
// started again.
type process struct {
	t      *testing.T
	listen string
	args   []string
	env    []string // besides the test's own
	log    *output  // of all its starts
	began  int      // where in it the last start begins
	cmd    *exec.Cmd
	gone   chan struct{} // closed when it has ended
}

// newProcess prepares one that listens on a free address.
func newProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, listen: freeAddress(t), env: env, log: &output{}}
	p.args = append(args, "--listen", p.listen)
	t.Cleanup(p.kill)
	return p
}

// start starts it and waits until it is ready.
func (p *process) start() {
	p.t.Helper()
	err := p.launch()
	if err == nil {
		err = p.ready(p.t.Context())
	}
	if err != nil {
		p.t.Fatalf("it does not start: %v\n%s", err, p.log)
	}
}

// launch starts it and waits for nothing.
func (p *process) launch() error {
	p.began = len(p.log.String())
	p.cmd = exec.Command(os.Args[0], p.args...)
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start the program: %w", err)
	}
	p.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait() // its ProcessState tells
		close(gone)
	}(p.cmd, p.gone)
	return nil
}

// ready waits until it says that it is.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		why := p.asksReady(ctx)
		if why == nil {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("it ended with %d", p.cmd.ProcessState.ExitCode())
		case <-ctx.Done():
			return why
		case <-time.After(20 * time.Millisecond): // asks again until it answers
		}
	}
}

func (p *process) asksReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.listen+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz answers %s", res.Status)
	}
	return nil
}

// alive says whether it was started and has not ended.
func (p *process) alive() bool {
	if p.gone == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// served says whether it came so far, since it was started, that it served.
func (p *process) served() bool { return strings.Contains(p.log.String()[p.began:], "msg=serving") }

// kill ends it as a crash would. It does nothing to one that has ended.
func (p *process) kill() {
	if p.alive() {
		_ = p.cmd.Process.Kill() // it may end by itself meanwhile
		<-p.gone
	}
}

// stop asks it to end, and gives its exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait()
}

// wait gives its exit code when it has ended.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.t.Fatalf("it does not end\n%s", p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // it may end by itself meanwhile

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
