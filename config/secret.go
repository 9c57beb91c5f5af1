package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that does not show itself: not in logs, not in errors,
// not in JSON, not by any verb of fmt.
type Secret string

const hidden = "(hidden)"

// Reveal gives the value, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides it from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides it from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides it from JSON and its kin.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

type secret Secret

func (s *secret) String() string     { return Secret(*s).String() }
func (s *secret) Set(v string) error { *s = secret(v); return nil }
