package web_test

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/internal/fold"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// listed adds clients with all sorts of values, and gives all there are.
func listed(f *testing.F, w *world) map[string]sync.Fields {
	f.Helper()
	at := func(list []any, i int) any { return list[i%len(list)] }
	for i := range 30 {
		set := sync.Fields{
			"name":        at([]any{"Élan ", "elan", "Œuvre Côté", "Bois-Franc", "12", "株式会社", "ǅ", "x_y%z"}, i).(string) + fmt.Sprint(" ", i),
			"code":        fmt.Sprint(at([]any{"A-", "a", "9", "10", "É"}, i), i),
			"searchCode":  at([]any{"0042", "42", "-1.5", "1e3", "Zoé"}, i),
			"note":        at([]any{"Porte arrière, sonner 2 fois", "l’entrée n’est pas là", "", "\"*' NEAR(x)"}, i),
			"isPerson":    i%3 == 0,
			"disabled":    i%5 == 0,
			"creditLimit": float64(i%4) * 100,
			"custom":      map[string]any{"color": at([]any{"Rouge", "rouge", "9", 12.0, true, nil}, i), "in": at([]any{"in", "gte"}, i)},
			"address":     map[string]any{"city": at([]any{"Laval", "Lévis", "L"}, i), "postalCode": "H3S 1Z7"},
		}
		for name := range set {
			if (i+len(name))%7 == 0 && name != "name" {
				delete(set, name)
			}
		}
		w.MustWrite(enginetest.Console("ana"), enginetest.Create(clients.KindClient, fmt.Sprintf("k%02d", i), set))
		w.Clock.Advance(time.Minute)
	}
	all := map[string]sync.Fields{}
	for _, raw := range w.do("GET", "/v1/clients?disabled=true,false&limit=500", w.token("ana", ""), nil).want(http.StatusOK).object()["items"].([]any) {
		d := raw.(map[string]any)
		all[d["id"].(string)] = d
	}
	return all
}

// FuzzList: a list has exactly the documents that a look at every document
// finds, in order, page by page; or the answer says which parameter is wrong.
func FuzzList(f *testing.F) {
	w := open(f)
	all, ana := listed(f, w), w.token("ana", "")
	for i, value := range []string{
		"elan", "Élan 0", "true", "false,true", "12", "0042", "-1.50", "k01,k02,c1", "2026-11-21T12:05:00.0Z", "\x00", strings.Repeat("é", 150), "10", "", "4,5",
	} {
		f.Add(uint8(i), uint8(i), value, uint8(i), "")
		f.Add(uint8(i+3), uint8(i+1), value, uint8(2*i), "el")
	}
	f.Add(uint8(12), uint8(0), "k", uint8(3), "porte arr 2")
	f.Add(uint8(12), uint8(0), "k", uint8(0), "\"*' NEAR( AND OR - ^ \x00")
	for _, order := range []uint8{7, 9, 17, 21, 22} { // by fields that many share, and some lack
		f.Add(uint8(12), uint8(0), "", order, "")
	}
	f.Add(uint8(9), uint8(0), "in,x", uint8(0), "")
	fields := []string{"name", "code", "searchCode", "isPerson", "disabled", "rev", "id", "updatedAt", "custom.color", "custom.in", "address.city", "custom.none", "", "creditLimit", "note"}
	ops := []string{"", ".in", ".gte", ".lte", ".prefix", ".exists"}
	f.Fuzz(func(t *testing.T, field, op uint8, value string, order uint8, search string) {
		if len(value)+len(search) > 1000 {
			return // longer lines are refused as such
		}
		w := w.in(t)
		q := listQuery{
			field: fields[int(field)%len(fields)], op: ops[int(op)%len(ops)], value: value, search: search,
			sort: fields[int(order>>1)%len(fields)], descending: order&1 == 1,
		}
		first := w.do("GET", "/v1/clients?"+q.encode(7, ""), ana, nil)
		want, ok := q.find(all)
		if !ok {
			if first.status == http.StatusOK {
				t.Fatalf("%+v is answered: %s", q, first.body)
			}
			first.problem(first.status, first.text("code"))
			return
		}
		var got []string
		for page := first.want(http.StatusOK); ; page = w.do("GET", "/v1/clients?"+q.encode(7, page.text("next")), ana, nil).want(http.StatusOK) {
			got = append(got, page.ids("items")...)
			if n := page.number("total"); n != float64(len(want)) || len(got) > len(want) {
				t.Fatalf("%+v: total %v, got %q, want %q", q, n, got, want)
			}
			if page.object()["next"] == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v gives %q, want %q", q, got, want)
		}
	})
}

