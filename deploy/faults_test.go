package deploy

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/enroute-field/enroute/config"
)

// What is expected of the nodes, by the code of other packages.
const (
	listens       = "8080"           // Dockerfile: ENROUTE_LISTEN
	healthTimeout = 5 * time.Second  // cmd/enroute: how long health asks
	requestTime   = 30 * time.Second // web.Limits.Request
	heartbeat     = 20 * time.Second // web.Limits.Heartbeat
	idle          = 2 * time.Minute  // web.Limits.Idle
	parts         = 5                // of the program that each have a grace when it stops
)

// faults of the deployment, a sentence each.
func (d *deployment) faults() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if n, m := len(d.nodes()), len(d.members()); n != 3 || m != 3 {
		say("there are %d nodes and %d members", n, m)
	}
	for _, s := range d.project.Services {
		d.service(s, say)
	}
	seen := map[string]bool{}
	for _, s := range d.nodes() {
		d.node(s, seen, say)
	}
	for _, s := range d.members() {
		d.member(s, seen, say)
	}
	d.store(say)
	d.secretFiles(say)
	d.balancer(say)
	return out
}

// teller is told of a fault.
type teller func(format string, args ...any)

func (d *deployment) nodes() []types.ServiceConfig {
	return d.services(func(s types.ServiceConfig) bool { return s.Build != nil })
}

func (d *deployment) members() []types.ServiceConfig {
	return d.services(func(s types.ServiceConfig) bool { return slices.Contains(s.Command, "mongod") })
}

// services by name.
func (d *deployment) services(which func(types.ServiceConfig) bool) []types.ServiceConfig {
	var out []types.ServiceConfig
	for _, name := range slices.Sorted(maps.Keys(d.project.Services)) {
		if s := d.project.Services[name]; which(s) {
			out = append(out, s)
		}
	}
	return out
}

// service says what is wrong with any of them.
func (d *deployment) service(s types.ServiceConfig, say teller) {
	if s.Build == nil && !regexp.MustCompile(`:\d+(\.\d+)*$`).MatchString(s.Image) {
		say("%s: image %s has no version", s.Name, s.Image)
	}
	if want := map[bool]string{true: "on-failure", false: "unless-stopped"}[s.Name == "replica-set"]; s.Restart != want {
		say("%s: restart is %q, not %q", s.Name, s.Restart, want)
	}
	if len(s.Ports) > 0 && s.Name != "caddy" {
		say("%s: open to the outside", s.Name)
	}
	for _, ref := range s.Secrets {
		if _, err := os.Stat(d.project.Secrets[ref.Source].File); err != nil {
			say("%s: nobody makes the secret %s", s.Name, ref.Source)
		}
	}
}

func (d *deployment) node(s types.ServiceConfig, seen map[string]bool, say teller) {
	cfg := d.settings(s, say)
	if cfg == nil {
		return
	}
	if u, err := url.Parse(cfg.Advertise); err != nil || seen[cfg.Advertise] || u.Hostname() != s.Name || u.Port() != listens {
		say("%s: advertises %s, where it is not reached", s.Name, cfg.Advertise)
	}
	seen[cfg.Advertise] = true
	if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < parts*cfg.ShutdownGrace {
		say("%s: is killed while it stops", s.Name)
	}
	h := s.HealthCheck
	if h == nil || !slices.Equal(h.Test, []string{"CMD", "/enroute", "health"}) || time.Duration(*h.Timeout) <= healthTimeout {
		say("%s: health is not asked for, or not long enough", s.Name)
	}
	if s.DependsOn["replica-set"].Condition != types.ServiceConditionCompletedSuccessfully {
		say("%s: does not wait for its database", s.Name)
	}
	if !d.believes(cfg) {
		say("%s: does not believe what the balancer says of addresses", s.Name)
	}
}

// settings are read by the program's own rules, with the secrets that were
// made in place of those in the container.
func (d *deployment) settings(s types.ServiceConfig, say teller) *config.Config {
	environ := []string{"ENROUTE_LISTEN=:" + listens}
	for name, value := range s.Environment {
		v := *value
		if secret, ok := strings.CutPrefix(v, "/run/secrets/"); ok {
			v = filepath.Join(d.secrets, secret)
		}
		environ = append(environ, name+"="+v)
	}
	cfg, warnings, err := config.Bind(flag.NewFlagSet("serve", flag.ContinueOnError)).Load(environ)
	if err != nil {
		say("%s: %v", s.Name, err)
		return nil
	}
	for _, w := range warnings {
		say("%s: %s", s.Name, w)
	}
	return cfg
}

