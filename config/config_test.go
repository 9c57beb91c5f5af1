package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/config"
)

// load runs the whole way from arguments to a configuration.
func load(t *testing.T, args, environ []string) (*config.Config, []string, error) {
	t.Helper()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	l := config.Bind(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return l.Load(environ)
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNothingSaidIsTheDefault(t *testing.T) {
	t.Parallel()
	got, warnings, err := load(t, nil, []string{"PATH=/bin", "HOME=/"})
	if err != nil || !reflect.DeepEqual(*got, config.Default()) || len(warnings) != 0 {
		t.Fatalf("got %+v, %v, %v", got, warnings, err)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "enroute.json", `{"listen":"127.0.0.1:1","data":"file","log-level":"warn","log-format":"json"}`)
	got, _, err := load(t,
		[]string{"--config", file, "--listen=127.0.0.1:3"},
		[]string{"ENROUTE_LISTEN=127.0.0.1:2", "ENROUTE_DATA=env"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Listen = "127.0.0.1:3"    // flag over environment and file
	want.Data = "env"              // environment over file
	want.LogLevel = slog.LevelWarn // file over default
	want.LogFormat = "json"        // file over default
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
}

func TestFileNamedByTheEnvironment(t *testing.T) {
	t.Parallel()
	file := write(t, "enroute.json", `{"demo":true,"sign-in-failures":3,"body-cache":"1GiB"}`)
	got, _, err := load(t, nil, []string{"ENROUTE_CONFIG=" + file})
	if err != nil || !got.Demo || got.SignInFailures != 3 || got.BodyCache != 1<<30 {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestEveryForm(t *testing.T) {
	t.Parallel()
	got, _, err := load(t, []string{
		"--listen", ":0", "--data", "d", "--store", "mongodb://u:p@db/enroute", "--advertise", "http://10.0.0.1:8080/", "--lease-term", "3s",
		"--public-url", "https://field.example/", "--log-level", "DEBUG",
		"--log-format", "json", "--body-cache", "512KiB", "--idle-after", "0", "--token-lifetime", "30d",
		"--sign-in-failures", "5", "--sign-in-address-failures", "6", "--sign-in-failure-window", "1h30m",
		"--trusted-proxies", "10.1.2.3/8, ::1", "--shutdown-grace", "3s", "--demo", "--demo-password", "twelve chars",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Listen: ":0", Data: "d", Store: "mongodb://u:p@db/enroute", Advertise: "http://10.0.0.1:8080", LeaseTerm: 3 * time.Second,
		PublicURL: "https://field.example", LogLevel: slog.LevelDebug,
		LogFormat: "json", BodyCache: 512 << 10, TokenLifetime: 30 * 24 * time.Hour,
		SignInFailures: 5, SignInAddressFailures: 6, SignInFailureWindow: 90 * time.Minute,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		ShutdownGrace:  3 * time.Second, Demo: true, DemoPassword: "twelve chars",
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %#v\nwant %#v", *got, want)
	}
}

func TestWrongValuesNameFieldValueAndPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value string }{
		{"listen", "8080"}, {"listen", "127.0.0.1:http"}, {"listen", "127.0.0.1:70000"},
		{"data", ""},
		{"public-url", "field.example"}, {"public-url", "ftp://x"}, {"public-url", "https://x/?q=1"}, {"public-url", "https://a:b@x"},
		{"advertise", "10.0.0.1:8080"}, {"advertise", "http://10.0.0.1/x"}, {"lease-term", "999ms"}, {"lease-term", "soon"},
		{"log-level", "loud"}, {"log-format", "xml"},
		{"body-cache", "16MB"}, {"body-cache", "-1"}, {"body-cache", "9999999999GiB"},
		{"idle-after", "soon"}, {"idle-after", "-1s"}, {"token-lifetime", "1s"}, {"token-lifetime", "99999999d"},
		{"sign-in-failures", "0"}, {"sign-in-address-failures", "many"}, {"sign-in-failure-window", "0"},
		{"trusted-proxies", "proxy.example"}, {"trusted-proxies", "10.0.0.0/33"},
		{"shutdown-grace", "-1d"}, {"demo", "perhaps"},
	} {
		variable := "ENROUTE_" + strings.ToUpper(strings.ReplaceAll(c.name, "-", "_"))
		file := write(t, "enroute.json", fmt.Sprintf("{%q:%q}", c.name, c.value))
		for source, given := range map[string]struct{ args, env []string }{
			"--" + c.name: {args: []string{"--" + c.name + "=" + c.value}},
			variable:      {env: []string{variable + "=" + c.value}},
			file:          {args: []string{"--config", file}},
		} {
			_, _, err := load(t, given.args, given.env)
			var e *config.Error
			if !errors.As(err, &e) {
				t.Errorf("%s=%q from %s: accepted", c.name, c.value, source)
				continue
			}
			if e.Field != c.name || e.Value != c.value || e.Source != source || e.Why == "" {
				t.Errorf("%s=%q from %s: %+v", c.name, c.value, source, e)
			}
		}
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, []string{"--log-level=loud"}, []string{"ENROUTE_LISTEN=nowhere"})
	for _, want := range []string{`log-level (--log-level) = "loud"`, `listen (ENROUTE_LISTEN) = "nowhere"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"unknown key": `{"lissten":"127.0.0.1:1"}`,
		"no object":   `[1]`,
		"two values":  `{} {}`,
		"nested":      `{"log":{"level":"info"}}`,
		"null":        `{"data":null}`,
		"not JSON":    `listen = here`,
		"cut off":     `{"listen":`,
	} {
		_, _, err := load(t, []string{"--config", write(t, "enroute.json", content)}, nil)
		var e *config.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, _, err := load(t, []string{"--config", "/does/not/exist"}, nil); err == nil {
		t.Error("a file that is not there was accepted")
	}
}

func TestUnknownVariablesAreWarnedAbout(t *testing.T) {
	t.Parallel()
	_, warnings, err := load(t, nil, []string{"ENROUTE_LISSTEN=x", "ENROUTE_DATA=d", "OTHER=y"})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "ENROUTE_LISSTEN") {
		t.Fatalf("got %v, %v", warnings, err)
	}
}

func TestDemoStaysAtHomeWithThePublishedPassword(t *testing.T) {
	t.Parallel()
	for listen, local := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false, "field.example:1": false,
	} {
		_, _, err := load(t, []string{"--demo", "--listen", listen}, nil)
		if (err == nil) != local {
			t.Errorf("%s without a password: %v", listen, err)
		}
		if _, _, err := load(t, []string{"--demo", "--listen", listen}, []string{"ENROUTE_DEMO_PASSWORD=long enough to pass"}); err != nil {
			t.Errorf("%s with a password: %v", listen, err)
		}
		if _, _, err := load(t, []string{"--listen", listen}, nil); err != nil {
			t.Errorf("%s without the demo: %v", listen, err)
		}
	}
	for _, short := range []string{"short", "éééééééé"} { // 16 bytes
		if _, _, err := load(t, []string{"--demo", "--demo-password=" + short}, nil); err == nil {
			t.Errorf("the password %s, which is too short to sign in with, was accepted", short)
		}
	}
}

// TestAddressForOtherNodes: a node that could not be found is not started.
func TestAddressForOtherNodes(t *testing.T) {
	t.Parallel()
	store := "ENROUTE_STORE=mongodb://db.example/enroute"
	for listen, found := range map[string]bool{
		"127.0.0.1:1": true, "10.0.0.1:1": true, "field.example:1": true, "[::1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false,
	} {
		_, _, err := load(t, []string{"--listen", listen}, []string{store})
		var e *config.Error
		if (err == nil) != found || !found && (!errors.As(err, &e) || e.Field != "advertise" || !strings.Contains(e.Why, listen)) {
			t.Errorf("%s: %v", listen, err)
		}
		if _, _, err := load(t, []string{"--listen", listen, "--advertise", "http://10.0.0.1:1"}, []string{store}); err != nil {
			t.Errorf("%s with an address for others: %v", listen, err)
		}
		if _, _, err := load(t, []string{"--listen", listen}, nil); err != nil {
			t.Errorf("%s alone: %v", listen, err)
		}
	}
}

// TestWrongStoreIsRefusedAndNotTold: its address may hold a password.
func TestWrongStoreIsRefusedAndNotTold(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, []string{"--store", "postgres://u:swordfish@db/x"}, nil)
	var e *config.Error
	if !errors.As(err, &e) || e.Field != "store" || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("got %v", err)
	}
}

func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	path := write(t, "secret", "correct horse battery\n")
	got, _, err := load(t, nil, []string{"ENROUTE_DEMO_PASSWORD_FILE=" + path})
	if err != nil || got.DemoPassword.Reveal() != "correct horse battery" {
		t.Fatalf("got %q, %v", got.DemoPassword.Reveal(), err)
	}
	for _, env := range [][]string{
		{"ENROUTE_DEMO_PASSWORD_FILE=" + path, "ENROUTE_DEMO_PASSWORD=correct horse battery"},
		{"ENROUTE_DEMO_PASSWORD_FILE=/does/not/exist"},
	} {
		if _, _, err := load(t, nil, env); err == nil {
			t.Errorf("%v was accepted", env)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	const password = "swordfish-swordfish"
	c, _, err := load(t, []string{"--demo-password", password}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb+verb+verb, c.DemoPassword, *c, c)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("starting", "config", c, "password", c.DemoPassword)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("starting", "config", c, "password", c.DemoPassword)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	_, _, err = load(t, []string{"--demo-password", "swordfish", "--config", write(t, "c", `{"demo-secret":"`+password+`"}`)}, nil)
	fmt.Fprint(&out, err)
	for _, shown := range []string{"swordfish", fmt.Sprintf("%x", password)} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("the secret was printed: %s", out.String())
		}
	}
	if !strings.Contains(out.String(), "(hidden)") {
		t.Error("nothing was printed, so nothing was proven")
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	t.Parallel()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	var help bytes.Buffer
	config.Bind(fs).Help(&help)
	fs.VisitAll(func(f *flag.Flag) {
		variable := "ENROUTE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		for _, want := range []string{"--" + f.Name, variable} {
			if !strings.Contains(help.String(), want) {
				t.Errorf("help does not mention %s", want)
			}
		}
	})
	for _, want := range []string{"ENROUTE_DEMO_PASSWORD_FILE", "(default 127.0.0.1:8080)", "(default 16MiB)", "(default 180d)", "(default 15m)"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("help does not mention %s:\n%s", want, help.String())
		}
	}
}

func TestOnlyBoundSettingsHaveAFlag(t *testing.T) {
	t.Parallel()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	l := config.Bind(fs, "data")
	var help bytes.Buffer
	l.Help(&help)
	if err := fs.Parse([]string{"--listen", ":1"}); err == nil || strings.Contains(help.String(), "--listen") {
		t.Errorf("listen is there: %v\n%s", err, help.String())
	}
}

// TestDocumentation keeps docs/configuration.md true.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), config.Markdown()) {
		t.Errorf("docs/configuration.md needs this table:\n%s", config.Markdown())
	}
}
