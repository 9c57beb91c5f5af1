package web

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/internal/fault"
)

func TestDecodeJSONRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		code fault.Code
	}{
		"nothing":                      {"", fault.MalformedJSON},
		"an open object":               {`{"a":1`, fault.MalformedJSON},
		"an open string":               {`{"a":"b`, fault.MalformedJSON},
		"a comma too many":             {`[1,]`, fault.MalformedJSON},
		"a bare name":                  {`{a:1}`, fault.MalformedJSON},
		"two texts":                    {`{} {}`, fault.MalformedJSON},
		"something after":              {`{}x`, fault.MalformedJSON},
		"a leading zero":               {`01`, fault.MalformedJSON},
		"a lone minus":                 {`-`, fault.MalformedJSON},
		"a number too great":           {`1e999`, fault.MalformedJSON},
		"not a number":                 {`NaN`, fault.MalformedJSON},
		"half a word":                  {`tru`, fault.MalformedJSON},
		"a control character":          {"\"a\nb\"", fault.MalformedJSON},
		"an unknown escape":            {`"\x41"`, fault.MalformedJSON},
		"half an escape":               {`"\u12"`, fault.MalformedJSON},
		"a signed escape":              {`"\u+123"`, fault.MalformedJSON},
		"a byte order mark":            {"\ufeff{}", fault.MalformedJSON},
		"bytes that no text has":       {"\"\xff\"", fault.BadUTF8},
		"a member twice":               {`{"a":1,"b":2,"a":3}`, fault.DuplicateMember},
		"a member twice, once escaped": {`{"a":1,"\u0061":3}`, fault.DuplicateMember},
		"arrays too deep":              {strings.Repeat("[", 33) + strings.Repeat("]", 33), fault.TooDeep},
		"a million brackets":           {strings.Repeat("[", 1_000_000), fault.TooDeep},
		"objects too deep":             {strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), fault.TooDeep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := decodeJSON([]byte(tt.text))
			if !fault.Is(err, tt.code) {
				t.Errorf("got %v, %v; want %s", v, err, tt.code)
			}
			if fault.Of(err).Code.Status() != 400 {
				t.Errorf("status %d, want 400", fault.Of(err).Code.Status())
			}
		})
	}
}

func TestDecodeJSONAcceptsTheDeepestAllowed(t *testing.T) {
	t.Parallel()
	if _, err := decodeJSON([]byte(strings.Repeat("[", 32) + strings.Repeat("]", 32))); err != nil {
		t.Error(err)
	}
}

// TestDecodeJSONReadsWhatWasWritten: every value comes back as encoding/json
// would give it.
func TestDecodeJSONReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, err := json.Marshal(jsonValue(4).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		compareWithStandard(t, text)
	})
}

// jsonValue draws values of some depth.
func jsonValue(depth int) *rapid.Generator[any] {
	plain := rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
		rapid.SampledFrom([]any{"\U0001F6A7 chantier", "a\\b\"c/", "\u2028", "tab\t", 0.0, -1.5e-7, 1e21}),
	)
	if depth == 0 {
		return plain
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return jsonValue(depth - 1) })
	return rapid.OneOf(plain, rapid.SliceOfN(inner, 0, 4).AsAny(), rapid.MapOfN(rapid.String(), inner, 0, 4).AsAny())
}

func compareWithStandard(t interface {
	Helper()
	Fatalf(string, ...any)
}, text []byte) {
	t.Helper()
	var want any
	bad := json.Unmarshal(text, &want)
	got, err := decodeJSON(text)
	switch {
	case err == nil && bad != nil:
		t.Fatalf("%q is accepted; encoding/json says %v", text, bad)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Fatalf("%q gives %#v, want %#v", text, got, want)
	case err != nil && bad == nil && fault.Is(err, fault.MalformedJSON):
		t.Fatalf("%q is refused: %v", text, err)
	}
}
