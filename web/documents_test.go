package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestCreateGetChangeDelete(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")

	made := w.do("POST", "/v1/clients", ana, map[string]any{"id": "n1", "name": "Neuf", "note": nil}).want(http.StatusCreated)
	if got := made.header.Get("Location"); got != "/v1/clients/n1" {
		t.Errorf("Location %q", got)
	}
	tag := made.header.Get("ETag")
	got := w.do("GET", "/v1/clients/n1", ana, nil).want(http.StatusOK)
	if string(got.body) != string(made.body) || got.header.Get("ETag") != tag || got.text("kind") != "client" {
		t.Errorf("what was made and what is there differ:\n%s\n%s", made.body, got.body)
	}
	got.without(`"note"`)

	changed := w.do("PATCH", "/v1/clients/n1", ana, map[string]any{"phone": "514 555-0123", "custom": map[string]any{"a": 1, "b": 2}},
		"If-Match", tag, "Content-Type", "application/merge-patch+json").want(http.StatusOK)
	if changed.text("phone") != "514 555-0123" || changed.header.Get("ETag") == tag {
		t.Errorf("changed: %s", changed.body)
	}
	changed = w.do("PATCH", "/v1/clients/n1", ana, map[string]any{"phone": nil, "custom": map[string]any{"a": nil}}).want(http.StatusOK)
	if custom := changed.object()["custom"]; len(custom.(map[string]any)) != 1 {
		t.Errorf("custom is %v, want only b", custom)
	}
	changed.without(`"phone"`)

	w.do("DELETE", "/v1/clients/n1", ana, nil, "If-Match", tag).problem(http.StatusPreconditionFailed, "precondition_failed")
	gone := w.do("DELETE", "/v1/clients/n1", ana, nil).want(http.StatusNoContent)
	if len(gone.body) > 0 {
		t.Errorf("a 204 with a body: %s", gone.body)
	}
	w.do("GET", "/v1/clients/n1", ana, nil).problem(http.StatusNotFound, "not_found")
	w.do("DELETE", "/v1/clients/never", ana, nil).problem(http.StatusNotFound, "not_found")
}

func TestCreateMakesAnID(t *testing.T) {
	t.Parallel()
	w := open(t)
	a := w.do("POST", "/v1/clients", w.token("ana", ""), map[string]any{"name": "Neuf"}).want(http.StatusCreated)
	if id := a.text("id"); len(id) != 36 || a.header.Get("Location") != "/v1/clients/"+id {
		t.Errorf("id %q, Location %q", id, a.header.Get("Location"))
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	tag := w.do("GET", "/v1/clients/c1", ana, nil).want(http.StatusOK).header.Get("ETag")
	for _, match := range []string{tag, "W/" + tag, `"0", ` + tag, "*"} {
		a := w.do("GET", "/v1/clients/c1", ana, nil, "If-None-Match", match).want(http.StatusNotModified)
		if len(a.body) > 0 || a.header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: ETag %q and body %q", match, a.header.Get("ETag"), a.body)
		}
	}
	w.do("GET", "/v1/clients/c1", ana, nil, "If-None-Match", `"999999"`).want(http.StatusOK)
}

// TestIdempotencyKey: a request that is sent again, as after a lost answer,
// has no second effect and gets the first answer.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	body := map[string]any{"name": "Une seule fois"}
	first := w.do("POST", "/v1/clients", ana, body, "Idempotency-Key", "k1").want(http.StatusCreated)
	head := w.head()
	again := w.do("POST", "/v1/clients", ana, body, "Idempotency-Key", "k1").want(http.StatusCreated)
	if string(first.body) != string(again.body) || first.header.Get("Location") != again.header.Get("Location") {
		t.Errorf("first %s\nagain %s", first.body, again.body)
	}
	w.do("POST", "/v1/clients", ana, map[string]any{"name": "Autre"}, "Idempotency-Key", "k1").
		problem(http.StatusUnprocessableEntity, "idempotency_key_reused")
	w.do("PATCH", "/v1/clients/c1", ana, body, "Idempotency-Key", "k1").
		problem(http.StatusUnprocessableEntity, "idempotency_key_reused")
	w.do("POST", "/v1/clients", ana, body, "Idempotency-Key", strings.Repeat("k", 256)).
		problem(http.StatusUnprocessableEntity, "invalid").blames("Idempotency-Key", "too_long")
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}

	w.do("POST", "/v1/clients", w.token("dan", ""), map[string]any{"name": "De Dan"}, "Idempotency-Key", "k1").want(http.StatusCreated)
	at := "/v1/clients/" + first.text("id")
	w.do("DELETE", at, ana, nil, "Idempotency-Key", "k2").want(http.StatusNoContent)
	head = w.head()
	w.do("DELETE", at, ana, nil, "Idempotency-Key", "k2").want(http.StatusNoContent)
	w.do("POST", "/v1/clients", ana, body, "Idempotency-Key", "k1").want(http.StatusNoContent).without("Une seule fois")
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}
}

