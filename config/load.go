package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strings"
	"unicode/utf8"
)

// Loader gathers a configuration. Bind makes one; Load is called after the
// flags have been parsed.
type Loader struct {
	bound map[string]bool   // settings that have a flag here
	flags map[string]string // values given as flags
	file  string            // --config
}

// Bind adds a flag to fs for each of the named settings (all if none is
// named) and --config for the file. A name that is no setting is a mistake of
// the caller and panics.
func Bind(fs *flag.FlagSet, names ...string) *Loader {
	l := &Loader{bound: map[string]bool{}, flags: map[string]string{}}
	fs.StringVar(&l.file, "config", "", "file with settings, as one JSON object")
	for _, s := range choose(names) {
		l.bound[s.name] = true
		given := func(v string) error { l.flags[s.name] = v; return nil }
		var c Config
		if _, ok := s.field(&c).(*boolean); ok {
			fs.BoolFunc(s.name, s.help, given)
		} else {
			fs.Func(s.name, s.help, given)
		}
	}
	return l
}

// Load reads the defaults, the file, the environment ("NAME=value" each, as
// os.Environ gives it) and the flags, in this order, and checks the outcome.
// The strings are warnings for the log: variables that look like ours and are
// none. The error joins one *Error per wrong setting.
func (l *Loader) Load(environ []string) (*Config, []string, error) {
	env := variables(environ)
	c := Default()
	var errs []error
	if path := firstOf(l.file, env[envPrefix+"CONFIG"]); path != "" {
		errs = append(errs, fromFile(&c, path))
	}
	errs = append(errs, fromEnvironment(&c, env))
	for _, s := range settings() {
		if v, ok := l.flags[s.name]; ok {
			errs = append(errs, s.set(&c, v, "--"+s.name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	if err := c.validate(); err != nil {
		return nil, nil, err
	}
	return &c, unknown(env), nil
}

// set one field; source tells the reader of the error where to look.
func (s setting) set(c *Config, v, source string) error {
	err := s.field(c).Set(v)
	if err == nil {
		return nil
	}
	if s.secret {
		v = hidden
	}
	return &Error{Field: s.name, Value: v, Source: source, Why: err.Error()}
}

func fromFile(c *Config, path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return &Error{Field: "config", Value: path, Why: fmt.Sprintf("cannot be read: %v", err)}
	}
	values, err := decodeFile(raw)
	if err != nil {
		return &Error{Field: "config", Value: path, Why: err.Error()}
	}
	var errs []error
	for _, s := range settings() {
		if v, ok := values[s.name]; ok {
			errs = append(errs, s.set(c, v, path))
			delete(values, s.name)
		}
	}
	for _, name := range sortedKeys(values) {
		errs = append(errs, &Error{Field: name, Value: hidden, Source: path, Why: "there is no such setting"})
	}
	return errors.Join(errs...)
}

// decodeFile reads one JSON object of strings, numbers and booleans.
func decodeFile(raw []byte) (map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("must hold one JSON object: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("must hold one JSON object and nothing after it")
	}
	out := make(map[string]string, len(doc))
	for name, v := range doc {
		switch v.(type) {
		case string, json.Number, bool:
			out[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%s must be a string, a number or a boolean", name)
		}
	}
	return out, nil
}

func fromEnvironment(c *Config, env map[string]string) error {
	var errs []error
	for _, s := range settings() {
		name := s.variable()
		v, ok := env[name]
		path, fromFile := env[name+fileSuffix]
		switch {
		case s.secret && ok && fromFile:
			errs = append(errs, &Error{Field: s.name, Value: hidden, Source: name, Why: "stands beside " + name + fileSuffix + "; give one of the two"})
		case s.secret && fromFile:
			errs = append(errs, s.setFromSecretFile(c, path))
		case ok:
			errs = append(errs, s.set(c, v, name))
		}
	}
	return errors.Join(errs...)
}

// setFromSecretFile reads a secret as container platforms mount them: the
// whole file, without the line end that editors add.
func (s setting) setFromSecretFile(c *Config, path string) error {
	source := s.variable() + fileSuffix
	raw, err := os.ReadFile(path)
	if err != nil {
		return &Error{Field: s.name, Value: path, Source: source, Why: fmt.Sprintf("cannot be read: %v", err)}
	}
	return s.set(c, strings.TrimRight(string(raw), "\r\n"), source)
}

// validate checks what no single setting can tell.
func (c *Config) validate() error {
	if c.DemoPassword != "" && utf8.RuneCountInString(c.DemoPassword.Reveal()) < minPassword {
		return &Error{Field: "demo-password", Value: hidden, Why: fmt.Sprintf("needs at least %d characters", minPassword)}
	}
	if c.Demo && c.DemoPassword == "" && !c.Loopback() {
		return &Error{Field: "listen", Value: c.Listen, Why: "the demo's published password is for loopback addresses only; set demo-password to open it to others"}
	}
	if c.Store != "" && c.Advertise == "" && c.everywhere() {
		return &Error{Field: "advertise", Value: c.Advertise, Why: fmt.Sprintf("must be set: the other nodes over the store cannot reach this one at %s", c.Listen)}
	}
	return nil
}

// everywhere says whether the listen address names every interface, and so
// none at which somebody else could be told to come.
func (c *Config) everywhere() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(host)
	return err != nil || host == "" || ip != nil && ip.IsUnspecified()
}

const minPassword = 12

// Loopback says whether only this machine reaches the listen address. A name
// other than localhost could resolve to anything, so it is none.
func (c *Config) Loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func choose(names []string) []setting {
	all := settings()
	if len(names) == 0 {
		return all
	}
	var out []setting
	for _, name := range names {
		found := false
		for _, s := range all {
			if s.name == name {
				out, found = append(out, s), true
			}
		}
		if !found {
			panic("config: no setting is called " + name)
		}
	}
	return out
}

func variables(environ []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		if name, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, envPrefix) {
			env[name] = v
		}
	}
	return env
}

// unknown variables are only warned about: container platforms make some of
// their own, after the name of a service.
func unknown(env map[string]string) []string {
	ours := map[string]bool{envPrefix + "CONFIG": true}
	for _, s := range settings() {
		ours[s.variable()] = true
		if s.secret {
			ours[s.variable()+fileSuffix] = true
		}
	}
	var out []string
	for _, name := range sortedKeys(env) {
		if !ours[name] {
			out = append(out, "the environment variable "+name+" is no setting and was ignored")
		}
	}
	return out
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Has says whether the flag is one that Bind added.
func (l *Loader) Has(flag string) bool { return flag == "config" || l.bound[flag] }
