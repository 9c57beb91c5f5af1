package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/store/faultdisk"
)

// onDisk gives a program a disk that goes wrong in the way that stands in the
// file of this name, while there is one.
const onDisk = "TEST_ON_DISK"

// spoilDisk puts such a disk under the whole process, for as long as somebody
// holds it.
func spoilDisk(control string) *faultdisk.Disk {
	codes := map[string]map[faultdisk.Kind]int32{
		"full":      {faultdisk.Write: faultdisk.Full},
		"read-only": {faultdisk.Open: faultdisk.NoOpen, faultdisk.Write: faultdisk.ReadOnly, faultdisk.Truncate: faultdisk.ReadOnly},
		"no sync":   {faultdisk.Sync: faultdisk.NoSync},

		"no sync of the data": {faultdisk.Sync: faultdisk.NoSync},
	}
	disk, err := faultdisk.NewDefault(func(op faultdisk.Op) int32 {
		how, err := os.ReadFile(control)
		if err != nil {
			return faultdisk.OK
		}
		if string(how) == "no sync of the data" && filepath.Base(op.Path) != database {
			return faultdisk.OK
		}
		return codes[string(how)][op.Kind]
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return disk
}

// onTroubledDisk starts a server whose disk does what the file control says,
// and signs in.
func onTroubledDisk(t *testing.T) (k *killing, control string) {
	t.Helper()
	control = filepath.Join(t.TempDir(), "trouble")
	return startKilling(t, onDisk+"="+control), control
}

// A server whose disk is full, read-only or does not sync acknowledges
// nothing and says so, goes on answering pulls, and takes pushes again as
// soon as the disk does.
func TestTroubledDisk(t *testing.T) {
	t.Parallel()
	k, control := onTroubledDisk(t)
	before := k.clients()
	for _, how := range []string{"full", "read-only", "no sync"} {
		if !k.push(k.newPush()) {
			t.Fatalf("no push before the disk is %s\n%s", how, k.log)
		}
		if err := os.WriteFile(control, []byte(how), 0o600); err != nil {
			t.Fatal(err)
		}
		k.refuses(how)
		if err := os.Remove(control); err != nil {
			t.Fatal(err)
		}
		k.takes(how)
	}
	k.sendAllAgain()
	if got, want := k.clients(), before+len(k.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
	k.kill()
	if out, errs, code := run(t, "verify", "--data", k.data); code != 0 {
		t.Errorf("verify ends with %d:\n%s%s", code, out, errs)
	}
}

// refuses says whether the server answers as it must while it cannot write.
func (k *killing) refuses(how string) {
	k.t.Helper()
	status, answer := k.status("POST", "/v1/sync/push", k.newPush().body)
	if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"unavailable"`) {
		k.t.Errorf("%s: a push gets %d %s", how, status, answer)
	}
	for path, want := range map[string]int{
		"/v1/sync/pull": http.StatusOK, "/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable,
	} {
		if status, answer := k.status("GET", path, nil); status != want {
			k.t.Errorf("%s: %s gets %d %s", how, path, status, answer)
		}
	}
	if !strings.Contains(k.log.String(), "append failed") {
		k.t.Errorf("%s: the log does not tell:\n%s", how, k.log)
	}
}

// takes says whether the server is ready, and takes the push that it refused.
func (k *killing) takes(how string) {
	k.t.Helper()
	if status, answer := k.status("GET", "/readyz", nil); status != http.StatusOK {
		k.t.Errorf("not ready after the disk was %s: %s", how, answer)
	}
	if !k.push(k.sent[len(k.sent)-1]) {
		k.t.Errorf("no push after the disk was %s\n%s", how, k.log)
	}
}

// A server ends when the disk fails to sync the data file, and the next one
// has all that was acknowledged.
func TestDataFileNotSynced(t *testing.T) {
	t.Parallel()
	k, control := onTroubledDisk(t)
	before := k.clients()
	if err := os.WriteFile(control, []byte("no sync of the data"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.note = strings.Repeat("Sonner deux fois. ", 500)
	for k.push(k.newPush()) && len(k.sent) < 2000 {
	}
	if code := k.wait(); code != exitFailed || !strings.Contains(k.log.String(), "must be started again") {
		t.Fatalf("it ends with %d after %d pushes\n%s", code, len(k.sent), k.log)
	}
	if err := os.Remove(control); err != nil {
		t.Fatal(err)
	}
	k.start()
	k.sendAllAgain()
	if got, want := k.clients(), before+len(k.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
}

// A start on a disk that cannot be written ends, and says why.
func TestStartOnReadOnlyDisk(t *testing.T) {
	t.Parallel()
	control := filepath.Join(t.TempDir(), "trouble")
	if err := os.WriteFile(control, []byte("read-only"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(ctx, os.Args[0], "serve", "--data", data, "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), asProgram+"=1", onDisk+"="+control)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("it ends with %v", err)
	}
	if !strings.Contains(string(out), data) {
		t.Errorf("it does not say where: %s", out)
	}
}
