package sync

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// FuzzCanonical: any JSON has one canonical form, however it was spaced,
// escaped and ordered; reading it gives the value it was made of.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":[1.50,-0,1e21,1e-7,123456789012345678],"a":{"z":null,"":true},"\u00e9":"\u2028<&>\ud83d\ude00\ud800"}`,
		"\"\xff\\u0000\\/\"", `[[],{},""]`, ` 1E5 `, `{"a":1,"a":2}`, `5e-324`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		if json.Unmarshal(text, &v) != nil {
			return
		}
		canonical, err := appendJSON(nil, v)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var indented bytes.Buffer
		escaped, err := json.Marshal(v)
		if err == nil {
			err = json.Indent(&indented, text, " ", "\t")
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range [][]byte{canonical, escaped, indented.Bytes()} {
			var w any
			if err := json.Unmarshal(other, &w); err != nil {
				t.Fatalf("%q became %q: %v", text, other, err)
			}
			again, err := appendJSON(nil, w)
			if err != nil || !bytes.Equal(again, canonical) || !equal(v, w) {
				t.Fatalf("%q is %q, but as %q it is %q, %v", text, canonical, other, again, err)
			}
		}
		if copied := clone(v); !reflect.DeepEqual(copied, v) {
			t.Fatalf("%v copied is %v", v, copied)
		}
	})
}

// FuzzValidate: fields are refused with a fault that says where, or can be
// stored and indexed; and what was found valid stays so as it comes back from
// the store.
func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		`{"text":"x","free":{"a":{"b":null}}}`, `{"elements":[{"id":"a","removed":true}],"position":{"lat":1,"lng":2}}`,
		`{"duration":"P1Y2M3W4DT5H6M7.5S","zone":"America/Toronto"}`, `{"any":[[[[]]]],"number":1e400}`,
		`{"name":"n","date":"2026-02-28","time":"2026-02-28T10:00:00.25-05:00","integer":-7,"boolean":false,"choice":"a","choices":["b"]}`,
		`{"name":"n","email":"a@b.ca","url":"https://x/","language":"fr-CA","refs":["a","b"],"object":{"in":"x","must":1},"lines":[{"id":"l","count":2}]}`,
	} {
		f.Add([]byte(seed))
	}
	reg := validating(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var fields Fields
		if json.Unmarshal(data, &fields) != nil {
			return
		}
		err := reg.Validate("thing", fields, true)
		if err != nil {
			if !fault.Is(err, fault.InvalidInput) || len(fault.Of(err).Fields) == 0 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		stored, err := appendJSON(nil, fields)
		if err != nil {
			t.Fatalf("valid fields cannot be stored: %v", err)
		}
		var back Fields
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatal(err)
		}
		if err := reg.Validate("thing", back, true); err != nil {
			t.Fatalf("%s was valid, and is refused as it comes from the store: %v", stored, err)
		}
		if _, _, err := reg.Index("thing", stored); err != nil {
			t.Fatalf("valid fields cannot be indexed: %v", err)
		}
	})
}

// FuzzEntry: the text of a filter is refused with a fault, or compares with
// itself and, by order, as the values it stands for do.
func FuzzEntry(f *testing.F) {
	for i, seed := range []string{"3", "-1.50", "true", "2026-11-21", "2026-11-21T10:00:00.5-05:00", "PT90M", "Élan", "1e400", "0x10", "9999-12-31T23:59:59-14:00", "-0", ""} {
		f.Add(uint8(i), seed, "2")
	}
	f.Add(uint8(1), "-1.5", "-2")
	f.Add(uint8(7), "10", "9")
	types := []Type{Integer, Number, Boolean, Date, DateTime, Duration, Text, Any}
	f.Fuzz(func(t *testing.T, typ uint8, a, b string) {
		field := &Field{Name: "x", Type: types[int(typ)%len(types)], Filter: true}
		x, err := EntryFor(field, "x", a)
		if err != nil {
			if e := fault.Of(err); e.Code == fault.Internal || e.Detail("fr") == "" {
				t.Fatalf("%q: %v", a, err)
			}
			return
		}
		if again, err := EntryFor(field, "x", x.Exact); err != nil || again != x {
			t.Fatalf("%q gives %+v, which gives %+v, %v", a, x, again, err)
		}
		y, err := EntryFor(field, "x", b)
		if err != nil {
			return
		}
		want, ok := compareValues(field.Type, a, b)
		if ok && strings.Compare(x.Order, y.Order) != want {
			t.Fatalf("%q and %q have the orders %q and %q, want %d", a, b, x.Order, y.Order, want)
		}
	})
}

