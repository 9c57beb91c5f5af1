package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
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
	cmd.Env = append(cmd.Environ(), "TMPDIR="+temporary)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	const number = `[1-9]\d*`
	for _, row := range []string{
		`\| pull, nothing new \| ` + number + ` \| ` + number + ` \| \d+\.\d\d \|`,
		`\| pull, 10 changed documents \| ` + number + ` \| ` + number + ` \| \d+\.\d\d \|`,
		`\| push, 10 documents a request \| ` + number + ` \| ` + number + ` \| \d+\.\d\d \|`,
		`durable: ` + number + ` a second; .* grouped inserts: ` + number + ` rows a second`,
		`Memory of the server .*: ` + number + ` MB with 200 documents`,
	} {
		if !regexp.MustCompile(row).Match(out.Bytes()) {
			t.Errorf("%s is not in:\n%s", row, out.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}
