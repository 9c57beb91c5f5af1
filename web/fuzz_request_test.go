package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/sync"
)

// FuzzRequest: whatever is asked for, the answer is what the path promises or
// a problem that says what is wrong, never a failure of the server; and who
// has not signed in is shown nothing of a workspace.
func FuzzRequest(f *testing.F) {
	w := open(f)
	tokens := []string{"", w.token("ana", ""), w.token("tim", "phone")}
	methods := []string{"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"}
	id := `"id":"0199f3c2-7d1e-7b7a-9d51-2f0c6a4b1e55"`
	for i, seed := range [][2]string{
		{"clients?sort=-name&limit=1&after=e30", ""}, {"clients/c1", `{"note":"x","custom":{"a":null}}`}, {"clients/c1/history?after=3&limit=2", ""},
		{"sync/pull?cursor=AQ&limit=5000", ""}, {"sync/push", `{"sentAt":"2026-11-21T12:00:00Z","mutations":[{` + id + `,"kind":"client","docId":"c1","op":"update","base":1,"set":{"note":"y"},"unset":["email"],"at":"0001-01-01T00:00:00Z","group":"g"}]}`},
		{"login", `{"workspace":"test","email":"tim@test.example","password":"wrong password"}`}, {"sync/numbers", `{"kind":"task","count":2}`},
		{"sync/explain?employee=tim&kind=client&id=c1", ""}, {"sync/report", `{"kind":"digest","head":3,"expected":{"count":1,"sum":"f"},"pending":4,"appVersion":"1"}`},
		{"tasks", `{"title":"T","clientId":"c1","plannedStart":"2026-11-21T12:00:00+05:00"}`}, {"devices", ""}, {"employees/tim/password", `{"password":"0123456789ab"}`},
		{"openapi.json", ""}, {"conflicts?resolved=false", ""}, {"clients/%2e%2e%2fc3", ""},
	} {
		for who := range tokens {
			f.Add(uint8(i), uint8(who), seed[0], seed[1])
			f.Add(uint8(i+1), uint8(who), seed[0], seed[1])
		}
	}
	f.Fuzz(func(t *testing.T, method, who uint8, path, body string) {
		w := w.in(t)
		token := tokens[int(who)%len(tokens)]
		u, err := url.Parse("http://host/v1/" + path)
		if err != nil || len(path) > 1000 || strings.Contains(u.Path, "live") || strings.Contains(u.Path, "logout") {
			return // streams have no end
		}
		a := w.do(methods[int(method)%len(methods)], "/v1/"+path, token, body)
		if a.status >= 500 {
			t.Fatalf("%s %q: %d %s", a.what, body, a.status, a.body)
		}
		media := a.header.Get("Content-Type")
		if strings.Contains(media, "json") && len(a.body) > 0 && !json.Valid(a.body) {
			t.Fatalf("%s: %s is no JSON", a.what, a.body)
		}
		if a.status >= 400 && !strings.HasPrefix(a.what, "HEAD") {
			a.problem(a.status, a.text("code"))
		}
		if token == "" {
			a.without("Toitures", "Érablière", "Zinc", "tim@test")
		}
		a.without("goroutine", ".go:", "sqlite", "$argon2id")
	})
}

// FuzzHeaders: whatever the headers of a request say, it is answered by what
// they mean and never by a failure.
func FuzzHeaders(f *testing.F) {
	w := open(f)
	ana := w.token("ana", "")
	names := []string{
		"If-None-Match", "Accept-Encoding", "Accept-Language", "X-Request-Id", "Authorization", "X-Forwarded-For",
		"Content-Type", "Content-Encoding", "Last-Event-Id", "Idempotency-Key", "If-Match", "Range",
	}
	for i, values := range [][]string{
		{`"7"`, `W/"7", "9"`, `"1"`, `W/"1", "2"`, "*", `"1`, ",,", `"0"`, "18446744073709551616"}, {"gzip;q=1.0, br;q=NaN", "*;q=0", "zstd;q=1e400", "br, *;q=0"},
		{"fr-CA,fr;q=0.9", "en;q=0, *", "x-", strings.Repeat("a-", 300)}, {"abc", "a b", strings.Repeat("x", 65), "é"}, {"Bearer x.y", "bearer  " + ana, "Basic Og==", ana},
		{"1.2.3.4, ::1", "unknown", ",", "[::1%eth0]:80"}, {"application/json;charset=utf-8", ";;", "application/json; charset=\"", "application/merge-patch+json"},
		{"gzip", "identity"}, {"AQ", "\u00e9"}, {"key", strings.Repeat("k", 256)}, {`"1"`, `"2", "1"`, "x"}, {"bytes=0-1"},
	} {
		for _, v := range values {
			f.Add(uint8(i), v)
		}
	}
	key := sync.Key{Kind: clients.KindClient, ID: "c2"}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		name := names[int(which)%len(names)]
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.TrimSpace(value) != value || value == "" || len(value) > 2000 {
			return // is no header, or is sent as another
		}
		w := w.in(t)
		rev, err := w.Rev(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		var a *answer
		switch name {
		case "Content-Type", "Content-Encoding", "Idempotency-Key":
			a = w.do("POST", "/v1/clients", ana, `{"name":5}`, name, value)
		case "If-Match":
			a = w.do("PATCH", "/v1/clients/c2", ana, `{"phone":null}`, name, value)
		case "Last-Event-Id":
			a = w.do("GET", "/v1/sync/live", ana, nil, name, value)
		default:
			a = w.do("GET", "/v1/clients/c2", ana, nil, name, value)
		}
		checkHeader(t, a, name, value, rev, ana)
	})
}

