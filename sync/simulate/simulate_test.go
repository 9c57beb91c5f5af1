package simulate_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/sync"
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

func run(t *testing.T, seed, steps int, sabotage sync.Faults) (simulate.Report, error) {
	t.Helper()
	return simulate.Run(t.Context(), simulate.Config{Seed: uint64(seed), Steps: steps, Dir: folder(t), Sabotage: sabotage})
}

// Whatever happens, every device ends with exactly what its person may see,
// and nothing that was acknowledged is lost or done twice.
func TestHistories(t *testing.T) {
	t.Parallel()
	first := size(t, "FIRST", 1)
	totals := make(chan simulate.Report, 1)
	totals <- simulate.Report{}
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+size(t, "SEEDS", seeds); seed++ {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				report, err := run(t, seed, size(t, "STEPS", 300), sync.Faults{})
				if err != nil {
					t.Fatal(explain(err))
				}
				sum := <-totals
				sum.Add(report)
				totals <- sum
			})
		}
	})
	total := <-totals
	t.Log(total)
	if total.Compared == 0 || total.Merged == 0 {
		t.Error("nothing was compared, or nothing merged")
	}
	for _, kind := range everyKind {
		if total.Faults[kind] == 0 && size(t, "SEEDS", seeds) >= seeds && !t.Failed() {
			t.Errorf("this never happened: %s", kind)
		}
	}
}

// seeds are enough for every kind of trouble to occur.
const seeds = 20

var everyKind = []string{
	"pull request lost", "pull answer lost", "pull answer late", "pull request doubled",
	"push request lost", "push answer lost", "push answer late", "push request doubled",
	"crash", "restart", "eviction", "restored backup", "reset", "new day", "skewed clock",
	"device crash", "device restored", "live", "concurrent requests",
	"old mutation again", "mutation id reused", "foreign cursor", "write again with its key",
	"store Append: fail before", "store Append: fail after", "store Append: unknown done",
	"store Append: unknown undone", "store Append: delay", "store Append: late",
	"store Documents: fail before", "store Journal: fail before", "store Outcomes: fail before",
}

// explain a violation with the history that led to it.
func explain(err error) string {
	if v, ok := errors.AsType[*simulate.Violation](err); ok {
		return err.Error() + "\n" + strings.Join(v.History, "\n")
	}
	return err.Error()
}

// Without one of the rules that hold the whole together, some history shows it.
func TestLeavingOutARuleIsNoticed(t *testing.T) {
	t.Parallel()
	for name, sabotage := range map[string]sync.Faults{
		"departures": {ForgetDepartures: true},
		"intervals":  {ForgetIntervals: true},
		"outcomes":   {ForgetOutcomes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := 1; seed <= 20; seed++ {
				_, err := run(t, seed, 300, sabotage)
				if v, ok := errors.AsType[*simulate.Violation](err); ok {
					t.Logf("noticed: %v", v)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Error("nobody noticed")
		})
	}
}
