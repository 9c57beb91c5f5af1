package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/sync/simulate"
)

// longestShrinking bounds what a failing run takes to cut down its history.
const longestShrinking = 5 * time.Minute

// report fails the test with the whole history, and keeps the shortest one
// that fails in the same way.
func report(t *testing.T, err error, sabotage simulate.Sabotage) {
	t.Helper()
	t.Error(simulate.Explain(err))
	if v, ok := errors.AsType[*simulate.Violation](err); ok {
		t.Log("again, whole: " + again(v))
		keep(t, v, sabotage, kept)
	}
}

// again is the command that plays the history of a violation.
func again(v *simulate.Violation) string {
	test := map[simulate.Store]string{simulate.SQLite: "", simulate.Backups: "WithBackups", simulate.MongoDB: "OnMongo"}[v.Store]
	if v.Nodes > 1 {
		test += "OfThreeNodes"
	}
	return fmt.Sprintf("SIMULATE_FIRST=%d SIMULATE_SEEDS=1 SIMULATE_STEPS=%d go test -count=1 -run '^TestHistories%s$' ./sync/simulate", v.Seed, len(v.Taken), test)
}

// keep cuts a failing history down and writes it into a folder.
func keep(t *testing.T, v *simulate.Violation, sabotage simulate.Sabotage, folderOfCases string) (simulate.Case, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longestShrinking)
	defer cancel()
	c, err := simulate.Shrink(ctx, simulate.CaseOf(v, sabotage), folder(t))
	if err != nil {
		t.Errorf("shrink: %v", err)
	}
	path, err := c.Save(folderOfCases)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d steps are kept in %s; again: go test -count=1 -run 'TestKeptHistories/%s' ./sync/simulate", len(c.Steps), len(v.Taken), path, filepath.Base(path))
	return c, path
}

// lengths of histories, so that some are short and some are long.
func lengths(seed uint64) int { return []int{50, 150, 300, 300, 600, 1200}[seed%6] }

// Histories of fresh seeds are played for as long as SIMULATE_FOR says, or
// until an interrupt; a failing one is kept. Without it there are three.
func TestUntilStopped(t *testing.T) {
	t.Parallel()
	h := simulate.Hunt{First: 999_996, Seeds: 3, Steps: lengths, Workers: 1, Dir: folder(t)}
	ctx := t.Context()
	if long := os.Getenv("SIMULATE_FOR"); long != "" {
		var stop context.CancelFunc
		ctx, stop = scheduled(t, long)
		defer stop()
		h.First, h.Seeds, h.Nodes = uint64(size(t, "FIRST", fresh())), 0, size(t, "NODES", 1)
		h.Workers, h.Tell = runtime.GOMAXPROCS(0), every(t, 100)
	}
	t.Logf("the first seed is %d", h.First)
	played, total, err := h.Run(ctx)
	t.Logf("%d histories: %v", played, total)
	if err != nil {
		report(t, err, "")
	}
	if err == nil && total.Compared == 0 {
		t.Error("nothing was compared")
	}
}

// fresh is a seed that follows from the time.
func fresh() int {
	n, _ := strconv.Atoi(time.Now().UTC().Format("200601021504")) // digits only
	return n * 10_000
}

// scheduled ends after the given time, or at an interrupt.
func scheduled(t *testing.T, long string) (context.Context, context.CancelFunc) {
	t.Helper()
	d, err := time.ParseDuration(long)
	if err != nil {
		t.Fatalf("SIMULATE_FOR: %v", err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, func() { cancel(); stop() }
}

// A hunt without an end ends with its context, after the history under way.
func TestHuntStops(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	h := simulate.Hunt{First: 1, Steps: always(10), Dir: folder(t), Tell: func(played int, _ simulate.Report) {
		if played == 2 {
			stop()
		}
	}}
	if played, _, err := h.Run(ctx); played != 2 || err != nil {
		t.Errorf("played %d: %v", played, err)
	}
}

// A failing history is found, cut down and kept, and fails again when it is
// played from the file, for want of the rule and nothing else.
func TestAFailureIsKept(t *testing.T) {
	t.Parallel()
	h := simulate.Hunt{First: 1, Steps: lengths, Workers: 2, Dir: folder(t), Sabotage: simulate.NoOutcomes}
	_, _, err := h.Run(t.Context())
	v, ok := errors.AsType[*simulate.Violation](err)
	if !ok {
		t.Fatalf("nothing found: %v", err)
	}
	short, path := keep(t, v, h.Sabotage, t.TempDir())
	loaded, err := simulate.LoadCase(path)
	if err != nil || fmt.Sprint(loaded) != fmt.Sprint(short) {
		t.Fatalf("loaded %v: %v", loaded, err)
	}
	if len(short.Steps) >= len(v.Taken) || !strings.HasPrefix(filepath.Base(path), "without-outcomes") {
		t.Errorf("%d of %d steps are kept in %s", len(short.Steps), len(v.Taken), path)
	}
	needsItsRule(t, loaded)
	for i := range loaded.Steps { // each is needed
		fewer := loaded
		fewer.Steps = slices.Delete(slices.Clone(loaded.Steps), i, i+1)
		if v, err := fewer.Play(t.Context(), folder(t)); err != nil || v != nil {
			t.Errorf("without step %v: %v %v", loaded.Steps[i], v, err)
		}
	}
}
