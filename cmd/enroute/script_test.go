package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestScripts runs testdata/*.txt. A line "> enroute …" runs the program;
// what follows, up to the next one, is its exit code, what it prints and, each
// line after "! ", what it complains of. $DATA is a folder of the script's
// own; a random password shows as <password>, a time in the log as <time>, and
// the number of lists that verify compared, which grows with the fields, as <n>.
//
// `UPDATE=1 go test ./cmd/enroute -run TestScripts` writes what is printed
// now; read the difference before you keep it.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want), t.TempDir())
			if updating() {
				err = os.WriteFile(path, got, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !updating() && !bytes.Equal(got, want) {
				t.Errorf("%s: it printed\n%s\nwant\n%s", path, got, want)
			}
		})
	}
}

func updating() bool { return os.Getenv("UPDATE") != "" }

// play runs the commands of a script and gives the script as it turned out.
func play(t *testing.T, script, data string) []byte {
	t.Helper()
	var out bytes.Buffer
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "#") {
			out.WriteString(line)
		}
		command, ok := strings.CutPrefix(line, "> enroute")
		if !ok {
			continue
		}
		args := strings.Fields(strings.ReplaceAll(command, "$DATA", data))
		stdout, stderr, code := run(t, args...)
		fmt.Fprintf(&out, "%sexit %d\n%s", line, code, stdout)
		for complaint := range strings.Lines(stderr) {
			out.WriteString("! " + complaint)
		}
	}
	return steady(out.Bytes(), data)
}

// steady replaces what differs from run to run.
func steady(b []byte, data string) []byte {
	b = bytes.ReplaceAll(b, []byte(data), []byte("$DATA"))
	b = regexp.MustCompile(`\b[A-Z2-7]{26}\b`).ReplaceAll(b, []byte("<password>"))
	b = regexp.MustCompile(`\d+ lists`).ReplaceAll(b, []byte("<n> lists"))
	return regexp.MustCompile(`time=\S+`).ReplaceAll(b, []byte("time=<time>"))
}
