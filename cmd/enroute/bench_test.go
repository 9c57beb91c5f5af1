package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/enroute-field/enroute/store/mongotest"
)

// TestBenchMeasures runs the measurement in its small size: every process is
// started, every scenario does what it says, and nothing is left over. The
// figures mean nothing here.
func TestBenchMeasures(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "enroute")
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	var out, progress bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "bench", "--small")
	cmd.Stdout, cmd.Stderr = &out, &progress
	temporary := t.TempDir()
	cmd.Env = append(cmd.Environ(), "TMPDIR="+temporary, "ENROUTE_STORE="+mongotest.URI())
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, row := range benchRows() {
		if !regexp.MustCompile(row).Match(out.Bytes()) {
			t.Errorf("%s is not in:\n%s", row, out.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// benchRows are the figures that are promised, as patterns.
func benchRows() []string {
	const number, verdict = `\d+(\.\d+)?`, `(met|\*\*missed\*\*) \|`
	judged := func(scenario, what, target, unit string) string {
		return `\| ` + scenario + ` \| ` + what + ` \| ` + target + unit + ` \| ` + number + unit + ` \|  \| ` + verdict
	}
	told := func(scenario, what, unit string) string {
		return `\| ` + scenario + ` \| ` + what + ` \|  \| ` + number + unit + ` \|  \|  \|`
	}
	return []string{
		`\d cores.*; 1 rounds`, `Before: load .*p99\)`, `After: load .*p99\)`, `busy with something else.*: nothing-new .* nodes`,
		judged("nothing-new", `pulls a second.*`, `≥ 0.85`, ``),
		judged("nothing-new", `processor time.*`, `≤ 0.0200`, ` s`),
		judged("delta", `pulls of 10 changed documents.*`, `≥ 0.60`, ``),
		judged("first", `.* 1200 documents in pages of 1000, as devices ask`, `≤ 40.0`, ` ms`),
		judged("first", `.* 1200 documents in pages of 5000`, `≤ 40.0`, ` ms`),
		judged("first", `first pulls of 40 documents: documents a second`, `≥ 124000`, ``),
		judged("push", `documents a second, durable`, `≥ 10000`, ``),
		told("push", `rows of \d+ bytes a second.*SQLite alone`, ``),
		told("push", `commits that lists and search had yet to follow.*`, ``),
		told("push", `until they had`, ` s`),
		judged("live", `.* 20 streams, seen by 1 to 3: p99`, `≤ 10.00`, ` ms`),
		told("live", `.* 20 streams, seen by all: p99`, ` ms`),
		told("live", `4 KiB forced to disk.*: p99`, ` ms`),
		judged("streams", `60 streams.*memory.*`, `≤ 1074`, ` MB`),
		judged("move", `20 clients.*since its answer`, `≤ 0.100`, ` s`),
		judged("move", `20 clients.*since it was sent`, `≤ 0.300`, ` s`),
		judged("memory", `memory.*200 documents`, `≤ 60`, ` MB`),
		judged("growth", `800 documents.*first pull answered`, `≤ 5.00`, ` s`),
		told("growth", `processor time until then`, ` s`),
		judged("growth", `nothing new: 800 documents to 400, processor time.*`, `≤ 1.20`, ``),
		judged("growth", `10 changed documents: 800 documents to 400, processor time.*`, `≤ 1.20`, ``),
		judged("growth", `memory.*800 documents`, `≤ 600`, ` MB`),
		told("workspaces", `first request.*after the start: p50`, ` ms`),
		told("workspaces", `pulls of random workspaces a second.*`, ``),
		told("workspaces", `5 workspaces of 20 documents in memory`, ` MB`),
		told("workspaces", `5 workspaces of 20 documents .* after the last request.*`, ` MB`),
		told("workspaces", `first request.*left memory: p99`, ` ms`),
		told("nodes", `documents a second, durable, to one workspace: SQLite`, ``),
		told("nodes", `documents a second, durable, to one workspace: one node`, ``),
		told("nodes", `documents a second, durable, to 4 workspaces: three nodes`, ``),
		told("nodes", `.* 20 streams: three nodes, written there, followed at another: p50`, ` ms`),
		`\| pull, nothing new: three nodes, asked at the one that serves \| \d+ \|`,
		`\| pull, nothing new: three nodes, asked at another \| \d+ \|`,
		`\| pull, nothing new \| \d+ \| \d+ \| \d+\.\d\d \|`,
		`\| pull, 10 changed documents \| \d+ \| \d+ \| \d+\.\d\d \|`,
		`\| push, 10 documents a request \| \d+ \|`,
	}
}
