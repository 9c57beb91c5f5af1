package sync

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendJSON appends the canonical form of a JSON value: members in order of
// their names, no spaces, numbers as encoding/json writes them. Documents are
// stored and mutations are compared in this form. Values of any type that
// encoding/json would not have decoded are an error: state computed from them
// would differ from state computed from the journal.
func appendJSON(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case float64:
		return appendNumber(dst, v)
	case []any:
		return appendList(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	}
	return dst, fmt.Errorf("%T is not a JSON value", v)
}

func appendList(dst []byte, list []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, v); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, m map[string]any) ([]byte, error) {
	dst = append(dst, '{')
	var room [32]string
	for i, name := range sortedNames(m, room[:0]) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		var err error
		if dst, err = appendJSON(dst, m[name]); err != nil {
			return dst, fmt.Errorf("member %q: %w", name, err)
		}
	}
	return append(dst, '}'), nil
}

// sortedNames appends the member names to room, in order.
func sortedNames[V any](m map[string]V, room []string) []string {
	for name := range m {
		room = append(room, name)
	}
	slices.Sort(room)
	return room
}

// appendNumber writes a float as ECMAScript does, which is what encoding/json
// follows.
func appendNumber(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%v is not a JSON number", f)
	}
	format, abs := byte('f'), math.Abs(f)
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 becomes e-9
		dst = dst[:n-1]
	}
	return dst, nil
}

// appendString writes what needs no escaping as it is and leaves the rest to
// encoding/json.
func appendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == '"' || c == '\\' {
				return appendEscaped(dst, s)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return appendEscaped(dst, s)
		}
		i += size
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, s string) []byte {
	b, err := marshal(s)
	if err != nil { // a string can always be marshalled
		panic(err)
	}
	return append(dst, b...)
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// encode gives the marks as JSON, fields in order of their paths.
func (m Marks) encode() []byte {
	if len(m) == 0 {
		return nil
	}
	dst := append(make([]byte, 0, 16+96*len(m)), '{')
	var room [32]string
	for i, path := range sortedNames(m, room[:0]) {
		if i > 0 {
			dst = append(dst, ',')
		}
		mark := m[path]
		dst = append(appendString(dst, path), `:{"r":`...)
		dst = strconv.AppendUint(dst, mark.Rev, 10)
		dst = appendString(append(dst, `,"b":`...), mark.By)
		dst = appendTime(append(dst, `,"t":`...), mark.At)
		if mark.Office {
			dst = append(dst, `,"o":true`...)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// equal compares JSON values.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalObjects(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case nil, bool, float64, string:
		switch b.(type) {
		case nil, bool, float64, string:
			return a == b
		}
		return false
	}
	return reflect.DeepEqual(a, b)
}

func equalObjects(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		w, ok := b[name]
		if !ok || !equal(v, w) {
			return false
		}
	}
	return true
}

// clone copies a JSON value, so that changing the copy leaves it as it is.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneObject(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	}
	return v
}

func cloneObject(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+4)
	for name, v := range m {
		out[name] = clone(v)
	}
	return out
}
