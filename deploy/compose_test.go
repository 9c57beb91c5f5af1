package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// deployment is what the files of this folder say.
type deployment struct {
	project *types.Project
	caddy   string // the Caddyfile
	script  string // replica-set.js
	secrets string // a folder that make-secrets has filled
}

// read the deployment, with the files as edit leaves them.
func read(t *testing.T, edit func(name, content string) string) (*deployment, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deploy")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, name := range []string{"compose.yaml", "Caddyfile", "replica-set.js", "make-secrets"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		content[name] = edit(name, string(raw))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content[name]), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	makeSecrets(t, dir)
	o, err := cli.NewProjectOptions([]string{filepath.Join(dir, "compose.yaml")}, cli.WithEnv([]string{"SITE=field.example.com"}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	return &deployment{p, content["Caddyfile"], content["replica-set.js"], filepath.Join(dir, "secrets")}, err
}

// makeSecrets has the shell read the script: a file that was just written
// cannot be executed while another test, about to start a process, has it open.
func makeSecrets(t *testing.T, dir string) {
	t.Helper()
	if text, err := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "make-secrets")).CombinedOutput(); err != nil {
		t.Fatalf("make-secrets: %v\n%s", err, text)
	}
}

func asItIs(_, content string) string { return content }

// TestDeployment: what an operator would miss is there.
func TestDeployment(t *testing.T) {
	t.Parallel()
	d, err := read(t, asItIs)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range d.faults() {
		t.Error(fault)
	}
}

// TestDeploymentFindsWhatIsPlanted: each of these mistakes would be seen only
// when something goes wrong.
func TestDeploymentFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, old, new, want string }{
		"an image without version":   {"compose.yaml", "image: caddy:2.11", "image: caddy", "caddy: image"},
		"the latest image":           {"compose.yaml", "image: mongo:8.0", "image: mongo:latest", "mongo1: image"},
		"a setting that is none":     {"compose.yaml", "ENROUTE_LEASE_TERM", "ENROUTE_LEASE_TIME", "ENROUTE_LEASE_TIME"},
		"a value that is none":       {"compose.yaml", "ENROUTE_LEASE_TERM: 10s", "ENROUTE_LEASE_TERM: ten", "lease-term"},
		"two nodes of one address":   {"compose.yaml", "http://enroute2:8080", "http://enroute1:8080", "enroute2: advertises"},
		"an address of nobody":       {"compose.yaml", "http://enroute3:8080", "http://node3:8080", "enroute3: advertises"},
		"a port nobody listens on":   {"compose.yaml", "http://enroute3:8080", "http://enroute3:80", "enroute3: advertises"},
		"a database that is open":    {"compose.yaml", "volumes: [\"mongo1:/data/db\"", "ports: [\"27017:27017\"]\n    volumes: [\"mongo1:/data/db\"", "mongo1: open"},
		"members of one volume":      {"compose.yaml", "mongo2:/data/db", "mongo1:/data/db", "mongo2: keeps"},
		"data that is not kept":      {"compose.yaml", "\"mongo3:/data/db\", ", "", "mongo3: keeps"},
		"a member without key":       {"compose.yaml", "--keyFile, /tmp/key, ", "", "mongo1: does not ask"},
		"a set of another name":      {"compose.yaml", "--replSet, rs0", "--replSet, rs1", "replica set"},
		"a set not made so":          {"replica-set.js", `_id: "rs0"`, `_id: "rs1"`, "replica set"},
		"a set of two":               {"replica-set.js", "mongo3:27017", "mongo2:27017", "members"},
		"a store of two":             {"make-secrets", ",mongo3:27017", "", "members"},
		"a secret nobody makes":      {"make-secrets", "keep admin-password", "keep password", "admin-password"},
		"secrets nobody can read":    {"make-secrets", "chmod 444", "chmod 400", "cannot be read"},
		"secrets everybody reads":    {"make-secrets", "chmod 700", "chmod 755", "everybody"},
		"a node that stays down":     {"compose.yaml", "restart: unless-stopped\n  # A stop", "# A stop", "enroute1: restart"},
		"too short a stop":           {"compose.yaml", "stop_grace_period: 60s\n  read_only", "stop_grace_period: 10s\n  read_only", "enroute1: is killed"},
		"no health check":            {"compose.yaml", `test: ["CMD", "/enroute", "health"]`, `test: ["NONE"]`, "enroute1: health"},
		"a hasty health check":       {"compose.yaml", "timeout: 6s", "timeout: 1s", "enroute1: health"},
		"nodes before the set":       {"compose.yaml", "replica-set: {condition: service_completed_successfully}", "mongo1: {condition: service_started}", "enroute1: does not wait"},
		"proxies not believed":       {"compose.yaml", "TRUSTED_PROXIES: ${WEB_SUBNET:-172.31.250.0/24}", "TRUSTED_PROXIES: 172.31.0.0/24", "believe"},
		"a balancer that misses one": {"Caddyfile", " enroute3:8080", "", "enroute3"},
		"sticky sessions":            {"Caddyfile", "lb_policy round_robin", "lb_policy ip_hash", "round_robin"},
		"streams that are cut":       {"Caddyfile", "idle 2m", "idle 2m\nwrite 1m", "write"},
		"streams that end":           {"Caddyfile", "dial_timeout 2s\n", "dial_timeout 2s\n}\nstream_timeout 1h\ntransport http {\n", "stream_timeout"},
		"quiet streams cut":          {"Caddyfile", "read_timeout 75s", "read_timeout 15s", "read_timeout"},
		"answers not waited for":     {"Caddyfile", "response_header_timeout 75s", "response_header_timeout 10s", "response_header_timeout"},
		"connections gone stale":     {"Caddyfile", "keepalive 60s", "keepalive 5m", "keepalive"},
		"figures for everybody":      {"Caddyfile", "respond /metrics 404", "", "/metrics"},
		"a node that stops":          {"Caddyfile", "health_uri /readyz", "health_uri /healthz", "/readyz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			planted := false
			d, err := read(t, func(file, content string) string {
				if file != c.file {
					return content
				}
				planted = strings.Contains(content, c.old)
				return strings.ReplaceAll(content, c.old, c.new)
			})
			if !planted {
				t.Fatalf("%s does not have %q", c.file, c.old)
			}
			found := []string{}
			if err != nil {
				found = append(found, err.Error())
			} else {
				found = d.faults()
			}
			if !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("it is not found, only: %s", found)
			}
		})
	}
}

// TestSecretsAreKept: whoever runs make-secrets again still has a database
// that opens.
func TestSecretsAreKept(t *testing.T) {
	t.Parallel()
	d, err := read(t, asItIs)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	for name, s := range d.project.Secrets {
		raw, err := os.ReadFile(s.File)
		if err != nil || len(raw) < 32 {
			t.Fatalf("%s: %d bytes, %v", name, len(raw), err)
		}
		before[name] = string(raw)
	}
	makeSecrets(t, filepath.Dir(d.secrets))
	for name, s := range d.project.Secrets {
		if raw, err := os.ReadFile(s.File); err != nil || string(raw) != before[name] {
			t.Errorf("%s has changed, %v", name, err)
		}
	}
}