// compareValues of a type by what they mean; not ok where that is not defined
// apart from the order itself.
func compareValues(typ Type, a, b string) (c int, ok bool) {
	switch typ {
	case Integer, Number:
		x, _, errX := big.ParseFloat(a, 10, 53, big.ToNearestEven)
		y, _, errY := big.ParseFloat(b, 10, 53, big.ToNearestEven)
		if errX != nil || errY != nil || !plainFloat(x) || !plainFloat(y) {
			return 0, false
		}
		return x.Cmp(y), true
	case Date:
		x, errX := time.Parse(time.DateOnly, a)
		y, errY := time.Parse(time.DateOnly, b)
		return x.Compare(y), errX == nil && errY == nil
	case DateTime:
		x, errX := time.Parse(time.RFC3339, a)
		y, errY := time.Parse(time.RFC3339, b)
		return x.Compare(y), errX == nil && errY == nil
	}
	return 0, false
}

// plainFloat says whether the number is a float64 and not one of the least,
// which have fewer bits.
func plainFloat(x *big.Float) bool {
	v, _ := x.Float64()
	return v == 0 && x.Sign() == 0 || math.Abs(v) > 1e-300 && !math.IsInf(v, 0)
}

// FuzzWords: the forms of single words are what the standards say, and those
// that are read later can be read.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{
		"P1Y2M3W4DT5H6M7.5S", "PT0.5H", "PT1.5H2M", "P1.5DT1H", "P1.5D", "PT1H1H", "PT1M1H", "P", "PT", "2026-02-29", "2024-02-29", "2026-11-21T10:00:00+14:00", "24:00", "America/Toronto", "../etc", "Local", "",
		"a@b.ca", "\"a b\"@c.d", "https://[::1]:80/ä?q#f", "http://%zz", "fr-CA-x-private", "A-z_09", "P99999999999999999999999999999999999Y",
	} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$`)
	fraction := regexp.MustCompile(`\.[0-9]+([A-Z])$`)
	f.Fuzz(func(t *testing.T, s string) {
		whole := form.MatchString(fraction.ReplaceAllString(s, "$1"))
		want := whole && s != "P" && !strings.HasSuffix(s, "T") && len(s) <= 40
		if got := validDuration(s); got != want {
			t.Fatalf("%q is a duration: %v, want %v", s, got, want)
		}
		if sec := durationSeconds(s); want && (sec < 0 || math.IsNaN(sec) || math.IsInf(sec, 0)) {
			t.Fatalf("%q takes %v seconds", s, sec)
		}
		for typ := range Any + 1 {
			if _, ok := wellFormed(typ, s); ok {
				checkWord(t, typ, s)
			}
		}
	})
}

// checkWord: what reads a word later must be able to.
func checkWord(t *testing.T, typ Type, s string) {
	t.Helper()
	switch typ {
	case Date:
		if n := parseDay(s); time.Unix(int64(n)*86400, 0).UTC().Format(time.DateOnly) != s {
			t.Fatalf("the date %q is day %d", s, n)
		}
	case DateTime:
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if e, ok := entry(DateTime, s); !ok || len(e.Order) != len("2026-11-21T10:00:00.000000000Z") {
			t.Fatalf("%q (%v) sorts as %q", s, at, e.Order)
		}
	case TimeZone:
		if strings.Contains(s, "..") || strings.HasPrefix(s, "/") {
			t.Fatalf("%q is taken for a time zone", s)
		}
	case Reference:
		if !validID(s) || strings.ContainsAny(s, " /.:%") {
			t.Fatalf("%q is taken for an id", s)
		}
	}
}