// checkHeader compares an answer with what a header asked for.
func checkHeader(t *testing.T, a *answer, name, value string, rev uint64, token string) {
	t.Helper()
	expected := []int{http.StatusOK}
	switch name {
	case "If-None-Match":
		expected = []int{http.StatusOK, http.StatusNotModified}
	case "Authorization":
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(rest) != token {
			expected = []int{http.StatusUnauthorized}
		}
	case "Content-Type", "Content-Encoding", "Idempotency-Key":
		expected = []int{http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType}
	case "If-Match":
		expected = []int{http.StatusOK, http.StatusPreconditionFailed}
	case "Last-Event-Id":
		expected = []int{http.StatusBadRequest}
	}
	if !slices.Contains(expected, a.status) {
		t.Fatalf("%s: %q is answered with %d: %s", name, value, a.status, a.body)
	}
	named := strings.Contains(value, "*") || strings.Contains(value, strconv.FormatUint(rev, 10))
	if !named && (a.status == http.StatusNotModified || name == "If-Match" && a.status == http.StatusOK) {
		t.Fatalf("%s: %q is answered with %d, and the document is at rev %d", name, value, a.status, rev)
	}
	if packed := a.header.Get("Content-Encoding"); packed != "" && !strings.Contains(strings.ToLower(value), packed) && !strings.Contains(value, "*") {
		t.Fatalf("%q is answered in %s", value, packed)
	}
	if got := a.header.Get("X-Request-Id"); got == "" || strings.ContainsAny(got, " \t\"<>") || len(got) > 64 {
		t.Fatalf("request id %q", got)
	}
	if a.status >= 400 {
		a.problem(a.status, a.text("code"))
	}
}

// FuzzIdempotencyKey: what is sent twice under one key happens once, whatever
// the key is; under another, or by another, it happens again.
func FuzzIdempotencyKey(f *testing.F) {
	w := open(f)
	tokens := []string{w.token("ana", ""), w.token("dan", "")}
	f.Add("key", "KEY")
	f.Add("é", "e\u0301")
	f.Add("0199f3c2-7d1e-7b7a-9d51-2f0c6a4b1e55", "0199F3C2-7D1E-7B7A-9D51-2F0C6A4B1E55")
	f.Add(strings.Repeat("k", 256), "k")
	f.Fuzz(func(t *testing.T, key, other string) {
		for _, k := range []string{key, other} {
			if k == "" || strings.TrimSpace(k) != k || strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return // is no header, or is sent as another
			}
		}
		w := w.in(t)
		create := func(token, key string) *answer {
			return w.do("POST", "/v1/tasks", token, `{"description":"Visit"}`, "Idempotency-Key", key)
		}
		first := create(tokens[0], key)
		if len(key) > 255 {
			first.problem(http.StatusUnprocessableEntity, "invalid").blames("Idempotency-Key", "too_long")
			return
		}
		head, err := w.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again := create(tokens[0], key)
		after, err := w.Head(t.Context())
		if err != nil || after.Number != head.Number || again.text("id") != first.text("id") || again.status >= 300 {
			t.Fatalf("sent again under %q: %d %s; head %d, then %d; %v", key, again.status, again.body, head.Number, after.Number, err)
		}
		if another := create(tokens[1], key); another.status != http.StatusCreated || another.text("id") == first.text("id") {
			t.Fatalf("the key %q of one is that of another: %d %s", key, another.status, another.body)
		}
		if key != other && len(other) <= 255 && create(tokens[0], other).text("id") == first.text("id") {
			t.Fatalf("%q and %q are one key", key, other)
		}
	})
}
