package sync

import (
	"maps"
	"math"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/enroute-field/enroute/internal/fault"
)

// value checks one value against its field. depth is how deep it is nested.
func (c *checker) value(f *Field, path string, v any, depth int) {
	if depth > maxDepth {
		c.add(path, fault.TooDeep, "max", strconv.Itoa(maxDepth))
		return
	}
	switch f.Type {
	case Boolean:
		c.boolean(path, v)
	case Integer, Number:
		c.number(f, path, v)
	case Choices, References, Texts:
		c.list(f, path, v)
	case Position:
		c.position(path, v)
	case Object:
		c.object(f, path, v, depth)
	case Elements:
		c.elements(f, path, v, depth)
	case Any:
		c.free(path, v, depth)
	default:
		c.word(f, path, v)
	}
}

func (c *checker) boolean(path string, v any) {
	if _, ok := v.(bool); !ok {
		c.add(path, fault.WrongType, "type", "boolean")
	}
}

// maxInteger is the greatest whole number that every client can read exactly
// (RFC 8259, section 6).
const maxInteger = 1<<53 - 1

func (c *checker) number(f *Field, path string, v any) {
	n, ok := v.(float64)
	if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
		c.add(path, fault.WrongType, "type", "number")
		return
	}
	if f.Type == Integer && (n != math.Trunc(n) || math.Abs(n) > maxInteger) {
		c.add(path, fault.WrongType, "type", "integer")
		return
	}
	c.within(path, n, f.Min, f.Limit)
}

func (c *checker) within(path string, n float64, least, most *float64) {
	if (least == nil || n >= *least) && (most == nil || n <= *most) {
		return
	}
	c.add(path, fault.OutOfRange, "min", bound(least, "−∞"), "max", bound(most, "∞"))
}

func bound(v *float64, none string) string {
	if v == nil {
		return none
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// word checks the types that are one string.
func (c *checker) word(f *Field, path string, v any) {
	s, ok := v.(string)
	if !ok {
		c.add(path, fault.WrongType, "type", "string")
		return
	}
	if f.Required && strings.TrimSpace(s) == "" {
		c.add(path, fault.Required)
		return
	}
	if !c.text(path, s, f.Type == LongText, f.length()) {
		return
	}
	if f.Type == Choice {
		c.choice(f, path, s)
	} else if name, ok := wellFormed(f.Type, s); !ok {
		c.add(path, fault.BadFormat, "type", name)
	}
}

// length is the greatest number of characters of the field's text.
func (f *Field) length() int {
	switch {
	case f.Max > 0:
		return f.Max
	case f.Type == LongText:
		return maxLongText
	case f.Type == URL:
		return 2000
	}
	return maxText
}

// text checks length and characters; control characters have no place in a
// text but for line ends and tabs in a long one.
func (c *checker) text(path, s string, long bool, most int) bool {
	if len(s) > most && utf8.RuneCountInString(s) > most {
		c.add(path, fault.TooLong, "max", strconv.Itoa(most))
		return false
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return control(r, long) }) {
		c.add(path, fault.BadText)
		return false
	}
	return true
}

func control(r rune, long bool) bool {
	if long && (r == '\n' || r == '\r' || r == '\t') {
		return false
	}
	return r < 0x20 || r >= 0x7f && r < 0xa0
}

func (c *checker) choice(f *Field, path, s string) {
	if !slices.Contains(f.Enum, s) {
		c.add(path, fault.NotOneOf, "values", strings.Join(f.Enum, ", "))
	}
}

// wellFormed says whether s has the form of the type, and how that is called.
func wellFormed(t Type, s string) (string, bool) {
	switch t {
	case Date:
		_, err := time.Parse(time.DateOnly, s)
		return "YYYY-MM-DD", err == nil
	case DateTime:
		_, ok := ParseInstant(s)
		return "RFC 3339", ok
	case Duration:
		return "ISO 8601 (PT90M)", validDuration(s)
	case Reference:
		return idForm, validID(s)
	case Email:
		a, err := mail.ParseAddress(s)
		return "name@example.com", err == nil && a.Address == s && len(s) <= 254
	case URL:
		u, err := url.Parse(s)
		return "https://…", err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	case Language:
		_, err := language.Parse(s)
		return "BCP 47 (fr-CA)", err == nil
	case TimeZone:
		_, err := time.LoadLocation(s)
		return "IANA (America/Toronto)", err == nil && s != "" && s != "Local"
	}
	return "", true
}

const idForm = "1–64 × A–Z a–z 0–9 _ -"

// validDuration accepts ISO 8601 durations: P, then counts of Y M W D, then,
// after T, of H M S; each at most once, in this order, at least one; the last
// one may have a fraction.
func validDuration(s string) bool {
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || len(s) > 40 {
		return false
	}
	date, clock, timed := strings.Cut(rest, "T")
	n, whole, ok := durationParts(date, "YMWD")
	if !timed {
		return ok && n > 0
	}
	m, _, okClock := durationParts(clock, "HMS")
	return ok && whole && okClock && m > 0
}

// durationParts counts the number-and-unit pairs; whole is false when the last
// has a fraction, which only the very last of a duration may.
func durationParts(s, units string) (n int, whole, ok bool) {
	whole = true
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i < 1 || !whole {
			return n, whole, false
		}
		unit := strings.IndexByte(units, s[i])
		number, fraction, broken := strings.Cut(s[:i], ".")
		if unit < 0 || number == "" || broken && (fraction == "" || strings.Contains(fraction, ".")) {
			return n, whole, false
		}
		units, s, whole = units[unit+1:], s[i+1:], !broken
		n++
	}
	return n, whole, true
}

