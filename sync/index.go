package sync

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/fold"
)

var _ Indexer = (*Registry)(nil)

// indexFormat is raised when the code below gives other results.
const indexFormat = 1

// Limits of what is indexed, in characters. Queries are cut alike.
const (
	maxOrder = 100
	maxWord  = 40
)

// listable are the reserved members by which every kind can be filtered and
// sorted.
var listable = []Field{
	{Name: "id", Type: Text},
	{Name: "rev", Type: Integer},
	{Name: "createdAt", Type: DateTime},
	{Name: "updatedAt", Type: DateTime},
}

// Index implements Indexer.
func (r *Registry) Index(kind string, body []byte) ([]Entry, []string, error) {
	k := r.byName[kind]
	if k == nil {
		return nil, nil, nil
	}
	var members Fields
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	var entries []Entry
	var words []string
	for i := range listable {
		f := &listable[i]
		entries = appendEntries(entries, f, f.Name, members[f.Name])
	}
	for i := range k.Fields {
		f := &k.Fields[i]
		v := members[f.Name]
		if f.Filter {
			entries = appendEntries(entries, f, f.Name, v)
		}
		if f.Search {
			words = appendWords(words, v)
		}
		if f.Search && f.Type == Phone {
			words = appendPhone(words, v, members[f.Name+"E164"])
		}
	}
	return entries, words, nil
}

// Version implements Indexer.
func (r *Registry) Version() string {
	h := sha256.New()
	fmt.Fprintln(h, indexFormat)
	for _, k := range r.Kinds() {
		for _, f := range k.Fields {
			fmt.Fprintln(h, k.Name, f.Name, f.Type, f.Filter, f.Search)
			for _, m := range f.Members {
				fmt.Fprintln(h, "member", m.Name, m.Type)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// appendEntries adds the entries of a value: one for a scalar, one for each
// scalar of a list or member of an object.
func appendEntries(dst []Entry, f *Field, path string, v any) []Entry {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			dst = appendEntry(dst, f.element(), path, element)
		}
	case map[string]any:
		if f.Type != Object {
			return dst
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if _, nested := v[name].(map[string]any); !nested {
				dst = appendEntries(dst, f.member(name), path+"."+name, v[name])
			}
		}
	default:
		dst = appendEntry(dst, f.element(), path, v)
	}
	return dst
}

// appendEntry adds a scalar's entry, unless it is empty or not of its type.
func appendEntry(dst []Entry, t Type, path string, v any) []Entry {
	text, ok := scalarText(v)
	if !ok || text == "" {
		return dst
	}
	if e, ok := entry(t, text); ok {
		e.Field = path
		dst = append(dst, e)
	}
	return dst
}

// element is the type of one value of the field: for a list, of its elements.
func (f *Field) element() Type {
	switch f.Type {
	case Choices:
		return Choice
	case References:
		return Reference
	case Texts:
		return Text
	}
	return f.Type
}

// member is the declared member of an object; one of type Any if it is free.
func (f *Field) member(name string) *Field {
	for i := range f.Members {
		if f.Members[i].Name == name {
			return &f.Members[i]
		}
	}
	return &Field{Name: name, Type: Any}
}

// scalarText gives a scalar as plain text.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return numberText(v), true
	}
	return "", false
}

// numberText is the shortest decimal form.
func numberText(v float64) string {
	if math.Abs(v) < 1e21 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'e', -1, 64)
}

// EntryFor makes the entry that a filter compares with from the text of a
// query. path is the field's name or, for a member of an object,
// "custom.color". The error is a fault: bad_format, wrong_type or not_one_of.
func EntryFor(f *Field, path, text string) (Entry, error) {
	if _, name, inside := strings.Cut(path, "."); inside && f.Type == Object {
		f = f.member(name)
	}
	t := f.element()
	e, ok := entry(t, text)
	if !ok {
		return Entry{}, notOfType(t)
	}
	e.Field = path
	return e, nil
}

func notOfType(t Type) error {
	switch t {
	case Integer:
		return fault.New(fault.WrongType, "type", "integer")
	case Number:
		return fault.New(fault.WrongType, "type", "number")
	case Boolean:
		return fault.New(fault.NotOneOf, "values", "true, false")
	}
	form, _ := wellFormed(t, "")
	return fault.New(fault.BadFormat, "type", form)
}

