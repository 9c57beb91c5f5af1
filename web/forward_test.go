package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/web"
)

// asked is one request of TestEveryRouteThroughANode.
type asked struct {
	method, path string
	token        string
	body         any
	headers      []string
}

// reads are requests that change nothing, for each route that does not.
func reads(ana, cursor string) []asked {
	return []asked{
		{"GET", "/v1/sync/pull", ana, nil, nil},
		{"GET", "/v1/sync/pull?cursor=" + cursor, ana, nil, nil},
		{"GET", "/v1/sync/pull?cursor=" + cursor + "&limit=1", ana, nil, []string{"Accept-Encoding", "br"}},
		{"GET", "/v1/sync/pull?cursor=x%20y", ana, nil, []string{"Accept-Language", "fr"}},
		{"GET", "/v1/sync/pull?limit=0&odd=%C3%A9", ana, nil, nil},
		{"GET", "/v1/sync/pull", "test." + strings.Repeat("A", 43), nil, nil},
		{"GET", "/v1/sync/pull", "elsewhere." + strings.Repeat("A", 43), nil, nil},
		{"GET", "/v1/sync/pull", "nonsense", nil, nil},
		{"GET", "/v1/sync/live?cursor=nonsense", ana, nil, nil},
		{"GET", "/v1/sync/explain?employee=tim&kind=client&id=c1", ana, nil, nil},
		{"GET", "/v1/devices", ana, nil, nil},
		{"GET", "/v1/clients", ana, nil, []string{"Accept-Encoding", "gzip"}},
		{"GET", "/v1/clients?q=%C3%A9rabli&sort=-name&custom.a%2Fb.exists=false", ana, nil, nil},
		{"GET", "/v1/clients/c1", ana, nil, nil},
		{"HEAD", "/v1/clients/c1", ana, nil, nil},
		{"HEAD", "/v1/sync/pull", ana, nil, []string{"Accept-Encoding", "zstd"}},
		{"HEAD", "/v1/clients/none", ana, nil, nil},
		{"GET", "/v1/clients/c1", ana, nil, []string{"If-None-Match", "*"}},
		{"HEAD", "/v1/clients/c1", ana, nil, []string{"If-None-Match", "*"}},
		{"GET", "/v1/clients/%2e%2e%2fc1", ana, nil, nil},
		{"GET", "/v1/clients/c1/history?limit=1", ana, nil, nil},
		{"GET", "/v1/clients/c1/history", ana, nil, []string{"X-Strange", "héhé", "Cookie", "a=b; c=d"}},
		{"PUT", "/v1/clients/c1", ana, `{}`, nil},
		{"GET", "/v1/nothing", ana, nil, nil},
		{"GET", "/v1/openapi.json", "", nil, nil},
		{"GET", "/docs", ana, nil, nil},
		{"GET", "/healthz", "", nil, nil},
		{"GET", "/readyz", ana, nil, nil},
	}
}

// TestEveryRouteThroughANode: an answer that another node gives is the one
// that it would have given itself, to the byte.
func TestEveryRouteThroughANode(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t)
	ana := there.token("ana", "desk")
	cursor := there.do("GET", "/v1/sync/pull?limit=2", ana, nil).text("cursor")
	for _, r := range reads(ana, cursor) {
		headers := append([]string{"X-Request-Id", "the-same"}, r.headers...)
		direct := there.do(r.method, r.path, r.token, r.body, headers...)
		forwarded := here.do(r.method, r.path, r.token, r.body, headers...)
		forwarded.same(direct)
		if !bytes.Equal(forwarded.body, direct.body) {
			t.Errorf("%s: forwarded\n%s\ndirect\n%s", direct.what, forwarded.body, direct.body)
		}
		forwarded.without("Enroute-", "node", clusterKey)
	}
	covered := reads("", "")
	for _, pair := range writes() {
		direct := there.write(ana, pair[0])
		forwarded := here.write(ana, pair[1])
		forwarded.same(direct, "Etag", "Location", "Content-Length").shaped(direct)
		covered = append(covered, pair[0])
	}
	there.covers(covered)
}

