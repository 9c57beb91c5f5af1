package main

import (
	"bufio"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/demo"
)

// credentials reads what a first start printed.
func credentials(t *testing.T, printed string) (workspace, email, password string) {
	t.Helper()
	m := regexp.MustCompile(`workspace +(\S+)\n +e-mail +(\S+)\n +password +(\S+)`).FindStringSubmatch(printed)
	if m == nil {
		t.Fatalf("no credentials in:\n%s", printed)
	}
	return m[1], m[2], m[3]
}

func TestFirstStartMakesAnAdministrator(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := serve(t, nil, "--data", data)
	workspace, email, password := credentials(t, p.stdout.String())
	token := p.login(workspace, email, password)
	docs := p.pull(token)
	if len(docs["workspaceSettings"]) != 1 || len(docs["employee"]) != 1 || docs["employee"][0]["role"] != "admin" {
		t.Errorf("the administrator sees %v", docs)
	}
	if strings.Contains(p.stderr.String(), password) {
		t.Error("the password is in the log")
	}
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, p.stderr)
	}

	again := serve(t, nil, "--data", data)
	if strings.Contains(again.stdout.String(), "password") {
		t.Errorf("the second start prints a password:\n%s", again.stdout)
	}
	if got := again.pull(token); len(got["employee"]) != 1 {
		t.Errorf("the session of before sees %v", got)
	}
	if code := again.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, again.stderr)
	}
	if out, errs, code := run(t, "verify", "--data", data); code != exitOK || !strings.HasPrefix(out, "workspace main: ") {
		t.Errorf("verify: %d\n%s%s", code, out, errs)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	begun := time.Now()
	p := serve(t, nil, "--demo", "--data", data)
	t.Logf("ready after %s", time.Since(begun))
	for _, want := range []string{p.url, "tech1@demo.example", demo.Password, "curl"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("the welcome does not mention %s", want)
		}
	}
	all := p.pull(p.login(demo.Workspace, "dispatcher@demo.example", demo.Password))
	own := p.pull(p.login(demo.Workspace, "tech1@demo.example", demo.Password))
	if len(all["client"]) != 300 {
		t.Errorf("the dispatcher sees %d clients", len(all["client"]))
	}
	if n := len(own["client"]); n == 0 || n >= 300 {
		t.Errorf("a technician sees %d clients", n)
	}
	if p.end() != exitOK {
		t.Errorf("it did not end well:\n%s", p.stderr)
	}
	again := serve(t, nil, "--demo", "--data", data, "--demo-password", "another long one")
	if said := again.stdout.String(); !strings.Contains(said, "goes on with what it held") || strings.Contains(said, "the one you gave") {
		t.Errorf("the second start, whose password comes too late, says:\n%s", said)
	}
	if again.end() != exitOK {
		t.Errorf("it did not end well:\n%s", again.stderr)
	}
}

// TestDemoIsNotOpenedWithThePublishedPassword: a folder that was seeded on
// this machine alone must not be served to others with the same password.
func TestDemoIsNotOpenedWithThePublishedPassword(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if code := serve(t, nil, "--demo", "--data", data).end(); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, flags := range [][]string{{"--demo", "--demo-password", "another long one"}, nil} {
		_, errs, code := run(t, append([]string{"serve", "--data", data, "--listen", "0.0.0.0:0"}, flags...)...)
		if code != exitFailed || !strings.Contains(errs, "published password") {
			t.Errorf("with %q: exit code %d:\n%s", flags, code, errs)
		}
	}
}

// TestPortThatIsTaken: a first start that cannot listen makes nothing. Else
// nobody would ever hear the administrator's password.
func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	other := serve(t, nil, "--data", t.TempDir())
	data := t.TempDir()
	_, errs, code := run(t, "serve", "--data", data, "--listen", strings.TrimPrefix(other.url, "http://"))
	if code != exitFailed || !strings.Contains(errs, "address already in use") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
	p := serve(t, nil, "--data", data)
	p.login(credentials(t, p.stdout.String()))
	for _, p := range []*program{p, other} {
		if p.end() != exitOK {
			t.Errorf("it did not end well:\n%s", p.stderr)
		}
	}
}

func TestOneServerPerFolder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := serve(t, nil, "--data", data)
	for _, args := range [][]string{
		{"serve", "--data", data, "--listen", "127.0.0.1:0"},
		{"workspace", "create", "other", "--data", data},
		{"verify", "--data", data},
	} {
		_, errs, code := run(t, args...)
		if code != exitFailed || !strings.Contains(errs, data) {
			t.Errorf("%s: exit code %d, %s", args[0], code, errs)
		}
	}
	if p.end() != exitOK {
		t.Errorf("it did not end well:\n%s", p.stderr)
	}
}

func TestWorkspaceCreate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	out, errs, code := run(t, "workspace", "create", "plombier", "--data", data,
		"--name", "Plomberie Tremblay", "--admin-email", "chef@tremblay.example", "--time-zone", "Europe/Paris")
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, errs)
	}
	workspace, email, password := credentials(t, out)
	if workspace != "plombier" || email != "chef@tremblay.example" {
		t.Errorf("it says %s, %s", workspace, email)
	}
	if _, errs, code := run(t, "workspace", "create", "plombier", "--data", data); code != exitFailed || !strings.Contains(errs, "plombier") {
		t.Errorf("created twice: %d, %s", code, errs)
	}
	p := serve(t, nil, "--data", data)
	if strings.Contains(p.stdout.String(), "first start") {
		t.Errorf("another first workspace was made:\n%s", p.stdout)
	}
	settings := p.pull(p.login(workspace, email, password))["workspaceSettings"]
	if len(settings) != 1 || settings[0]["name"] != "Plomberie Tremblay" || settings[0]["timeZone"] != "Europe/Paris" {
		t.Errorf("the settings are %v", settings)
	}
	if p.end() != exitOK {
		t.Errorf("it did not end well:\n%s", p.stderr)
	}
}

// TestStopEndsOpenStreams: a console that follows live must not keep a server
// from stopping.
func TestStopEndsOpenStreams(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, "--data", t.TempDir(), "--shutdown-grace", "30s")
	workspace, email, password := credentials(t, p.stdout.String())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/sync/live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.login(workspace, email, password))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	stream := bufio.NewScanner(res.Body)
	stream.Buffer(nil, 1<<20)
	for stream.Scan() && !strings.HasPrefix(stream.Text(), "data: ") {
		continue
	}
	begun := time.Now()
	if code := p.end(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, p.stderr)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the stop took %s, as if it had waited for the stream", took)
	}
	for stream.Scan() {
		continue
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, "--data", t.TempDir())
	if out, errs, code := run(t, "health", "--url", p.url); code != exitOK || out != "ready\n" {
		t.Errorf("health of a running server: %d, %s%s", code, out, errs)
	}
	if out, errs, code := run(t, "health", "--listen", strings.TrimPrefix(p.url, "http://")); code != exitOK {
		t.Errorf("health by listen address: %d, %s%s", code, out, errs)
	}
	p.end()
	if _, _, code := run(t, "health", "--url", p.url); code != exitFailed {
		t.Errorf("health of a stopped server: %d", code)
	}
}

func TestListenAddressAsThisMachineReachesIt(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		":8080": "127.0.0.1:8080", "0.0.0.0:1": "127.0.0.1:1", "[::]:2": "127.0.0.1:2",
		"127.0.0.1:3": "127.0.0.1:3", "[::1]:4": "[::1]:4", "field.example:5": "field.example:5",
	} {
		if got := local(listen); got != want {
			t.Errorf("%s is reached as %s, want %s", listen, got, want)
		}
	}
}
