package sync

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/internal/fault"
)

// validating is a kind with a field of each type.
func validating(t testing.TB) *Registry {
	t.Helper()
	least, most := -1.5, 10.0
	reg, err := NewRegistry(&Kind{Name: "thing", Scope: fixed(ScopeWorkspace), Fields: []Field{
		{Name: "text", Type: Text, Max: 5}, {Name: "long", Type: LongText}, {Name: "integer", Type: Integer},
		{Name: "number", Type: Number, Min: &least, Limit: &most}, {Name: "boolean", Type: Boolean},
		{Name: "date", Type: Date}, {Name: "time", Type: DateTime}, {Name: "duration", Type: Duration},
		{Name: "choice", Type: Choice, Enum: []string{"a", "b"}}, {Name: "choices", Type: Choices, Enum: []string{"a", "b"}},
		{Name: "ref", Type: Reference, Refs: "thing"}, {Name: "refs", Type: References, Refs: "thing"},
		{Name: "texts", Type: Texts}, {Name: "phone", Type: Phone}, {Name: "email", Type: Email}, {Name: "url", Type: URL},
		{Name: "language", Type: Language}, {Name: "zone", Type: TimeZone}, {Name: "position", Type: Position},
		{Name: "free", Type: Object},
		{Name: "object", Type: Object, Members: []Field{{Name: "in", Type: Text}, {Name: "must", Type: Integer, Required: true}}},
		{Name: "elements", Type: Elements}, {Name: "lines", Type: Elements, Members: []Field{{Name: "count", Type: Integer}}},
		{Name: "any", Type: Any}, {Name: "name", Type: Text, Required: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestValidateTypes(t *testing.T) {
	t.Parallel()
	reg := validating(t)
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	many := "[" + strings.Repeat(`"x",`, 1000) + `"x"]`
	for field, values := range map[string]struct{ good, bad string }{
		// one JSON value per line; of the bad ones with the path and code behind a tab
		"text":     {`"héhéh"` + "\n" + `""`, `"123456"` + "\ttext:too_long\n" + `"a\nb"` + "\ttext:bad_characters\n" + `"\u0000"` + "\ttext:bad_characters\n" + `"\u0085"` + "\ttext:bad_characters\n" + `7` + "\ttext:wrong_type\n" + `[]` + "\ttext:wrong_type"},
		"long":     {`"a\nb\tc"`, `"a\u0007"` + "\tlong:bad_characters\n" + `"` + strings.Repeat("x", 20001) + `"` + "\tlong:too_long"},
		"integer":  {"0\n-7\n9007199254740991\n1e3", "1.5\tinteger:wrong_type\n1e300\tinteger:wrong_type\n9007199254740992\tinteger:wrong_type\n" + `"1"` + "\tinteger:wrong_type"},
		"number":   {"-1.5\n10\n0.1", "-1.6\tnumber:out_of_range\n10.1\tnumber:out_of_range\ntrue\tnumber:wrong_type"},
		"boolean":  {"true\nfalse", `"true"` + "\tboolean:wrong_type\n1\tboolean:wrong_type"},
		"date":     {`"2026-02-28"`, `"2026-02-30"` + "\tdate:bad_format\n" + `"2026-2-3"` + "\tdate:bad_format\n" + `""` + "\tdate:bad_format"},
		"time":     {`"2026-02-28T10:00:00-05:00"` + "\n" + `"2026-02-28T10:00:00.25Z"`, `"2026-02-28T10:00:00"` + "\ttime:bad_format\n" + `"2026-02-28"` + "\ttime:bad_format"},
		"duration": {`"PT90M"` + "\n" + `"P1Y2M3W4DT5H6M7.5S"` + "\n" + `"PT0.5H"` + "\n" + `"P1D"`, `"P"` + "\tduration:bad_format\n" + `"PT"` + "\tduration:bad_format\n" + `"90M"` + "\tduration:bad_format\n" + `"PT1S2M"` + "\tduration:bad_format\n" + `"PT1.5H2M"` + "\tduration:bad_format\n" + `"P1.5DT1H"` + "\tduration:bad_format\n" + `"PT1..5S"` + "\tduration:bad_format\n" + `"PT.5S"` + "\tduration:bad_format\n" + `"PT1H1H"` + "\tduration:bad_format\n" + `"P1H"` + "\tduration:bad_format\n" + `"PT5"` + "\tduration:bad_format"},
		"choice":   {`"a"`, `"c"` + "\tchoice:not_one_of\n" + `["a"]` + "\tchoice:wrong_type"},
		"choices":  {`[]` + "\n" + `["b","a"]`, `["c"]` + "\tchoices.0:not_one_of\n" + `["a","a"]` + "\tchoices.1:repeated\n" + `"a"` + "\tchoices:wrong_type\n" + many + "\tchoices:too_many"},
		"ref":      {`"A-z_09"`, `"a b"` + "\tref:bad_format\n" + `""` + "\tref:bad_format\n7\tref:wrong_type"},
		"refs":     {`["a","b"]`, `["a","a"]` + "\trefs.1:repeated\n" + `[7]` + "\trefs.0:wrong_type\n" + `[null]` + "\trefs.0:wrong_type"},
		"texts":    {`["a","a"]`, `["a\nb"]` + "\ttexts.0:bad_characters\n" + `{}` + "\ttexts:wrong_type"},
		"phone":    {`"418 555-0199 poste 22"` + "\n" + `"ask at the desk"`, `7` + "\tphone:wrong_type"},
		"email":    {`"a.b+c@exemple.qc.ca"`, `"a@"` + "\temail:bad_format\n" + `"A <a@b.ca>"` + "\temail:bad_format\n" + `"a@b.ca, c@d.ca"` + "\temail:bad_format"},
		"url":      {`"https://exemple.ca/a?b=c"` + "\n" + `"http://x"`, `"javascript:alert(1)"` + "\turl:bad_format\n" + `"https://"` + "\turl:bad_format\n" + `"exemple.ca"` + "\turl:bad_format"},
		"language": {`"fr-CA"` + "\n" + `"en"`, `"français"` + "\tlanguage:bad_format\n" + `""` + "\tlanguage:bad_format"},
		"zone":     {`"America/Toronto"` + "\n" + `"UTC"`, `"Local"` + "\tzone:bad_format\n" + `"../etc/passwd"` + "\tzone:bad_format\n" + `""` + "\tzone:bad_format\n" + `"America/Lévis"` + "\tzone:bad_format"},
		"position": {`{"lat":46.8,"lng":-71.2}` + "\n" + `{"lat":-90,"lng":180,"accuracy":5,"source":"gps","pinned":true}`, `{"lat":91,"lng":0}` + "\tposition.lat:out_of_range\n" + `{"lat":1}` + "\tposition.lng:required\n" + `{"lat":1,"lng":null}` + "\tposition.lng:required\n" + `{"lat":1,"lng":1,"alt":3}` + "\tposition.alt:unknown_field\n" + `[1,2]` + "\tposition:wrong_type"},
		"free":     {nested(15) + "\n{}\n" + `{"a":[1,"x",null]}`, nested(17) + "\t\n" + `{"a.b":1}` + "\tfree.a.b:bad_format\n" + `{"a":{"b c":1}}` + "\tfree.a.b c:bad_format\n[]\tfree:wrong_type"},
		"object":   {`{"in":"x","must":1}` + "\n" + `{"in":null}`, `{"must":null}` + "\tobject.must:required\n" + `{"in":1}` + "\tobject.in:wrong_type"},
		"elements": {`[{"id":"a","x":[1]},{"id":"a","removed":true}]`, `[{"id":"a","removed":"yes"}]` + "\telements.0.removed:wrong_type\n" + `[{"id":7}]` + "\telements.0.id:bad_format\n" + `["a"]` + "\telements.0:wrong_type\n" + many + "\telements:too_many"},
		"lines":    {`[{"id":"a","count":1}]`, `[{"id":"a","count":"1"}]` + "\tlines.0.count:wrong_type\n" + `[{"id":"a","x":1}]` + "\tlines.0.x:unknown_field"},
		"any":      {lists(16) + "\n" + `"x"` + "\n" + `{"a b":1}`, lists(17) + "\t\n" + `["\u0000"]` + "\tany.0:bad_characters\n" + many + "\tany:too_many"},
	} {
		for line := range strings.SplitSeq(values.good, "\n") {
			if err := validateJSON(t, reg, field, line); err != nil {
				t.Errorf("%s = %.60s: %v", field, line, err)
			}
		}
		for line := range strings.SplitSeq(values.bad, "\n") {
			text, fields, _ := strings.Cut(line, "\t")
			err := validateJSON(t, reg, field, text)
			if !fault.Is(err, fault.InvalidInput) {
				t.Errorf("%s = %.60s must be refused", field, text)
			} else if got := refusedFields(err); fields != "" && got != fields {
				t.Errorf("%s = %.60s: got %s, want %s", field, text, got, fields)
			}
		}
	}
}

func validateJSON(t testing.TB, reg *Registry, field, text string) error {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return reg.Validate("thing", Fields{field: v}, false)
}

func TestValidateWhole(t *testing.T) {
	t.Parallel()
	reg := validating(t)
	many := Fields{}
	for i := range 1001 {
		many[strings.Repeat("x", i)] = 1.0
	}
	for name, c := range map[string]struct {
		f        Fields
		creating bool
		want     string
	}{
		"creating without what is required": {Fields{"text": "x"}, true, "name:required"},
		"creating with a null":              {Fields{"name": nil}, true, "name:required"},
		"changing something else":           {Fields{"text": nil}, false, ""},
		"all at once, in order":             {Fields{"text": 1.0, "boolean": "x", "zzz": 1.0}, false, "boolean:wrong_type text:wrong_type zzz:unknown_field"},
		"not a number of JSON":              {Fields{"number": math.NaN(), "integer": math.Inf(1), "any": 7}, false, "any:wrong_type integer:wrong_type number:wrong_type"},
		"not UTF-8":                         {Fields{"text": "\xff"}, false, "text:bad_characters"},
		"too many members":                  {many, false, ":too_many"},
	} {
		if got := refusedFields(reg.Validate("thing", c.f, c.creating)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if err := reg.Validate("nothing", nil, true); !fault.Is(err, fault.UnknownKind) {
		t.Errorf("unknown kind: %v", err)
	}
}
