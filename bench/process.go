package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server of ours in a process of its own.
type process struct {
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	address string // host:port
}

var announced = regexp.MustCompile(`serves http://(\S+)`)

// start runs a command that announces its address on its first line. Of the
// settings that stand in the environment it has those given here only.
func start(ctx context.Context, command []string, stdin any, settings ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 30 * time.Second
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = append(slices.DeleteFunc(p.cmd.Environ(), func(v string) bool { return strings.HasPrefix(v, "ENROUTE_") }), settings...)
	if stdin != nil {
		raw, err := json.Marshal(stdin)
		if err != nil {
			return nil, fmt.Errorf("encode what %s is to know: %w", command, err)
		}
		p.cmd.Stdin = bytes.NewReader(raw)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := announced.FindStringSubmatch(line)
	if err != nil || found == nil {
		return nil, errors.Join(fmt.Errorf("%s announced no address but %q", command, line), err, p.stop())
	}
	p.address = found[1]
	return p, nil
}

// stop asks the process to end and waits for it. One that was asked to end
// and says nothing about it has done well.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already: Wait tells
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, p.stderr.String())
	}
	return nil
}

// ticks per second of the times in /proc/<pid>/stat (USER_HZ, proc(5)).
const ticks = 100

// cpu is the processor time the process has used, in user and kernel mode.
func (p *process) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	// The second field is the name in parentheses; the 14th and 15th are the times.
	rest := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(rest) < 13 {
		return 0, fmt.Errorf("read processor time: %q is not as expected", raw)
	}
	user, errUser := strconv.Atoi(rest[11])
	system, errSystem := strconv.Atoi(rest[12])
	return time.Duration(user+system) * time.Second / ticks, errors.Join(errUser, errSystem)
}

// resident is memory of a process, in bytes.
type resident struct {
	all       int64 // VmRSS, which has the program's own file in it
	anonymous int64 // RssAnon: what the program has asked for
}

// memory is what the process holds of it (proc(5)).
func (p *process) memory() (r resident, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return r, fmt.Errorf("read memory: %w", err)
	}
	for name, into := range map[string]*int64{"VmRSS:": &r.all, "RssAnon:": &r.anonymous} {
		for line := range strings.Lines(string(raw)) {
			v, ok := strings.CutPrefix(line, name)
			if !ok {
				continue
			}
			kb, bad := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			*into, err = kb<<10, errors.Join(err, bad)
		}
	}
	if r.all == 0 && err == nil {
		err = errors.New("no VmRSS in it")
	}
	if err != nil {
		return r, fmt.Errorf("read memory: %w", err)
	}
	return r, nil
}

// sample is one measurement: what the load process saw, and the processor
// time the server used meanwhile.
type sample struct {
	outcome
	cpu time.Duration
}

// cpuPer1000 is processor seconds per 1,000 requests.
func (s sample) cpuPer1000() float64 { return s.cpu.Seconds() / float64(s.Requests) * 1000 }

func (s sample) p50() time.Duration { return s.P50 }
func (s sample) p99() time.Duration { return s.P99 }

// measure lets a load process do a job against the server.
func (p *process) measure(ctx context.Context, self []string, j job) (sample, error) {
	return measure(ctx, self, []*process{p}, j)
}

// measure lets a load process do a job against the first of some servers,
// unless its lanes say otherwise. Processor time is that of all of them.
func measure(ctx context.Context, self []string, all []*process, j job) (s sample, err error) {
	j.Address = all[0].address
	before, err := cpu(all)
	if err != nil {
		return sample{}, err
	}
	if err := work(ctx, self, "load", j, &s.outcome); err != nil {
		return sample{}, err
	}
	after, err := cpu(all)
	s.cpu = after - before
	return s, err
}

// cpu is the processor time that all of them have used.
func cpu(all []*process) (sum time.Duration, err error) {
	for _, p := range all {
		used, bad := p.cpu()
		sum, err = sum+used, errors.Join(err, bad)
	}
	return sum, err
}

// work gives a job to a process of its own and reads the outcome.
func work(ctx context.Context, self []string, part string, job, outcome any) error {
	raw, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("encode the job: %w", err)
	}
	cmd := exec.CommandContext(ctx, self[0], append(self[1:len(self):len(self)], "bench", part)...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), &out, &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s process: %w: %s", part, err, complaint.String())
	}
	if err := json.Unmarshal(out.Bytes(), outcome); err != nil {
		return fmt.Errorf("read the outcome: %w", err)
	}
	return nil
}