// writes are requests that change something, for each route that does: two
// that are the same but for what they change.
func writes() [][2]asked {
	twice := func(method, path string, body func(n string) any, headers ...string) [2]asked {
		var out [2]asked
		for i := range out {
			n := "n" + strconv.Itoa(i)
			out[i] = asked{method, strings.ReplaceAll(path, "$", n), "", body(n), slices.Clone(headers)}
			for j := range headers {
				out[i].headers[j] = strings.ReplaceAll(headers[j], "$", n)
			}
		}
		return out
	}
	some := func(v any) func(string) any { return func(string) any { return v } }
	id := "0199f3c2-7d1e-7b7a-9d51-2f0c6a4b1e5"
	return [][2]asked{
		twice("POST", "/v1/clients", func(n string) any { return map[string]any{"id": n, "name": "Neuf " + n} }),
		twice("POST", "/v1/clients", func(n string) any { return map[string]any{"id": n, "name": "Autre " + n} }),
		twice("POST", "/v1/clients", func(n string) any { return map[string]any{"name": "Clé " + n} }, "Idempotency-Key", "$"),
		twice("PATCH", "/v1/clients/$", some(map[string]any{"note": "n"}), "Content-Type", "application/merge-patch+json"),
		twice("PATCH", "/v1/clients/$", some(map[string]any{"note": "n"}), "If-Match", `"1"`),
		twice("PATCH", "/v1/clients/$", some(`{"note":`)),
		twice("PATCH", "/v1/clients/$", some(`note`), "Content-Type", "text/plain"),
		twice("POST", "/v1/sync/push", func(n string) any {
			m := mutation("client", n, "update", map[string]any{"note": "poussé"})
			m["id"] = id + n[1:]
			return push(m)
		}),
		twice("DELETE", "/v1/clients/$", some(nil)),
		twice("DELETE", "/v1/clients/$", some(nil)),
		twice("POST", "/v1/sync/numbers", some(map[string]any{"kind": "task", "count": 5})),
		twice("POST", "/v1/sync/report", some(map[string]any{"pending": 3})),
		twice("PUT", "/v1/employees/tom/password", some(map[string]any{"password": "another long password"})),
		twice("PUT", "/v1/employees/tom/password", some(map[string]any{"password": "short"})),
		twice("POST", "/v1/login", func(n string) any {
			return map[string]any{"workspace": " Test ", "email": "tim@test.example", "password": password, "device": map[string]any{"id": n}}
		}),
		twice("POST", "/v1/login", some(map[string]any{"workspace": "test", "email": "tim@test.example", "password": "wrong"})),
		twice("POST", "/v1/login", some(map[string]any{"workspace": "elsewhere", "email": "tim@test.example", "password": "wrong"})),
		twice("POST", "/v1/login", some(map[string]any{"workspace": "test", "email": 5})),
		twice("POST", "/v1/login", some(`{"workspace":"test"`)),
		twice("DELETE", "/v1/devices/$", some(nil)),
		twice("POST", "/v1/logout", some(nil)),
	}
}

// write makes a change as ana, on a session that ends with it.
func (w *world) write(ana string, r asked) *answer {
	w.t.Helper()
	switch r.path {
	case "/v1/login":
		ana = ""
	case "/v1/logout":
		ana = w.token("ana", uuid.NewString())
	}
	return w.do(r.method, r.path, ana, r.body, append([]string{"X-Request-Id", "the-same"}, r.headers...)...)
}

// same fails unless status and headers are those of another answer, but for
// the values of some.
func (a *answer) same(as *answer, but ...string) *answer {
	a.t.Helper()
	if a.status != as.status {
		a.t.Errorf("%s: forwarded %d %s, direct %d %s", a.what, a.status, a.body, as.status, as.body)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(a.header)), slices.Collect(maps.Keys(as.header))) {
		got, want := a.header[name], as.header[name]
		if name == "Date" || slices.Contains(but, name) && len(got) == len(want) {
			continue
		}
		if !slices.Equal(got, want) {
			a.t.Errorf("%s: %s is %q forwarded and %q direct", a.what, name, got, want)
		}
	}
	return a
}

// shaped fails unless the body has the members of another answer's.
func (a *answer) shaped(as *answer) {
	a.t.Helper()
	if len(a.body) == 0 && len(as.body) == 0 {
		return
	}
	names := func(a *answer) []string { return slices.Sorted(maps.Keys(a.object())) }
	if got, want := names(a), names(as); !slices.Equal(got, want) {
		a.t.Errorf("%s: members %v forwarded and %v direct", a.what, got, want)
	}
}

