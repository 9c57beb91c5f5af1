package main

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDockerfile runs what the Dockerfile runs to build the program, and
// checks that the outcome is what its last stage needs: a file that runs in
// an image with nothing else in it, and that ends well when the container is
// stopped.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	builds := regexp.MustCompile(`(?m)^RUN (.*go build .*)$`).FindAllSubmatch(dockerfile, -1)
	if len(builds) != 1 {
		t.Fatalf("%d lines build the program", len(builds))
	}
	build := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(string(builds[0][1]), "/out/", out+"/"))
	build.Dir = "../.."
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, text)
	}
	binary := filepath.Join(out, "enroute")
	expectStatic(t, binary)
	expectCommands(t, binary, string(dockerfile))
	expectEndsOnSignal(t, binary)
}

// expectStatic fails if the file asks for a loader or a library.
func expectStatic(t *testing.T, binary string) {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has a %s", p.Type)
		}
	}
}

// expectCommands runs with --help each command that the Dockerfile names, and
// finds its settings in the help of serve.
func expectCommands(t *testing.T, binary, dockerfile string) {
	t.Helper()
	help := ""
	for _, command := range []string{"health", "serve"} {
		if !strings.Contains(dockerfile, `"`+command+`"`) {
			t.Errorf("the Dockerfile does not call %s", command)
		}
		text, err := exec.CommandContext(t.Context(), binary, command, "--help").CombinedOutput()
		if err != nil {
			t.Errorf("%s --help: %v\n%s", command, err, text)
		}
		help = string(text)
	}
	for _, m := range regexp.MustCompile(`ENROUTE_[A-Z_]+`).FindAllString(dockerfile, -1) {
		if !strings.Contains(help, m+" ") {
			t.Errorf("the Dockerfile sets %s, which is no setting", m)
		}
	}
}

// expectEndsOnSignal starts the server as a container does and stops it as
// one is stopped.
func expectEndsOnSignal(t *testing.T, binary string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = []string{"ENROUTE_LISTEN=127.0.0.1:0", "ENROUTE_DATA=" + t.TempDir()}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "Enroute serves http://127.0.0.1:") {
		t.Errorf("it begins with %q", lines.Text())
	}
	begun := time.Now()
	for range 2 { // some supervisors tell the process and its group
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	}
	for lines.Scan() { // the rest of the welcome
		continue
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v, %s after SIGTERM", err, time.Since(begun))
	}
}