// listQuery is a list with at most one filter and one sort key.
type listQuery struct {
	field, op, value, search, sort string
	descending                     bool
}

func (q listQuery) encode(limit int, after string) string {
	v := url.Values{"limit": {strconv.Itoa(limit)}}
	if q.field != "" {
		v.Set(q.field+q.op, q.value)
	}
	if q.search != "" {
		v.Set("q", q.search)
	}
	if q.sort != "" {
		v.Set("sort", map[bool]string{true: "-"}[q.descending]+q.sort)
	}
	if after != "" {
		v.Set("after", after)
	}
	return v.Encode()
}

// find looks at every document; not ok when the query is to be refused.
func (q listQuery) find(all map[string]sync.Fields) (ids []string, ok bool) {
	unlisted := []string{"creditLimit", "note"}
	if !utf8.ValidString(q.value) && q.field != "" || !utf8.ValidString(q.search) || slices.Contains(unlisted, q.field) || slices.Contains(unlisted, q.sort) || !q.wellFormed() {
		return nil, false
	}
	for id, d := range all {
		hidden := d["disabled"] == true && q.field != "disabled" && q.field != "id"
		if !hidden && q.meets(d) && found(d, q.search) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return q.compare(all, a, b) })
	return ids, true
}

// values of a filter.
func (q listQuery) values() []string {
	if q.op == ".in" || q.op == "" && (q.field == "isPerson" || q.field == "disabled") {
		return strings.Split(q.value, ",")
	}
	return []string{q.value}
}

// wellFormed says whether the values can be of the field's type.
func (q listQuery) wellFormed() bool {
	if q.field == "" {
		return true
	}
	if q.op == ".exists" {
		return q.value == "true" || q.value == "false"
	}
	values := q.values()
	return len(values) <= 500 && !slices.ContainsFunc(values, func(v string) bool { return !readable(q.field, v) })
}

func readable(field, v string) bool {
	switch field {
	case "isPerson", "disabled":
		return v == "true" || v == "false"
	case "rev":
		n, err := strconv.ParseFloat(v, 64)
		return err == nil && n == math.Trunc(n) && !math.IsInf(n, 0)
	case "updatedAt":
		_, ok := sync.ParseInstant(v)
		return ok
	}
	return true
}

// scalar is the one value of a field; "" is none.
func scalar(d sync.Fields, path string) any {
	name, member, inside := strings.Cut(path, ".")
	v := d[name]
	if inside {
		m, _ := v.(map[string]any)
		v = m[member]
	}
	if v == "" {
		return nil
	}
	return v
}

func (q listQuery) meets(d sync.Fields) bool {
	v := scalar(d, q.field)
	if q.op == ".exists" {
		return (v != nil) == (q.value == "true")
	}
	return q.field == "" || v != nil && slices.ContainsFunc(q.values(), func(w string) bool { return q.holds(v, w) })
}

func (q listQuery) holds(v any, w string) bool {
	switch c := q.against(v, w); q.op {
	case ".gte":
		return c >= 0
	case ".lte":
		return c <= 0
	case ".prefix":
		return strings.HasPrefix(order(q.field, v), order(q.field, typed(q.field, w)))
	default:
		return plainText(v) == plainText(typed(q.field, w)) || q.field == "updatedAt" && c == 0
	}
}