// covers fails if a route of the OpenAPI document was not asked for. All kinds
// have the same routes; clients stand for them.
func (w *world) covers(requests []asked) {
	w.t.Helper()
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(w.do("GET", "/v1/openapi.json", "", nil).body, &doc); err != nil {
		w.t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		prefix, suffix, one := strings.Cut(path, "{id}")
		for method := range methods {
			found := slices.ContainsFunc(requests, func(r asked) bool {
				p, _, _ := strings.Cut(r.path, "?")
				return strings.EqualFold(r.method, method) && (p == path || one && strings.HasPrefix(p, prefix) && strings.HasSuffix(p, suffix))
			})
			ofAnotherKind := !strings.HasPrefix(path, "/v1/clients") && doc.Paths[strings.TrimSuffix(prefix, "/")]["post"].OperationID != ""
			if !found && !ofAnotherKind && path != "/metrics" {
				w.t.Errorf("nobody asked for %s %s", method, path)
			}
		}
	}
}

// TestLongAnswersThroughANode: pages of megabytes, packed and plain.
func TestLongAnswersThroughANode(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t, func(o *web.Options) { o.Limits.Request = 5 * time.Minute })
	ana := there.token("ana", "desk")
	var long []any
	for i := range 70 {
		var note strings.Builder // that does not pack well
		for range 500 {
			note.WriteString(uuid.NewString())
		}
		long = append(long, mutation("client", "long"+strconv.Itoa(i), "create", map[string]any{"name": "Long " + strconv.Itoa(i), "note": note.String()}))
	}
	there.do("POST", "/v1/sync/push", ana, push(long...)).want(http.StatusOK)
	for _, coding := range []string{"", "gzip"} {
		for _, method := range []string{"GET", "HEAD"} {
			direct := there.do(method, "/v1/sync/pull", ana, nil, "Accept-Encoding", coding, "X-Request-Id", "the-same")
			forwarded := here.do(method, "/v1/sync/pull", ana, nil, "Accept-Encoding", coding, "X-Request-Id", "the-same")
			forwarded.same(direct)
			if !bytes.Equal(direct.body, forwarded.body) || coding == "" && method == "GET" && len(direct.body) < 1<<20 {
				t.Errorf("%s %q: %d bytes direct, %d forwarded", method, coding, len(direct.body), len(forwarded.body))
			}
			if direct.header.Get("Content-Encoding") != coding {
				t.Errorf("asked for %q, got %q", coding, direct.header.Get("Content-Encoding"))
			}
		}
	}
}

// TestBodiesThroughANode: as long as they may be, and longer.
func TestBodiesThroughANode(t *testing.T) {
	t.Parallel()
	here, _, _ := openNodes(t)
	tim, ana := here.token("tim", "phone"), here.token("ana", "")
	longest := func(size int) string {
		text := `{"mutations":[` + strings.Repeat(" ", size) + `]}`
		return text[:14] + strings.Repeat(" ", size-len(`{"mutations":[]}`)) + "]}"
	}
	const limit = 4<<20 + 64<<10
	here.do("POST", "/v1/sync/push", tim, longest(limit)).want(http.StatusOK)
	here.do("POST", "/v1/sync/push", tim, longest(limit+1)).problem(http.StatusRequestEntityTooLarge, "push_too_large")
	here.do("POST", "/v1/clients", ana, `{"name":"`+strings.Repeat("a", 600<<10)+`"}`).problem(http.StatusRequestEntityTooLarge, "too_large")
	here.do("GET", "/v1/clients/c1", ana, `{"what":"is this"}`).want(http.StatusOK)
}

// TestHeadsThroughANode: one that a node takes from a client reaches another
// node too, though it grows on the way.
func TestHeadsThroughANode(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t)
	tim := here.token("tim", "phone")
	for _, w := range []*world{here, there} {
		rest := strings.Repeat("a:"+strings.Repeat("b", 96)+"\r\n", (8<<10-300)/100)
		r, body := w.raw(t, "GET /v1/clients/c1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+tim+"\r\n"+rest+"\r\n")
		if r.StatusCode != http.StatusOK {
			t.Errorf("a long head is answered %d: %s", r.StatusCode, body)
		}
		r, body = w.raw(t, "GET /v1/clients/c1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+tim+"\r\n"+rest+strings.Repeat("a:b\r\n", 60)+"\r\n")
		if r.StatusCode != http.StatusBadRequest || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("too long a head is answered %d: %s", r.StatusCode, body)
		}
	}
	for name, part := range map[string][2]string{
		"a control character": {"c1", "X: a\x01b"}, "a name that is none": {"c1", "X\x01Y: z"}, "a space in a name": {"c1", "X Y: z"},
		"a control in the path": {"c\x01", "X: y"}, "a space in the path": {"c 1", "X: y"}, "a space in the query": {"c1?x=a b", "X: y"}, "bytes in the path": {"\xff", "X: y"},
	} {
		text := fmt.Sprintf("GET /v1/clients/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\nAuthorization: Bearer %s\r\n\r\n", part[0], part[1], tim)
		forwarded, body := here.raw(t, text)
		if direct, _ := there.raw(t, text); direct.StatusCode != forwarded.StatusCode {
			t.Errorf("%s: forwarded %d %s, direct %d", name, forwarded.StatusCode, body, direct.StatusCode)
		}
	}
}