func TestMembersOfTheServer(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	head := w.head()
	for _, member := range []string{"kind", "rev", "scope", "createdAt", "updatedAt"} {
		w.do("POST", "/v1/clients", ana, map[string]any{"name": "x", member: "y"}).problem(422, "invalid").blames(member, "read_only")
		w.do("PATCH", "/v1/clients/c1", ana, map[string]any{member: "y"}).problem(422, "invalid").blames(member, "read_only")
	}
	w.do("PATCH", "/v1/clients/c1", ana, map[string]any{"id": "c9"}).problem(422, "invalid").blames("id", "read_only")
	w.do("PATCH", "/v1/clients/c1", ana, map[string]any{"phoneE164": "+15145550123"}).problem(422, "invalid").blames("phoneE164", "read_only")
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	w.do("PATCH", "/v1/clients/c1", ana, map[string]any{"note": "un"}).want(http.StatusOK)
	w.do("PATCH", "/v1/clients/c1", ana, map[string]any{"note": "deux"}).want(http.StatusOK)
	a := w.do("GET", "/v1/clients/c1/history?limit=2", ana, nil).want(http.StatusOK)
	items := a.object()["items"].([]any)
	newest := items[0].(map[string]any)
	change := newest["changes"].([]any)[0].(map[string]any)
	if len(items) != 2 || change["field"] != "note" || change["from"] != "un" || change["to"] != "deux" {
		t.Errorf("history: %s", a.body)
	}
	if newest["actor"].(map[string]any)["id"] != "ana" || newest["cause"].(map[string]any)["kind"] != "api" {
		t.Errorf("newest entry: %v", newest)
	}
	rest := w.do("GET", "/v1/clients/c1/history?after="+a.text("next"), ana, nil).want(http.StatusOK)
	if len(rest.object()["items"].([]any)) != 1 || rest.object()["next"] != nil {
		t.Errorf("rest: %s", rest.body)
	}
	w.do("GET", "/v1/clients/c1/history?after=x", ana, nil).problem(422, "invalid").blames("after", "bad_format")
	w.do("GET", "/v1/clients/c2/history", w.token("tim", "p1"), nil).problem(http.StatusNotFound, "not_found").without("Toitures")
}

