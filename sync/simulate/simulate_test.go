package simulate_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/enroute-field/enroute/sync/simulate"
)

// size of the proof: SIMULATE_SEEDS, SIMULATE_STEPS and SIMULATE_FIRST change it.
func size(t *testing.T, name string, normal int) int {
	t.Helper()
	text := os.Getenv("SIMULATE_" + name)
	if text == "" {
		return normal
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SIMULATE_%s: %v", name, err)
	}
	return n
}

// folder in memory if there is one: the simulation is about logic, not disks.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "simulate-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func always(steps int) func(uint64) int { return func(uint64) int { return steps } }

// Whatever happens, every device ends with exactly what its person may see,
// and nothing that was acknowledged is lost or done twice.
func TestHistories(t *testing.T) {
	t.Parallel()
	histories(t, simulate.Hunt{Seeds: 20}, 300, trouble())
}

// Several nodes over one store, one of which holds the workspace's seat, are
// one server: whoever is asked has seen what was acknowledged before, unless
// his seat was stolen and he does not know it yet.
func TestHistoriesOfThreeNodes(t *testing.T) {
	t.Parallel()
	histories(t, simulate.Hunt{Seeds: 20, Nodes: 3}, 100, trouble(), troubleOfMany())
}

// A backup that is restored begins an epoch, and everybody finds into it.
func TestHistoriesWithBackups(t *testing.T) {
	t.Parallel()
	histories(t, simulate.Hunt{Seeds: 10, Store: simulate.Backups}, 60, trouble())
}

// The same over MongoDB, where each step takes ten times as long.
func TestHistoriesOnMongo(t *testing.T) {
	t.Parallel()
	histories(t, simulate.Hunt{Seeds: 20, Store: simulate.MongoDB}, 40, trouble())
}

// And with several nodes, each of which has a connection of its own.
func TestHistoriesOnMongoOfThreeNodes(t *testing.T) {
	t.Parallel()
	histories(t, simulate.Hunt{Seeds: 20, Nodes: 3, Store: simulate.MongoDB}, 40, trouble(), troubleOfMany())
}

// histories are played, of so many steps each.
func histories(t *testing.T, h simulate.Hunt, steps int, all ...demand) {
	t.Helper()
	steps = size(t, "STEPS", steps)
	h.First, h.Seeds, h.Steps = uint64(size(t, "FIRST", 1)), size(t, "SEEDS", h.Seeds), always(steps)
	h.Workers, h.Dir, h.Tell = runtime.GOMAXPROCS(0), folder(t), every(t, 100)
	_, total, err := h.Run(t.Context())
	t.Log(total)
	if err != nil {
		report(t, err, "")
		return
	}
	if total.Compared == 0 || total.Merged == 0 {
		t.Error("nothing was compared, or nothing merged")
	}
	for _, d := range all {
		d.check(t, total, h.Seeds*steps)
	}
}

// demand is what must have occurred after so many steps.
type demand struct {
	steps int
	kinds []string
}

func (d demand) check(t *testing.T, total simulate.Report, steps int) {
	t.Helper()
	for _, kind := range d.kinds {
		if total.Faults[kind] == 0 && steps >= d.steps {
			t.Errorf("this never happened: %s", kind)
		}
	}
}

// every tells after so many histories how far it is.
func every(t *testing.T, n int) func(int, simulate.Report) {
	t.Helper()
	begun := time.Now()
	return func(played int, total simulate.Report) {
		if played%n == 0 {
			t.Logf("%d histories, %d commits, %v", played, total.Commits, time.Since(begun).Round(time.Second))
		}
	}
}

func trouble() demand {
	return demand{6000, []string{
		"pull request lost", "pull answer lost", "pull answer late", "pull request doubled",
		"push request lost", "push answer lost", "push answer late", "push request doubled",
		"crash", "restart", "eviction", "restored backup", "reset", "new day", "skewed clock",
		"device crash", "device restored", "live", "concurrent requests",
		"read during an append", "append lost in a crash",
		"old mutation again", "mutation id reused", "foreign cursor", "write again with its key",
		"store Append: fail before", "store Append: fail after", "store Append: unknown done",
		"store Append: unknown undone", "store Append: delay", "store Append: late",
		"store Documents: fail before", "store Journal: fail before", "store Outcomes: fail before",
		"store List: fail before", "rejections swept",
	}}
}

func troubleOfMany() demand {
	return demand{2000, []string{
		"seat handed over", "seat stolen", "holder died", "stream ended by a handover",
		"append of a robbed holder on its way", "robbed node lags", "read at a robbed node", "sent on to the holder",
		"store Head: fail before",
	}}
}
