package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// conditions are what a reader must know of the machine at one moment.
type conditions struct {
	at   time.Time
	load string // of the last 1, 5 and 15 minutes (proc(5), loadavg)
	disk delays // of a block appended and forced to disk, one at a time
}

// probes is how often the disk is tried.
const probes = 200

func observe(dir string) (c conditions, err error) {
	c.at = time.Now()
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return c, fmt.Errorf("read the load: %w", err)
	}
	c.load = strings.Join(strings.Fields(string(raw))[:3], " ")
	took, err := forced(filepath.Join(dir, "probe"), probes, func(int) error { return nil })
	c.disk = delaysOf(took)
	return c, err
}

// instant is a reading of clocks, to know afterwards what else the machine
// was busy with.
type instant struct {
	at   time.Time
	all  time.Duration // processor time of the whole machine, idling apart
	ours time.Duration // of this process and of those it started that have ended
}

func now() (i instant, err error) {
	i.at = time.Now()
	if i.all, err = machineTime(); err != nil {
		return i, fmt.Errorf("read the machine's processor time: %w", err)
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return i, fmt.Errorf("read our processor time: %w", err)
		}
		i.ours += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return i, nil
}

// machineTime adds up the first line of /proc/stat (proc(5)) but for the
// fourth and fifth time, idling, and those after the eighth, which are in the
// first two already.
func machineTime() (sum time.Duration, err error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	times := strings.Fields(line)
	if len(times) < 9 {
		return 0, fmt.Errorf("%q is not as expected", line)
	}
	for i, text := range times[1:9] {
		n, bad := strconv.Atoi(text)
		if err = errors.Join(err, bad); i != 3 && i != 4 {
			sum += time.Duration(n) * time.Second / ticks
		}
	}
	return sum, err
}

// others is how many cores were busy with something else, from one reading to
// the next.
func (i instant) others(next instant) float64 {
	return max((next.all-i.all-(next.ours-i.ours)).Seconds()/next.at.Sub(i.at).Seconds(), 0)
}

func cores() int { return runtime.GOMAXPROCS(0) }