// believes says whether the network that node and balancer share is one of
// trusted proxies.
func (d *deployment) believes(cfg *config.Config) bool {
	for _, pool := range d.project.Networks["web"].Ipam.Config {
		if subnet, err := netip.ParsePrefix(pool.Subnet); err == nil && slices.Contains(cfg.TrustedProxies, subnet) {
			return true
		}
	}
	return false
}

func (d *deployment) member(s types.ServiceConfig, seen map[string]bool, say teller) {
	volume := ""
	for _, v := range s.Volumes {
		if v.Target == "/data/db" && v.Type == types.VolumeTypeVolume {
			volume = v.Source
		}
	}
	if volume == "" || seen[volume] {
		say("%s: keeps its data in %q, which is nothing of its own", s.Name, volume)
	}
	seen[volume] = true
	if !slices.Contains(s.Command, "--keyFile") {
		say("%s: does not ask who speaks to it", s.Name)
	}
	if _, internal := s.Networks["data"]; !internal || !d.project.Networks["data"].Internal {
		say("%s: is on a network with a way out", s.Name)
	}
}

// store compares the address that the nodes are given with the members, and
// both with the script that makes the set.
func (d *deployment) store(say teller) {
	raw, err := os.ReadFile(filepath.Join(d.secrets, "store"))
	if err != nil {
		say("the store's address: %v", err)
		return
	}
	address, err := connstring.ParseAndValidate(strings.TrimSpace(string(raw)))
	if err != nil {
		say("the store's address: %v", err)
		return
	}
	var members []string
	for _, s := range d.members() {
		members = append(members, s.Name+":27017")
		if i := slices.Index(s.Command, "--replSet"); i < 0 || s.Command[i+1] != address.ReplicaSet {
			say("%s: is of another replica set than %s", s.Name, address.ReplicaSet)
		}
	}
	if !strings.Contains(d.script, fmt.Sprintf("_id: %q", address.ReplicaSet)) {
		say("the script makes another replica set than %s", address.ReplicaSet)
	}
	made := regexp.MustCompile(`mongo\d:\d+`).FindAllString(d.script, -1)
	if !slices.Equal(address.Hosts, members) || !slices.Equal(made, members) {
		say("the members are %v, the store has %v, the script %v", members, address.Hosts, made)
	}
	if address.Username == "" || address.Password == "" || address.AuthSource != address.Database {
		say("the store's address has no account of the database's own")
	}
}

// secretFiles can be read by the users in containers, and by nobody else here.
func (d *deployment) secretFiles(say teller) {
	for name, s := range d.project.Secrets {
		info, err := os.Stat(s.File)
		if err != nil {
			say("nobody makes the secret %s", name)
		} else if info.Mode().Perm() != 0o444 {
			say("the secret %s cannot be read in a container, or is written there", name)
		}
	}
	if info, err := os.Stat(d.secrets); err != nil || info.Mode().Perm() != 0o700 {
		say("the secrets are open to everybody on this machine, %v", err)
	}
}

// balancer reads what matters of the Caddyfile.
func (d *deployment) balancer(say teller) {
	proxies := regexp.MustCompile(`(?m)^\s*reverse_proxy (.*) \{$`).FindAllStringSubmatch(d.caddy, -1)
	if len(proxies) != 2 || strings.Count(d.caddy, "lb_policy round_robin") != len(proxies) {
		say("the balancer does not go by round_robin everywhere")
	}
	for _, p := range proxies {
		for _, s := range d.nodes() {
			if !slices.Contains(strings.Fields(p[1]), s.Name+":"+listens) {
				say("the balancer does not know %s", s.Name)
			}
		}
	}
	for _, line := range []string{"health_uri /readyz", "respond /metrics 404"} {
		if !strings.Contains(d.caddy, line) {
			say("the balancer lacks: %s", line)
		}
	}
	for _, line := range []string{"write", "stream_timeout", "response_buffers", "request_buffers"} {
		if regexp.MustCompile(`(?m)^\s*` + line + `\b`).MatchString(d.caddy) {
			say("the balancer cuts or holds up streams: %s", line)
		}
	}
	d.time("response_header_timeout", requestTime, time.Hour, say)
	d.time("read_timeout", 2*heartbeat, time.Hour, say)
	d.time("keepalive", time.Second, idle-1, say)
}

// time of the Caddyfile is to be between two others.
func (d *deployment) time(name string, least, most time.Duration, say teller) {
	found := regexp.MustCompile(`(?m)^\s*` + name + ` (\S+)$`).FindStringSubmatch(d.caddy)
	if found == nil {
		say("the balancer has no %s", name)
		return
	}
	if v, err := time.ParseDuration(found[1]); err != nil || v < least || v > most {
		say("the balancer's %s is %s, and not from %s to %s", name, found[1], least, most)
	}
}