func TestLists(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana, tim := w.token("ana", ""), w.token("tim", "phone")
	for query, want := range map[string][]string{
		"sort=name":                        {"c1", "c2"},
		"sort=-name":                       {"c2", "c1"},
		"q=erabliere":                      {"c1"},
		"q=7381234":                        {"c1"},
		"q=tOIT nord":                      {"c2"},
		"q=absent":                         {},
		"disabled=true":                    {"c3"},
		"disabled=false,true&sort=id":      {"c1", "c2", "c3"},
		"id.in=c3,c1&sort=id":              {"c1", "c3"},
		"custom.color=red":                 {"c2"},
		"custom.color.prefix=RE":           {"c2"},
		"custom.color.exists=false":        {"c1"},
		"name.prefix=erab":                 {"c1"},
		"name.in=Toitures du Nord,Inconnu": {"c2"},
		"name.gte=f&sort=name":             {"c2"},
		"name.lte=f":                       {"c1"},
		"assignedEmployeeIds=tim":          {"c1"},
		"isPerson=false&sort=id":           {"c1", "c2"},
		"updatedAt.gte=2026-11-21T00:00:00Z&sort=id": {"c1", "c2"},
		"updatedAt.lte=2026-11-20T00:00:00Z":         {},
	} {
		t.Run(query, func(t *testing.T) {
			w := w.in(t)
			a := w.do("GET", "/v1/clients?"+strings.NewReplacer(" ", "%20", "+", "%2B").Replace(query), ana, nil).want(http.StatusOK)
			if got := a.ids("items"); !slices.Equal(got, want) || a.number("total") != float64(len(want)) {
				t.Errorf("got %v of %v, want %v", got, a.number("total"), want)
			}
		})
	}
	mine := w.do("GET", "/v1/clients?sort=name", tim, nil).want(http.StatusOK).without("Toitures", "c2")
	if got := mine.ids("items"); !slices.Equal(got, []string{"c1"}) || mine.number("total") != 1 {
		t.Errorf("a technician lists %s", mine.body)
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	first := w.do("GET", "/v1/clients?disabled=false,true&sort=name&limit=2", ana, nil).want(http.StatusOK)
	if got := first.ids("items"); !slices.Equal(got, []string{"c1", "c2"}) || first.number("total") != 3 {
		t.Fatalf("first page %s", first.body)
	}
	last := w.do("GET", "/v1/clients?disabled=false,true&sort=name&limit=2&after="+url.QueryEscape(first.text("next")), ana, nil).want(http.StatusOK)
	if got := last.ids("items"); !slices.Equal(got, []string{"c3"}) || last.object()["next"] != nil {
		t.Errorf("last page %s", last.body)
	}
	next := url.QueryEscape(first.text("next"))
	for _, query := range []string{
		"/v1/clients?after=forged",
		"/v1/tasks?sort=number&limit=2&after=" + next,
		"/v1/clients?disabled=false,true&sort=-name&limit=2&after=" + next,
		"/v1/clients?disabled=false,true&sort=code&limit=2&after=" + next,
		"/v1/clients?disabled=false,true&limit=2&after=" + next,
	} {
		w.do("GET", query, ana, nil).problem(http.StatusGone, "gone")
	}
}

func TestListsRefuse(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	for query, want := range map[string][2]string{
		"colour=red":           {"colour", "unknown_parameter"},
		"note=x":               {"note", "unknown_parameter"},
		"custom=x":             {"custom", "unknown_parameter"},
		"name.like=x":          {"name.like", "unknown_parameter"},
		"sort=note":            {"sort", "unknown_field"},
		"sort=name,":           {"sort", "unknown_field"},
		"limit=0":              {"limit", "out_of_range"},
		"limit=501":            {"limit", "out_of_range"},
		"limit=ten":            {"limit", "wrong_type"},
		"limit=1&limit=2":      {"limit", "repeated"},
		"disabled=perhaps":     {"disabled", "not_one_of"},
		"name.exists=perhaps":  {"name.exists", "not_one_of"},
		"updatedAt.gte=summer": {"updatedAt.gte", "bad_format"},
		"q=%ff":                {"q", "bad_utf8"},
	} {
		t.Run(query, func(t *testing.T) {
			w := w.in(t)
			w.do("GET", "/v1/clients?"+query, ana, nil).problem(422, "invalid").blames(want[0], want[1])
		})
	}
	w.do("GET", "/v1/clients/c1?verbose=1", ana, nil).problem(422, "invalid").blames("verbose", "unknown_parameter")
}

// TestTechniciansSeeOnlyTheirs: what a technician does not see is not there,
// and what a technician may not do is refused, by REST too.
func TestTechniciansSeeOnlyTheirs(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	head := w.head()
	w.do("GET", "/v1/clients/c1", tim, nil).want(http.StatusOK)
	w.do("GET", "/v1/clients/c2", tim, nil).problem(http.StatusNotFound, "not_found").without("Toitures")
	w.do("PATCH", "/v1/clients/c2", tim, map[string]any{"note": "x"}).problem(http.StatusNotFound, "not_found")
	w.do("PATCH", "/v1/clients/c1", tim, map[string]any{"assignedEmployeeIds": []string{"tom"}}).want(http.StatusUnprocessableEntity)
	w.do("DELETE", "/v1/clients/c1", tim, nil).want(http.StatusForbidden)
	w.do("PATCH", "/v1/employees/tim", tim, map[string]any{"role": "admin"}).want(http.StatusForbidden)
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}
}

// TestPrivateKindsHaveNoAddress: passwords and sessions are on no path.
func TestPrivateKindsHaveNoAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	for _, path := range []string{"/v1/credentials", "/v1/credential/ana", "/v1/credentials/ana"} {
		w.do("GET", path, ana, nil).problem(http.StatusNotFound, "not_found")
	}
	a := w.do("GET", "/v1/employees/ana", ana, nil).want(http.StatusOK)
	a.without("argon2", "hash", "password")
	w.do("GET", "/v1/devices", ana, nil).want(http.StatusOK).without("argon2", "tokenHash", "pushToken")
}

// TestOpenAPISaysWhatAPatchMayHold: null removes, within objects too, and what
// is no field but may be sent is there.
func TestOpenAPISaysWhatAPatchMayHold(t *testing.T) {
	t.Parallel()
	doc := open(t).do("GET", "/v1/openapi.json", "", nil).want(http.StatusOK).object()
	at := func(path string) any {
		v := doc["components"].(map[string]any)["schemas"]
		for name := range strings.SplitSeq(path, "/") {
			switch in := v.(type) {
			case map[string]any:
				v = in[name]
			case []any:
				i, err := strconv.Atoi(name)
				if err != nil || i >= len(in) {
					return nil
				}
				v = in[i]
			}
		}
		return v
	}
	for path, want := range map[string]any{
		"ClientPatch/properties/note/oneOf/1/type":                            "null",
		"ClientPatch/properties/address/oneOf/1/type":                         "null",
		"ClientPatch/properties/address/oneOf/0/properties/city/oneOf/1/type": "null",
		"ClientPatch/properties/name/type":                                    "string",
		"TaskPatch/properties/reason/type":                                    "string",
		"TaskPatch/properties/items/oneOf/0/items/properties/removed/type":    "boolean",
		"Task/properties/items/items/required/0":                              "id",
		"Task/properties/reason":                                              nil,
		"ClientPatch/properties/reason":                                       nil,
	} {
		if got := at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}
