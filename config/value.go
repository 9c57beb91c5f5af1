package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value reads and writes one field as text. Set's error says what the value
// must be; it does not repeat it.
type value interface {
	Set(s string) error
	String() string
}

const (
	minTokenLifetime = time.Minute
	minFailureWindow = time.Second
	minLeaseTerm     = time.Second
)

type text string

func (t *text) String() string { return string(*t) }
func (t *text) Set(s string) error {
	if s == "" {
		return errors.New("must not be empty")
	}
	*t = text(s)
	return nil
}

// address is host:port; an empty host is every interface.
type address string

func (a *address) String() string { return string(*a) }
func (a *address) Set(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("must be host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("must end in a port from 0 to 65535")
	}
	*a = address(s)
	return nil
}

// baseURL is an absolute http or https address, kept without its last slash.
type baseURL string

func (b *baseURL) String() string { return string(*b) }
func (b *baseURL) Set(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("must be an http or https address")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return errors.New("must have no user, query or fragment")
	}
	*b = baseURL(strings.TrimRight(s, "/"))
	return nil
}

// nodeURL is a base URL without a path: what is forwarded keeps its own.
type nodeURL string

func (n *nodeURL) String() string { return string(*n) }
func (n *nodeURL) Set(s string) error {
	var b baseURL
	if err := b.Set(s); err != nil {
		return err
	}
	if u, err := url.Parse(string(b)); err != nil || u.Path != "" {
		return errors.New("must have no path")
	}
	*n = nodeURL(b)
	return nil
}

// database is the address of one. What it must be beyond its scheme, the
// driver says; here it may hold a password, so nothing of it is told.
type database Secret

func (d *database) String() string { return Secret(*d).String() }
func (d *database) Set(s string) error {
	if s != "" && !strings.HasPrefix(s, "mongodb://") && !strings.HasPrefix(s, "mongodb+srv://") {
		return errors.New("must start with mongodb:// or mongodb+srv://")
	}
	*d = database(s)
	return nil
}

type level slog.Level

func (l *level) String() string { return strings.ToLower(slog.Level(*l).String()) }
func (l *level) Set(s string) error {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	v, ok := levels[strings.ToLower(s)]
	if !ok {
		return errors.New("must be debug, info, warn or error")
	}
	*l = level(v)
	return nil
}

type choice struct {
	to  *string
	one []string
}

func (c *choice) String() string { return *c.to }
func (c *choice) Set(s string) error {
	if !slices.Contains(c.one, s) {
		return fmt.Errorf("must be one of %s", strings.Join(c.one, ", "))
	}
	*c.to = s
	return nil
}

// size is a number of bytes, with the suffix KiB, MiB or GiB if any.
type size int64

func sizeUnits() []struct {
	suffix string
	bytes  int64
} {
	return []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}
}

func (z *size) String() string {
	for _, u := range sizeUnits() {
		if int64(*z) >= u.bytes && int64(*z)%u.bytes == 0 {
			return strconv.FormatInt(int64(*z)/u.bytes, 10) + u.suffix
		}
	}
	return "0"
}

func (z *size) Set(s string) error {
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*z = size(n * u.bytes)
		return nil
	}
	return errors.New("must be a size such as 16MiB")
}

// duration is Go's notation and, since sign-ins last long, whole days as 180d.
type duration struct {
	to  *time.Duration
	min time.Duration
}

func (d *duration) String() string {
	v := *d.to
	if v >= day && v%day == 0 {
		return strconv.FormatInt(int64(v/day), 10) + "d"
	}
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (d *duration) Set(s string) error {
	v, err := parseDuration(s)
	if err != nil {
		return errors.New("must be a duration such as 90s, 15m, 12h or 180d")
	}
	if v < d.min || v < 0 {
		return fmt.Errorf("must be at least %s", d.min)
	}
	*d.to = v
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseInt(days, 10, 16) // 89 years fit
	return time.Duration(n) * day, err
}

type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }
func (c *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return errors.New("must be a whole number from 1")
	}
	*c = count(n)
	return nil
}

// prefixes are networks or single addresses, with commas between them.
type prefixes []netip.Prefix

func (p *prefixes) String() string {
	out := make([]string, 0, len(*p))
	for _, prefix := range *p {
		out = append(out, prefix.String())
	}
	return strings.Join(out, ",")
}

func (p *prefixes) Set(s string) error {
	var out prefixes
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := parsePrefix(part)
		if err != nil {
			return errors.New("must be addresses or networks such as 10.0.0.0/8")
		}
		out = append(out, prefix)
	}
	*p = out
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(s)
	return prefix.Masked(), err
}

type boolean bool

func (b *boolean) String() string { return strconv.FormatBool(bool(*b)) }
func (b *boolean) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("must be true or false")
	}
	*b = boolean(v)
	return nil
}

// IsBoolFlag lets the flag stand without a value.
func (b *boolean) IsBoolFlag() bool { return true }