// entry gives a value's two forms, both functions of its type and text alone.
// Free members (Any) that read as numbers sort as such.
func entry(t Type, text string) (Entry, bool) {
	switch t {
	case Integer, Number:
		return numberEntry(t, text)
	case Boolean:
		return Entry{Exact: text, Order: text}, text == "true" || text == "false"
	case Date:
		_, ok := wellFormed(t, text)
		return Entry{Exact: text, Order: text}, ok
	case DateTime:
		at, ok := ParseInstant(text)
		text = at.Format(instantForm)
		return Entry{Exact: text, Order: text}, ok
	case Duration:
		return Entry{Exact: text, Order: numberOrder(durationSeconds(text))}, validDuration(text)
	case Any:
		if e, ok := numberEntry(Number, text); ok && e.Exact == text {
			return e, true
		}
	}
	return Entry{Exact: text, Order: textOrder(text)}, true
}

// instantForm is RFC 3339 in UTC with as many digits always, so that it sorts.
const instantForm = "2006-01-02T15:04:05.000000000Z"

func numberEntry(t Type, text string) (Entry, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || t == Integer && v != math.Trunc(v) {
		return Entry{}, false
	}
	return Entry{Exact: numberText(v), Order: numberOrder(v)}, true
}

// numberOrder gives numbers a form of 16 hexadecimal digits that sorts as they
// do: the bits of the float, the sign turned, and all bits of negative ones.
func numberOrder(v float64) string {
	bits := math.Float64bits(v + 0) // no negative zero
	if bits>>63 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return hex16(bits)
}

// textOrder is the folded text, cut.
func textOrder(s string) string { return cut(fold.Name(s), maxOrder) }

// cut a text after so many characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most {
			return s[:i]
		}
		n++
	}
	return s
}

// durationSeconds of a valid ISO 8601 duration; years count 365 days, months 30.
func durationSeconds(s string) (seconds float64) {
	date, clock, _ := strings.Cut(strings.TrimPrefix(s, "P"), "T")
	const minute, hour, day = 60, 3600, 86400
	return partSeconds(date, map[byte]float64{'Y': 365 * day, 'M': 30 * day, 'W': 7 * day, 'D': day}) +
		partSeconds(clock, map[byte]float64{'H': hour, 'M': minute, 'S': 1})
}

func partSeconds(s string, units map[byte]float64) (seconds float64) {
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i < 0 {
			break
		}
		n, _ := strconv.ParseFloat(s[:i], 64) // an empty count is none
		seconds += n * units[s[i]]
		s = s[i+1:]
	}
	return seconds
}

// appendWords adds the folded words of all texts and numbers in a value.
func appendWords(dst []string, v any) []string {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			dst = appendWords(dst, element)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			dst = appendWords(dst, v[name])
		}
	case float64:
		dst = append(dst, cut(numberText(v), maxWord))
	case string:
		dst = append(dst, searchWords(v)...)
	}
	return dst
}

// searchWords are the folded words of a text, in the length that is indexed.
func searchWords(s string) []string {
	words := fold.Words(s)
	for i, w := range words {
		words[i] = cut(w, maxWord)
	}
	return words
}

// appendPhone adds the digits of a phone number so that it is found however
// its digits are grouped: all of it from the start of each group as it was
// typed, and the same of the number in E.164 form.
func appendPhone(dst []string, typed, e164 any) []string {
	if s, ok := typed.(string); ok {
		dst = appendSuffixes(dst, digitGroups(s))
	}
	if s, ok := e164.(string); ok {
		dst = appendSuffixes(dst, e164Groups(strings.TrimPrefix(s, "+")))
	}
	return dst
}

func appendSuffixes(dst []string, groups []string) []string {
	for i := range groups {
		dst = append(dst, cut(strings.Join(groups[i:], ""), maxWord))
	}
	return dst
}

func digitGroups(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// e164Groups splits numbers of the North American plan (country code 1, then
// 3, 3 and 4 digits) and leaves others whole: how those are grouped varies.
func e164Groups(digits string) []string {
	if len(digits) == 11 && digits[0] == '1' {
		return []string{digits[:1], digits[1:4], digits[4:7], digits[7:]}
	}
	return []string{digits}
}
