package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
	"github.com/enroute-field/enroute/tasks"
	"github.com/enroute-field/enroute/web"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp has goroutines for the Date header and for compression for
		// ever, and one per server that notices up to ten seconds later that
		// it has stopped.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// password of every account.
const password = "correct horse battery"

// cheap are parameters of argon2id for tests.
var cheap = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// world is a server on a port of its own, with ana (admin), dan (dispatcher),
// tim and tom (technicians), and the clients c1 (tim's), c2, and c3 (disabled).
type world struct {
	*enginetest.World
	t      testing.TB
	auth   *auth.Service
	server *web.Server
	url    string
	client *http.Client
}

func open(t testing.TB, change ...func(*web.Options)) *world {
	t.Helper()
	w := &world{t: t}
	w.World = enginetest.New(t, enginetest.Options{
		Kinds: slices.Concat(auth.Kinds(), company.Kinds(), clients.Kinds(), tasks.Kinds()),
		Seed:  seed(t),
		Started: func(e *sync.Engine) func(context.Context) error {
			w.auth = auth.New(auth.Options{Engine: e, Clock: func() time.Time { return w.Clock.Now() }, Params: cheap, Logger: slog.New(slog.DiscardHandler)})
			return w.auth.Close
		},
	})
	o := web.Options{
		Engine: w.Engine, Registry: w.Registry, Auth: w.auth, Clock: w.Clock.Now, Version: "test",
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, f := range change {
		f(&o)
	}
	if o.Cluster == nil && os.Getenv("ENROUTE_TEST_FORWARD") != "" {
		w.startBehind(o)
		return w
	}
	w.start(o)
	return w
}

// in is the same world, whose failures are those of a subtest.
func (w *world) in(t testing.TB) *world {
	inner := *w
	inner.t = t
	return &inner
}

func (w *world) start(o web.Options) {
	w.t.Helper()
	var err error
	if w.server, err = web.New(o); err != nil {
		w.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.server.Start(ln); err != nil {
		w.t.Fatal(err)
	}
	w.url = "http://" + ln.Addr().String()
	transport := &http.Transport{DisableCompression: true}
	w.client = &http.Client{Transport: transport, Timeout: 3 * time.Minute}
	w.t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.server.Stop(ctx); err != nil {
			w.t.Errorf("stop: %v", err)
		}
	})
}

func seed(t testing.TB) []sync.Mutation {
	t.Helper()
	hash, err := argon2id.CreateHash(password, cheap)
	if err != nil {
		t.Fatal(err)
	}
	out := []sync.Mutation{
		enginetest.Create(company.KindSettings, company.SettingsID, sync.Fields{"name": "Test inc.", "timeZone": "America/Toronto"}),
		enginetest.Create(company.KindProfile, "field", sync.Fields{"name": "Field", "filterClientsByAssignment": true}),
	}
	for id, role := range map[string]string{"ana": "admin", "dan": "dispatcher", "tim": "technician", "tom": "technician"} {
		out = append(out,
			enginetest.Create(company.KindEmployee, id, sync.Fields{
				"name": id, "email": id + "@test.example", "role": role, "mobileProfileId": "field"}),
			auth.Credential(id, hash))
	}
	return append(out,
		enginetest.Create(clients.KindClient, "c1", sync.Fields{"name": "Érablière Côté", "phone": "514 738-1234", "assignedEmployeeIds": []any{"tim"}}),
		enginetest.Create(clients.KindClient, "c2", sync.Fields{"name": "Toitures du Nord", "custom": map[string]any{"color": "red"}}),
		enginetest.Create(clients.KindClient, "c3", sync.Fields{"name": "Zinc ancien", "disabled": true}),
	)
}

// token of an employee: on a device, or at a console if device is "".
func (w *world) token(employee, device string) string {
	w.t.Helper()
	if device != "" {
		token, err := w.auth.Issue(w.t.Context(), w.Workspace, employee, auth.DeviceInput{ID: device, Name: device})
		if err != nil {
			w.t.Fatal(err)
		}
		return token
	}
	a := w.do("POST", "/v1/login", "", map[string]any{
		"workspace": w.Name(), "email": employee + "@test.example", "password": password,
	}).want(http.StatusOK)
	return a.text("token")
}

func (w *world) head() uint64 {
	w.t.Helper()
	head, err := w.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return head.Number
}

// answer of the server.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

// do a request; body is sent as it is if it is text, else as JSON. The rest
// are header names and values.
func (w *world) do(method, path, token string, body any, headers ...string) *answer {
	w.t.Helper()
	req := w.request(method, path, token, body, headers...)
	r, err := w.client.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = r.Body.Close() }()
	got, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatalf("%s %s: read the answer: %v", method, path, err)
	}
	return &answer{w.t, method + " " + path, r.StatusCode, r.Header, got}
}

func (w *world) request(method, path, token string, body any, headers ...string) *http.Request {
	w.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, in)
	if err != nil {
		w.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// want fails unless the answer has the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %s", a.what, a.status, status, a.body)
	}
	return a
}

// problem fails unless the answer is a problem of the status and code.
func (a *answer) problem(status int, code string) *answer {
	a.t.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("%s: media type %q: %s", a.what, got, a.body)
	}
	p := a.object()
	if p["code"] != code || p["status"] != float64(status) {
		a.t.Errorf("%s: got %s, want code %s", a.what, a.body, code)
	}
	for _, member := range []string{"type", "title", "detail"} {
		if s, _ := p[member].(string); s == "" || strings.ContainsAny(s, "{}") {
			a.t.Errorf("%s: %s is %q", a.what, member, s)
		}
	}
	return a
}

// blames fails unless the problem names the field with the code.
func (a *answer) blames(field, code string) *answer {
	a.t.Helper()
	list, _ := a.object()["errors"].([]any)
	for _, e := range list {
		if m, _ := e.(map[string]any); m["field"] == field && m["code"] == code {
			return a
		}
	}
	a.t.Errorf("%s: nobody says %s %s: %s", a.what, field, code, a.body)
	return a
}

func (a *answer) object() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
	return m
}

func (a *answer) text(name string) string {
	a.t.Helper()
	s, _ := a.object()[name].(string)
	return s
}

func (a *answer) number(name string) float64 {
	a.t.Helper()
	n, _ := a.object()[name].(float64)
	return n
}

// ids of the documents in items or put, in order.
func (a *answer) ids(member string) []string {
	a.t.Helper()
	out := []string{}
	list, _ := a.object()[member].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		id, _ := m["id"].(string)
		out = append(out, id)
	}
	return out
}

// without fails if the answer, or any of its headers, contains one of the texts.
func (a *answer) without(texts ...string) *answer {
	a.t.Helper()
	var all bytes.Buffer
	_ = a.header.Write(&all) // never fails
	all.Write(a.body)
	for _, text := range texts {
		if strings.Contains(all.String(), text) {
			a.t.Errorf("%s: the answer contains %q: %s", a.what, text, all.String())
		}
	}
	return a
}
