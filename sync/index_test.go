package sync

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/internal/fault"
)

// indexed is a registry with one kind of these fields.
func indexed(t testing.TB, fields ...Field) *Registry {
	t.Helper()
	r, err := NewRegistry(&Kind{
		Name: "thing", Fields: fields,
		Scope: func(Reader, string, Fields) (string, error) { return ScopeWorkspace, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// entriesOf indexes a body and gives "field=exact" of all but the reserved
// members.
func entriesOf(t *testing.T, r *Registry, body string) []string {
	t.Helper()
	entries, _, err := r.Index("thing", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !reserved[e.Field] {
			out = append(out, e.Field+"="+e.Exact)
		}
	}
	slices.Sort(out)
	return out
}

func TestIndexEntries(t *testing.T) {
	t.Parallel()
	r := indexed(t,
		Field{Name: "name", Type: Text, Filter: true},
		Field{Name: "hidden", Type: Text},
		Field{Name: "count", Type: Integer, Filter: true},
		Field{Name: "price", Type: Number, Filter: true},
		Field{Name: "done", Type: Boolean, Filter: true},
		Field{Name: "day", Type: Date, Filter: true},
		Field{Name: "at", Type: DateTime, Filter: true},
		Field{Name: "long", Type: Duration, Filter: true},
		Field{Name: "people", Type: References, Refs: "thing", Filter: true},
		Field{Name: "custom", Type: Object, Filter: true},
		Field{Name: "address", Type: Object, Filter: true, Members: []Field{{Name: "zip", Type: Text}}},
		Field{Name: "parts", Type: Elements, Filter: true},
		Field{Name: "where", Type: Position, Filter: true},
	)
	for body, want := range map[string][]string{
		`{}`:                        nil,
		`{"name":"","hidden":"x"}`:  nil,
		`{"name":null,"custom":{}}`: nil,
		`{"name":" Élan  Vert"}`:    {"name= Élan  Vert"},
		`{"count":3,"price":2.50}`:  {"count=3", "price=2.5"},
		`{"price":1e300,"done":false,"day":"2026-11-21"}`: {"day=2026-11-21", "done=false", "price=1e+300"},
		`{"at":"2026-11-21T10:00:00-05:00"}`:              {"at=2026-11-21T15:00:00.000000000Z"},
		`{"at":"yesterday","count":1.5,"long":"P1"}`:      nil, // not of their types
		`{"long":"PT90M"}`:                                {"long=PT90M"},
		`{"people":["e1","e2"]}`:                          {"people=e1", "people=e2"},
		`{"custom":{"color":"Rouge","n":7,"ok":true,"list":["a","b"],"deep":{"x":1}}}`: {
			"custom.color=Rouge", "custom.list=a", "custom.list=b", "custom.n=7", "custom.ok=true"},
		`{"address":{"zip":"12"},"parts":[{"id":"p"}],"where":{"lat":1}}`: {"address.zip=12"},
	} {
		if got := entriesOf(t, r, body); !slices.Equal(got, want) {
			t.Errorf("%s gives %q, want %q", body, got, want)
		}
	}
	if _, _, err := r.Index("thing", []byte("{")); err == nil {
		t.Error("a body that is no JSON was indexed")
	}
	if entries, words, err := r.Index("unheard", []byte("{")); entries != nil || words != nil || err != nil {
		t.Errorf("an unknown kind gave %v, %v, %v", entries, words, err)
	}
}

// TestIndexReserved: every kind is filtered and sorted by these.
func TestIndexReserved(t *testing.T) {
	t.Parallel()
	r := indexed(t)
	entries, _, err := r.Index("thing", []byte(`{"kind":"thing","id":"T-1","rev":12,"scope":"workspace",
		"createdAt":"2026-11-21T10:00:00.5Z","updatedAt":"2026-11-21T10:00:01Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"id": "T-1", "rev": "12",
		"createdAt": "2026-11-21T10:00:00.500000000Z", "updatedAt": "2026-11-21T10:00:01.000000000Z",
	}
	for _, e := range entries {
		if want[e.Field] != e.Exact {
			t.Errorf("%s is %q, want %q", e.Field, e.Exact, want[e.Field])
		}
		delete(want, e.Field)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// TestEntryForFindsWhatIsIndexed: the value as it stands in a document, asked
// for as text, gives the same entry.
func TestEntryForFindsWhatIsIndexed(t *testing.T) {
	t.Parallel()
	fields := []Field{
		{Name: "text", Type: Text, Filter: true}, {Name: "number", Type: Number, Filter: true},
		{Name: "flag", Type: Boolean, Filter: true}, {Name: "custom", Type: Object, Filter: true},
	}
	r := indexed(t, fields...)
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) }).Draw(rt, "number")
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aÉé 01.-e\u0301œ")), 1, 200, -1).Draw(rt, "text")
		body, err := json.Marshal(map[string]any{
			"text": text, "number": number, "flag": true,
			"custom": map[string]any{"text": text, "number": number, "flag": false},
		})
		if err != nil {
			rt.Fatal(err)
		}
		entries, _, err := r.Index("thing", body)
		if err != nil {
			rt.Fatal(err)
		}
		if len(entries) != 6 {
			rt.Fatalf("%s gives %v", body, entries)
		}
		for _, e := range entries {
			name, _, _ := strings.Cut(e.Field, ".")
			got, err := EntryFor(r.Kind("thing").Field(name), e.Field, e.Exact)
			if err != nil || got != e {
				rt.Fatalf("EntryFor(%s, %q) = %v, %v, want %v", e.Field, e.Exact, got, err, e)
			}
		}
	})
}

func TestEntryForRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		t    Type
		text string
		code fault.Code
	}{
		{Integer, "x", fault.WrongType}, {Integer, "1.5", fault.WrongType}, {Number, "NaN", fault.WrongType},
		{Number, "Inf", fault.WrongType}, {Number, "", fault.WrongType}, {Boolean, "yes", fault.NotOneOf},
		{Date, "21/11/2026", fault.BadFormat}, {DateTime, "2026-11-21", fault.BadFormat},
		{Duration, "90 min", fault.BadFormat},
	} {
		f := &Field{Name: "f", Type: test.t, Filter: true}
		if e, err := EntryFor(f, "f", test.text); !fault.Is(err, test.code) {
			t.Errorf("type %d, %q: %v, %v, want %s", test.t, test.text, e, err, test.code)
		} else if detail := fault.Of(err).Detail("en"); strings.ContainsAny(detail, "{}") {
			t.Errorf("type %d: the text has a hole: %s", test.t, detail)
		}
	}
}

// TestOrderSorts: the sort keys of numbers, instants and durations compare as
// these do.
func TestOrderSorts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.Float64().Draw(rt, "a"), rapid.Float64().Draw(rt, "b")
		if got := cmp.Compare(numberOrder(a), numberOrder(b)); got != cmp.Compare(a, b) {
			rt.Fatalf("%v and %v: order %d", a, b, got)
		}
		one := rapid.Int64Range(0, 4e9).Draw(rt, "one")
		two := rapid.Int64Range(0, 4e9).Draw(rt, "two")
		zone := time.FixedZone("", 3600*rapid.IntRange(-12, 12).Draw(rt, "zone"))
		x, _ := entry(DateTime, time.Unix(one, 0).In(zone).Format(time.RFC3339))
		y, _ := entry(DateTime, time.Unix(two, 0).UTC().Format(time.RFC3339))
		if cmp.Compare(x.Order, y.Order) != cmp.Compare(one, two) {
			rt.Fatalf("%v and %v do not sort as %d and %d", x, y, one, two)
		}
	})
	if numberOrder(math.Copysign(0, -1)) != numberOrder(0) {
		t.Error("negative zero sorts apart from zero")
	}
	durations := []string{"PT0S", "PT0.5S", "PT90S", "PT2M", "PT90M", "PT2H", "P1D", "P1DT1S", "P1W", "P1M", "P1Y"}
	for i := 1; i < len(durations); i++ {
		a, okA := entry(Duration, durations[i-1])
		b, okB := entry(Duration, durations[i])
		if !okA || !okB || a.Order >= b.Order {
			t.Errorf("%s does not sort before %s", durations[i-1], durations[i])
		}
	}
}

func TestIndexWords(t *testing.T) {
	t.Parallel()
	r := indexed(t,
		Field{Name: "name", Type: Text, Search: true},
		Field{Name: "hidden", Type: Text},
		Field{Name: "number", Type: Integer, Search: true},
		Field{Name: "tags", Type: Texts, Search: true},
		Field{Name: "address", Type: Object, Search: true},
		Field{Name: "phone", Type: Phone, Search: true},
		Field{Name: "phoneE164", Type: Text},
	)
	for body, want := range map[string]string{
		`{"name":"L’Épicerie du Cœur","hidden":"x"}`:                            "coeur du epicerie l",
		`{"number":1234,"tags":["Été","b c"]}`:                                  "1234 b c ete",
		`{"address":{"city":"Lévis","n":5}}`:                                    "5 levis",
		`{"phone":"738-1234"}`:                                                  "1234 7381234 738",
		`{"phone":"5147381234","phoneE164":"+15147381234"}`:                     "1234 15147381234 5147381234 7381234",
		`{"phone":"0 1 42 68 53 00","phoneE164":"+33142685300"}`:                "0 00 01 0142685300 1 142685300 33142685300 42 42685300 5300 53 68 685300",
		`{"name":"` + strings.Repeat("é", 50) + `"}`:                            strings.Repeat("e", 40),
		`{"phone":"` + strings.Repeat("1 ", 5) + strings.Repeat("2", 60) + `"}`: "",
	} {
		_, words, err := r.Index("thing", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for w := range strings.FieldsSeq(want) {
			if !slices.ContainsFunc(words, func(have string) bool { return strings.HasPrefix(have, w) }) {
				t.Errorf("%s: %q is not found among %q", body, w, words)
			}
		}
		for _, w := range words {
			if len(w) > maxWord {
				t.Errorf("%s: word %q is too long", body, w)
			}
		}
		if slices.Contains(words, "x") {
			t.Errorf("%s: a field that is not searched is", body)
		}
	}
}

// TestSearchFindsItself: what stands in a document is found by typing it, or
// the beginning of its words, in any spelling of its accents.
func TestSearchFindsItself(t *testing.T) {
	t.Parallel()
	r := indexed(t, Field{Name: "name", Type: Text, Search: true})
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		body, err := json.Marshal(map[string]string{"name": text})
		if err != nil {
			rt.Fatal(err)
		}
		_, words, err := r.Index("thing", body)
		if err != nil {
			rt.Fatal(err)
		}
		runes := []rune(text)
		start := string(runes[:rapid.IntRange(0, len(runes)).Draw(rt, "typed")])
		for _, q := range []string{text, norm.NFC.String(text), norm.NFD.String(text), start} {
			for _, w := range searchWords(q) {
				if !slices.ContainsFunc(words, func(have string) bool { return strings.HasPrefix(have, w) }) {
					rt.Fatalf("%q of %q is not found among %q", w, q, words)
				}
			}
		}
	})
}

// TestIndexVersion changes with what is indexed, and with nothing else.
func TestIndexVersion(t *testing.T) {
	t.Parallel()
	base := Field{Name: "name", Type: Text, Filter: true}
	version := func(change func(*Field)) string {
		f := base
		change(&f)
		return indexed(t, f).Version()
	}
	same := version(func(*Field) {})
	if version(func(f *Field) { f.Required, f.Max, f.Policy = true, 5, Office }) != same {
		t.Error("the version changed with what is not indexed")
	}
	for name, change := range map[string]func(*Field){
		"name": func(f *Field) { f.Name = "other" }, "type": func(f *Field) { f.Type = Integer },
		"filter": func(f *Field) { f.Filter = false }, "search": func(f *Field) { f.Search = true },
		"members": func(f *Field) { f.Members = []Field{{Name: "m", Type: Number}} },
	} {
		if version(change) == same {
			t.Errorf("the version stayed the same under another %s", name)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	r := indexed(b,
		Field{Name: "name", Type: Text, Filter: true, Search: true},
		Field{Name: "phone", Type: Phone, Filter: true, Search: true},
		Field{Name: "address", Type: Object, Filter: true, Search: true},
		Field{Name: "disabled", Type: Boolean, Filter: true},
	)
	body := []byte(`{"kind":"thing","id":"0198c0de-0000-7000-8000-000000000001","rev":12,"scope":"workspace",
		"createdAt":"2026-11-21T10:00:00Z","updatedAt":"2026-11-21T10:00:00Z","name":"Dépanneur Élan",
		"phone":"(514) 738-1234","disabled":false,"address":{"line1":"12 rue de l'Église","city":"Lévis"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Index("thing", body); err != nil {
			b.Fatal(err)
		}
	}
}
