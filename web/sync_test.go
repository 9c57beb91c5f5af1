package web_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"
)

func TestPull(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	a := w.do("GET", "/v1/sync/pull", tim, nil).want(http.StatusOK)
	got := a.ids("put")
	if !slices.Contains(got, "c1") || slices.Contains(got, "c2") || a.object()["digest"] == nil || a.object()["more"] != false {
		t.Errorf("first pull: %s", a.body)
	}
	a.without("Toitures", "argon2", "tokenHash")

	again := w.do("GET", "/v1/sync/pull?cursor="+a.text("cursor"), tim, nil).want(http.StatusOK)
	if len(again.ids("put")) != 0 || again.number("head") != a.number("head") {
		t.Errorf("nothing new: %s", again.body)
	}

	w.do("PATCH", "/v1/clients/c1", w.token("ana", ""), map[string]any{"assignedEmployeeIds": []string{}}).want(http.StatusOK)
	after := w.do("GET", "/v1/sync/pull?cursor="+again.text("cursor"), tim, nil).want(http.StatusOK)
	drop, _ := after.object()["drop"].([]any)
	if !slices.Contains(drop, any("client:c1")) || len(after.ids("put")) != 0 {
		t.Errorf("after the client was taken away: %s", after.body)
	}
	after.without("Érablière")
}

func TestPullLimits(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "console")
	seen, cursor := []string{}, ""
	for more := true; more; {
		a := w.do("GET", "/v1/sync/pull?limit=1&cursor="+cursor, ana, nil).want(http.StatusOK)
		more, cursor = a.object()["more"] == true, a.text("cursor")
		seen = append(seen, a.ids("put")...)
	}
	for _, id := range []string{"settings", "field", "ana", "tom", "c1", "c2", "c3"} {
		if !slices.Contains(seen, id) {
			t.Errorf("%s never came", id)
		}
	}
	for query, want := range map[string][2]string{
		"limit=0":              {"limit", "out_of_range"},
		"limit=5001":           {"limit", "out_of_range"},
		"limit=":               {"limit", "wrong_type"},
		"cursor=x&cursor=y":    {"cursor", "repeated"},
		"cursor=&token=secret": {"token", "unknown_parameter"},
	} {
		w.do("GET", "/v1/sync/pull?"+query, ana, nil).problem(422, "invalid").blames(want[0], want[1])
	}
}

// mutation as a phone sends it.
func mutation(kind, id, op string, set map[string]any) map[string]any {
	return map[string]any{"id": uuid.NewString(), "kind": kind, "docId": id, "op": op, "set": set}
}

func push(mutations ...any) map[string]any {
	return map[string]any{"sentAt": "2026-11-21T12:00:00Z", "mutations": mutations}
}

func (a *answer) results() []map[string]any {
	a.t.Helper()
	var out []map[string]any
	list, _ := a.object()["results"].([]any)
	for _, r := range list {
		out = append(out, r.(map[string]any))
	}
	return out
}

// TestPush: each mutation has its own answer; a refused one stops no other,
// and one sent again has no second effect.
func TestPush(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	good := mutation("client", "c1", "update", map[string]any{"note": "chien"})
	good["base"] = w.head()
	batch := push(good, mutation("nonsense", "x", "update", nil), mutation("client", "../x", "update", nil),
		mutation("client", "c2", "update", map[string]any{"note": "x"}), mutation("client", "c1", "explode", nil))
	a := w.do("POST", "/v1/sync/push", tim, batch, "Accept-Language", "fr-CA").want(http.StatusOK)
	r := a.results()
	if len(r) != 5 || r[0]["status"] != "applied" || r[0]["rev"] != a.number("head") || r[0]["id"] != good["id"] {
		t.Fatalf("results: %s", a.body)
	}
	for i := 1; i < 5; i++ {
		problem, _ := r[i]["error"].(map[string]any)
		if r[i]["status"] != "rejected" || problem["code"] == nil || problem["code"] == "internal" {
			t.Errorf("result %d: %v", i, r[i])
		}
	}
	if problem, _ := r[3]["error"].(map[string]any); problem["code"] != "not_found" || problem["title"] != "Introuvable" {
		t.Errorf("a document nobody may see: %v", r[3])
	}
	head := w.head()
	again := w.do("POST", "/v1/sync/push", tim, batch).want(http.StatusOK).results()
	for i := range again {
		if again[i]["duplicate"] != true || again[i]["status"] != r[i]["status"] {
			t.Errorf("result %d again: %v", i, again[i])
		}
	}
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}
}

func TestPushRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	head := w.head()
	ok := mutation("client", "c1", "update", map[string]any{"note": "x"})
	with := func(name string, value any) map[string]any {
		m := mutation("client", "c1", "update", map[string]any{"note": "x"})
		m[name] = value
		return m
	}
	for name, tt := range map[string]struct {
		body        any
		field, code string
	}{
		"no mutations":     {map[string]any{}, "mutations", "required"},
		"a strange part":   {map[string]any{"mutations": []any{}, "cursor": "x"}, "cursor", "unknown_field"},
		"mutations as one": {map[string]any{"mutations": ok}, "mutations", "wrong_type"},
		"a number":         {push(ok, 7), "mutations.1", "wrong_type"},
		"no id":            {push(map[string]any{"kind": "client"}), "mutations.0.id", "required"},
		"an id of its own": {push(ok, with("id", "7")), "mutations.1.id", "bad_format"},
		"an id in braces":  {push(with("id", "{"+uuid.NewString()+"}")), "mutations.0.id", "bad_format"},
		"the nil id":       {push(with("id", uuid.Nil.String())), "mutations.0.id", "bad_format"},
		"a clock":          {push(with("at", "yesterday")), "mutations.0.at", "bad_format"},
		"a negative base":  {push(with("base", -1)), "mutations.0.base", "out_of_range"},
		"half a base":      {push(with("base", 1.5)), "mutations.0.base", "out_of_range"},
		"a list to set":    {push(with("set", []any{})), "mutations.0.set", "wrong_type"},
		"numbers to unset": {push(with("unset", []any{1})), "mutations.0.unset.0", "wrong_type"},
		"another case":     {push(with("Set", map[string]any{})), "mutations.0.Set", "unknown_field"},
		"when":             {map[string]any{"sentAt": 5, "mutations": []any{}}, "sentAt", "wrong_type"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.do("POST", "/v1/sync/push", tim, tt.body).problem(422, "invalid").blames(tt.field, tt.code)
		})
	}
	many := make([]any, 1001)
	for i := range many {
		many[i] = ok
	}
	w.do("POST", "/v1/sync/push", tim, push(many...)).problem(http.StatusRequestEntityTooLarge, "push_too_large")
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := open(t)
	dan := w.token("dan", "")
	const path = "/v1/sync/explain?employee=tim&kind=client&id="
	a := w.do("GET", path+"c1", dan, nil).want(http.StatusOK)
	if because, _ := a.object()["because"].([]any); a.object()["visible"] != true || len(because) == 0 {
		t.Errorf("c1: %s", a.body)
	}
	if a := w.do("GET", path+"c2", dan, nil).want(http.StatusOK); a.object()["visible"] != false {
		t.Errorf("c2: %s", a.body)
	}
	w.do("GET", path+"c1", w.token("tim", "phone"), nil).problem(http.StatusForbidden, "forbidden")
	w.do("GET", "/v1/sync/explain?employee=tim&kind=client", dan, nil).problem(422, "invalid").blames("id", "required")
	w.do("GET", "/v1/sync/explain?employee=tim&kind=x&id=1", dan, nil).problem(422, "invalid").blames("kind", "unknown_kind")
}

func TestNumbersNeverOverlap(t *testing.T) {
	t.Parallel()
	w := open(t)
	last := 0.0
	for _, who := range []string{"tim", "tom", "tim"} {
		a := w.do("POST", "/v1/sync/numbers", w.token(who, "phone-"+who), map[string]any{"kind": "task", "count": 50}).want(http.StatusOK)
		from, to := a.number("from"), a.number("to")
		if to != from+49 || from <= last {
			t.Errorf("%s got %v to %v after %v", who, from, to, last)
		}
		last = to
	}
	tim := w.token("tim", "phone-tim")
	for _, count := range []any{0, 1001, -5} {
		w.do("POST", "/v1/sync/numbers", tim, map[string]any{"kind": "task", "count": count}).problem(422, "invalid").blames("count", "out_of_range")
	}
	for _, kind := range []string{"nonsense", "client", "counter"} {
		w.do("POST", "/v1/sync/numbers", tim, map[string]any{"kind": kind, "count": 1}).problem(422, "invalid").blames("kind", "unknown_kind")
	}
}

func TestReportShowsAmongDevices(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	digest := map[string]any{"count": 3, "sum": "89abcdef01234567"}
	w.do("POST", "/v1/sync/report", tim, map[string]any{
		"kind": "digest", "head": 7, "expected": digest, "actual": digest, "pending": 4, "appVersion": "1.2",
	}).want(http.StatusNoContent)
	w.do("POST", "/v1/sync/report", tim, map[string]any{"kind": "gossip"}).problem(422, "invalid").blames("kind", "not_one_of")
	w.do("POST", "/v1/sync/report", tim, map[string]any{"expected": 5}).problem(422, "invalid").blames("expected", "wrong_type")

	devices := w.do("GET", "/v1/devices", w.token("ana", ""), nil).want(http.StatusOK)
	var phone map[string]any
	for _, d := range devices.object()["items"].([]any) {
		if m := d.(map[string]any); m["id"] == "phone" {
			phone = m
		}
	}
	if phone["pending"] != 4.0 || phone["appVersion"] != "1.2" || phone["userId"] != "tim" {
		t.Errorf("the phone is %v", phone)
	}
	w.do("GET", "/v1/devices", tim, nil).problem(http.StatusForbidden, "forbidden")
	w.do("GET", "/v1/devices", w.token("dan", ""), nil).problem(http.StatusForbidden, "forbidden")
}