// TestHeadsThatGrow: one that is brief beyond all reason is too long once it is
// written in full. That is the client's fault, and no node is blamed for it.
func TestHeadsThatGrow(t *testing.T) {
	t.Parallel()
	here, _, s := openNodes(t)
	tim := here.phone("tim")
	for name, rest := range map[string]string{"lines": strings.Repeat("a:\n", 2600), "cookies": "Cookie: " + strings.Repeat("a;", 3900) + "\r\n"} {
		r, body := here.raw(t, "GET /v1/clients/c1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+tim+"\r\n"+rest+"\r\n")
		if r.StatusCode != http.StatusBadRequest || len(s.misses()) > 0 {
			t.Errorf("%s: answered %d: %s; mislaid at %v", name, r.StatusCode, body, s.misses())
		}
	}
}

// from is the world as asked from another address of this machine.
func (w *world) from(address string) *world {
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext, DisableKeepAlives: true}
	out := *w
	out.client = &http.Client{Transport: transport, Timeout: time.Minute}
	return &out
}

// TestSignInsThroughANode: they are counted by where they come from, not by
// the node that they come through, nor by what the client says.
func TestSignInsThroughANode(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t)
	guess := func(from *world, i int, headers ...string) *answer {
		return from.do("POST", "/v1/login", "", map[string]any{
			"workspace": "test", "email": "x" + strconv.Itoa(i) + "@test.example", "password": "wrong",
		}, headers...)
	}
	for i := range 200 {
		if guess(here.from("127.0.0.2"), i, "X-Forwarded-For", "203.0.113."+strconv.Itoa(i), "Enroute-Forwarded", "guessed").status == http.StatusTooManyRequests {
			guess(there.from("127.0.0.2"), 1000).problem(http.StatusTooManyRequests, "too_many_requests")
			guess(here.from("127.0.0.3"), 1000).problem(http.StatusUnauthorized, "bad_credentials")
			return
		}
	}
	t.Error("an address may guess for ever")
}

// TestNoKeyNoNode: a client that claims to be a node is none.
func TestNoKeyNoNode(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t)
	ana := here.token("ana", "")
	for _, key := range []string{"", "x", clusterKey + "x", strings.ToUpper(clusterKey), clusterKey[:len(clusterKey)-1]} {
		here.do("GET", "/v1/clients/c1", ana, nil, "Enroute-Forwarded", key).want(http.StatusOK).without("Enroute-")
		there.do("GET", "/v1/clients/c1", ana, nil, "Enroute-Forwarded", key).want(http.StatusOK).without("Enroute-")
	}
	a := here.do("GET", "/v1/clients/c1", ana, nil, "Enroute-Forwarded", clusterKey).want(http.StatusMisdirectedRequest)
	if a.header.Get("Enroute-Node") != "elsewhere" || len(a.body) > 0 {
		t.Errorf("a node hears %v: %s", a.header, a.body)
	}
	if _, err := web.New(web.Options{Registry: here.Registry, Cluster: keyless{}}); err == nil {
		t.Error("a cluster without a key was taken")
	}
}

// keyless is a cluster that forgot its key.
type keyless struct{ *seats }

func (keyless) Key() string { return "" }

// BenchmarkDetour is the commonest request there is, over sockets, asked of
// the node that serves the workspace and of one that passes it on.
func BenchmarkDetour(b *testing.B) {
	here, there, _ := openNodes(b)
	tim := there.phone("tim")
	path := "/v1/sync/pull?cursor=" + there.do("GET", "/v1/sync/pull", tim, nil).text("cursor")
	for name, w := range map[string]*world{"direct": there, "forwarded": here} {
		b.Run(name, func(b *testing.B) {
			req := w.in(b).request("GET", path, tim, nil)
			for b.Loop() {
				r, err := w.client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
					b.Fatalf("status %d: %v", r.StatusCode, err)
				}
				_ = r.Body.Close()
			}
		})
	}
}