func (q listQuery) against(v any, w string) int {
	return strings.Compare(order(q.field, v), order(q.field, typed(q.field, w)))
}

// typed is the text of a query as a value of the field.
func typed(field, w string) any {
	switch {
	case field == "rev":
		n, _ := strconv.ParseFloat(w, 64)
		return n
	case field == "isPerson", field == "disabled":
		return w == "true"
	case strings.HasPrefix(field, "custom."):
		if n, ok := numeral(w); ok {
			return n
		}
	}
	return w
}

// numeral is a text that is a number in its usual form.
func numeral(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && plainText(n) == text && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// numberOrder is a text that sorts as numbers do (IEEE 754, section 5.10).
func numberOrder(n float64) string {
	if n < 0 {
		return fmt.Sprintf("%016x", ^math.Float64bits(n))
	}
	return fmt.Sprintf("%016x", math.Float64bits(n+0)|1<<63)
}

func plainText(v any) string {
	n, ok := v.(float64)
	switch {
	case ok && math.Abs(n) < 1e21:
		return strconv.FormatFloat(n, 'f', -1, 64)
	case ok:
		return strconv.FormatFloat(n, 'e', -1, 64)
	}
	return fmt.Sprint(v)
}

// order is a text that sorts as values of the field do: free members that are
// numbers, or read like some, as numbers.
func order(field string, v any) string {
	text := plainText(v)
	switch {
	case field == "updatedAt":
		at, _ := sync.ParseInstant(text)
		return at.Format("2006-01-02T15:04:05.000000000Z")
	case field == "rev", strings.HasPrefix(field, "custom."):
		if n, ok := numeral(text); ok || field == "rev" {
			return numberOrder(n)
		}
	}
	folded := []rune(fold.Name(text))
	return string(folded[:min(len(folded), 100)])
}

// found says whether every word of the search begins a word of the document.
func found(d sync.Fields, search string) bool {
	var have []string
	for _, name := range []string{"name", "companyName", "code", "userId", "searchCode", "cardId", "firstName", "lastName", "email", "note"} {
		text, _ := d[name].(string)
		have = append(have, fold.Words(text)...)
	}
	for _, name := range []string{"phone", "phoneE164"} {
		typed, _ := d[name].(string)
		have = append(have, phoneWords(typed)...)
	}
	address, _ := d["address"].(map[string]any)
	for _, v := range address {
		have = append(have, fold.Words(v.(string))...)
	}
	for _, w := range fold.Words(search) {
		runes := []rune(w)
		w = string(runes[:min(len(runes), 40)])
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

// phoneWords are the digits of a number from the start of each group on; in
// North America, groups are of 1, 3, 3 and 4 digits also where none are typed.
func phoneWords(typed string) (out []string) {
	if rest, ok := strings.CutPrefix(typed, "+1"); ok && len(rest) == 10 {
		typed = "1 " + rest[:3] + " " + rest[3:6] + " " + rest[6:]
	}
	groups := strings.FieldsFunc(typed, func(r rune) bool { return r < '0' || r > '9' })
	for i := range groups {
		out = append(out, strings.Join(groups[i:], ""))
	}
	return out
}

// compare two documents: what has no value comes last, what is alike by id.
func (q listQuery) compare(all map[string]sync.Fields, a, b string) int {
	if q.sort == "" {
		return cmp.Compare(a, b)
	}
	x, y := scalar(all[a], q.sort), scalar(all[b], q.sort)
	switch {
	case x == nil && y != nil:
		return 1
	case x != nil && y == nil:
		return -1
	}
	c := cmp.Compare(a, b)
	if x != nil {
		c = cmp.Or(strings.Compare(order(q.sort, x), order(q.sort, y)), c)
	}
	if q.descending {
		return -c
	}
	return c
}
