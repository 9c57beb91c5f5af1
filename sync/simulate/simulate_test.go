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

func TestHistories(t *testing.T) {
	t.Parallel()
	var total simulate.Report
	first := size(t, "FIRST", 1)
	for seed := first; seed < first+size(t, "SEEDS", 20); seed++ {
		report, err := run(t, seed, size(t, "STEPS", 300), sync.Faults{})
		if v, ok := errors.AsType[*simulate.Violation](err); ok {
			t.Fatalf("%v\n%s", err, strings.Join(v.History, "\n"))
		}
		if err != nil {
			t.Fatal(err)
		}
		total.Add(report)
	}
	t.Log(total)
}
