// Package members reads the members of decoded JSON objects. A member that is
// absent or of another type reads as the zero value.
package members

import "time"

// Text of a member.
func Text(f map[string]any, name string) string {
	s, _ := f[name].(string)
	return s
}

// Flag of a member.
func Flag(f map[string]any, name string) bool {
	b, _ := f[name].(bool)
	return b
}

// Number of a member.
func Number(f map[string]any, name string) float64 {
	n, _ := f[name].(float64)
	return n
}

// Object of a member.
func Object(f map[string]any, name string) map[string]any {
	o, _ := f[name].(map[string]any)
	return o
}

// Texts are the strings in a list member.
func Texts(f map[string]any, name string) []string {
	list, _ := f[name].([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Objects are the objects in a list member.
func Objects(f map[string]any, name string) []map[string]any {
	list, _ := f[name].([]any)
	var out []map[string]any
	for _, v := range list {
		if o, ok := v.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// Time of a member in the form of RFC 3339; the zero time if it is none.
func Time(f map[string]any, name string) time.Time {
	t, err := time.Parse(time.RFC3339, Text(f, name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Instant is a time as a member holds it: RFC 3339 in UTC, to the millisecond.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// List is a list of strings as a member holds it.
func List(values ...string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