// list checks lists of strings; of choices and references each only once.
func (c *checker) list(f *Field, path string, v any) {
	list, ok := c.bounded(path, v)
	if !ok {
		return
	}
	one := Field{Type: Text, Enum: f.Enum, Max: f.Max}
	switch f.Type {
	case Choices:
		one.Type = Choice
	case References:
		one.Type = Reference
	}
	seen := make(map[any]bool, len(list))
	for i, v := range list {
		at := path + "." + strconv.Itoa(i)
		before := len(c.faults)
		c.word(&one, at, v)
		if len(c.faults) > before || f.Type == Texts {
			continue
		}
		if seen[v] {
			c.add(at, fault.Repeated)
		}
		seen[v] = true
	}
}

// bounded is the list that v must be.
func (c *checker) bounded(path string, v any) ([]any, bool) {
	list, ok := v.([]any)
	if !ok {
		c.add(path, fault.WrongType, "type", "array")
		return nil, false
	}
	if len(list) > maxEntries {
		c.add(path, fault.TooMany, "max", strconv.Itoa(maxEntries))
		return nil, false
	}
	return list, true
}

// positionMembers are the members of a position, WGS 84 degrees and metres.
func positionMembers() []Field {
	n := func(v float64) *float64 { return &v }
	return []Field{
		{Name: "lat", Type: Number, Required: true, Min: n(-90), Limit: n(90)},
		{Name: "lng", Type: Number, Required: true, Min: n(-180), Limit: n(180)},
		{Name: "accuracy", Type: Number, Min: n(0)},
		{Name: "source", Type: Text},
		{Name: "pinned", Type: Boolean},
	}
}

func (c *checker) position(path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		c.add(path, fault.WrongType, "type", "object")
		return
	}
	c.members(positionMembers(), m, path+".", 2)
	for _, name := range []string{"lat", "lng"} {
		if _, ok := m[name]; !ok {
			c.add(path+"."+name, fault.Required)
		}
	}
}

func (c *checker) object(f *Field, path string, v any, depth int) {
	m, ok := v.(map[string]any)
	if !ok {
		c.add(path, fault.WrongType, "type", "object")
		return
	}
	if f.Members != nil {
		c.members(f.Members, m, path+".", depth+1)
		return
	}
	c.named(path, m)
	c.free(path, m, depth)
}

// named checks the member names of an object whose members are not declared:
// they become part of field paths.
func (c *checker) named(path string, m map[string]any) {
	for name, v := range m {
		if !validID(name) {
			c.add(path+"."+short(name), fault.BadFormat, "type", idForm)
			continue
		}
		if sub, ok := v.(map[string]any); ok {
			c.named(path+"."+name, sub)
		}
	}
}

// elements checks a list of objects that are merged by their id.
func (c *checker) elements(f *Field, path string, v any, depth int) {
	list, ok := c.bounded(path, v)
	if !ok {
		return
	}
	for i, v := range list {
		at := path + "." + strconv.Itoa(i)
		e, ok := v.(map[string]any)
		if !ok {
			c.add(at, fault.WrongType, "type", "object")
			continue
		}
		if id, ok := e["id"].(string); !ok || !validID(id) {
			c.add(at+".id", fault.BadFormat, "type", idForm)
		}
		c.element(f, at, e, depth+1)
	}
}

// element checks the members of one element but for its id and the word that
// it is removed.
func (c *checker) element(f *Field, path string, e map[string]any, depth int) {
	if removed, ok := e["removed"]; ok {
		c.boolean(path+".removed", removed)
	}
	rest := maps.Clone(e)
	delete(rest, "id")
	delete(rest, "removed")
	if f.Members != nil {
		c.members(f.Members, rest, path+".", depth+1)
		return
	}
	c.free(path, rest, depth)
}

// free checks a value of no declared type.
func (c *checker) free(path string, v any, depth int) {
	if depth > maxDepth {
		c.add(path, fault.TooDeep, "max", strconv.Itoa(maxDepth))
		return
	}
	switch v := v.(type) {
	case nil, bool:
	case float64:
		c.number(&Field{Type: Number}, path, v)
	case string:
		c.text(path, v, true, maxLongText)
	case []any:
		c.freeList(path, v, depth)
	case map[string]any:
		c.freeObject(path, v, depth)
	default:
		c.add(path, fault.WrongType, "type", "JSON")
	}
}

func (c *checker) freeList(path string, list []any, depth int) {
	if _, ok := c.bounded(path, list); !ok {
		return
	}
	for i, v := range list {
		c.free(path+"."+strconv.Itoa(i), v, depth+1)
	}
}

func (c *checker) freeObject(path string, m map[string]any, depth int) {
	if len(m) > maxEntries {
		c.add(path, fault.TooMany, "max", strconv.Itoa(maxEntries))
		return
	}
	for name, v := range m {
		if !utf8.ValidString(name) {
			c.add(path, fault.BadText)
		}
		c.free(path+"."+short(name), v, depth+1)
	}
}
