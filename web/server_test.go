package web

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/sync"
)

// bare is a server without an engine, for what needs none. extra endpoints
// are mounted beside the table.
func bare(t *testing.T, o Options, extra ...*endpoint) *Server {
	t.Helper()
	var err error
	if o.Registry, err = sync.NewRegistry(append(company.Kinds(), clients.Kinds()...)...); err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range extra {
		s.app.Add(e.method, e.fiberPath(), s.serve(e))
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) }) // never started: it cannot fail
	return s
}

// ask a server without a socket.
func (s *Server) ask(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	r, err := s.app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

// TestOpenAPIIsTheRoutes: every route of the server is in the document, and
// every path of the document is a route.
func TestOpenAPIIsTheRoutes(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	var routes, described []string
	for _, r := range s.app.GetRoutes(true) {
		if r.Method != http.MethodHead { // comes with its GET
			routes = append(routes, r.Method+" "+r.Path)
		}
	}
	_, text := s.ask(t, "GET", "/v1/openapi.json")
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+strings.NewReplacer("{", ":", "}", "").Replace(path))
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if doc.OpenAPI != "3.1.0" || !slices.Equal(routes, described) {
		t.Errorf("routes    %v\ndescribed %v", routes, described)
	}
	for _, want := range []string{"GET /v1/clients", "PATCH /v1/clients/:id", "GET /v1/mobile-profiles/:id/history", "GET /v1/sync/pull", "GET /docs"} {
		if !slices.Contains(routes, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for _, ref := range strings.Split(text, `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("the schema %s is named and not there", name)
		}
	}
}

func TestOpenAPINamesEachOperationOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range bare(t, Options{}).endpoints {
		if seen[e.id] || e.id == "" || e.summary == "" || e.tag == "" || e.status == 0 {
			t.Errorf("%s %s: id %q, summary %q, tag %q, status %d", e.method, e.path, e.id, e.summary, e.tag, e.status)
		}
		seen[e.id] = true
		if (e.limit > 0) != (e.body != nil) {
			t.Errorf("%s %s: a limit of %d, and a described body: %v", e.method, e.path, e.limit, e.body != nil)
		}
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{Version: "1.2.3"})
	r, text := s.ask(t, "GET", "/docs")
	for _, want := range []string{"1.2.3", "/v1/clients/{id}/history", "not_signed_in", "signatureNotRequired", "Last-Event-ID"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not speak of %s", want)
		}
	}
	for _, foreign := range []string{"<script", "src=", "http://", "https://"} {
		if strings.Contains(text, foreign) {
			t.Errorf("the page has %s", foreign)
		}
	}
	if p := r.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || !strings.Contains(p, "style-src 'sha256-") {
		t.Errorf("Content-Security-Policy %q", p)
	}
	if again, body := s.ask(t, "GET", "/docs", "If-None-Match", r.Header.Get("ETag")); again.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("asked again: %d with %d bytes", again.StatusCode, len(body))
	}
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	for _, path := range []string{"/healthz", "/nowhere", "/v1/clients", "/v1/openapi.json"} {
		r, _ := s.ask(t, "GET", path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": contentPolicy,
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if cache := r.Header.Get("Cache-Control"); cache != "no-store" && path != "/v1/openapi.json" {
			t.Errorf("%s: Cache-Control %q", path, cache)
		}
		if r.Header.Get("X-Request-Id") == "" || r.Header.Get("Server") != "" || r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	for sent, echoed := range map[string]bool{"trace-1_a.B": true, "": false, strings.Repeat("x", 65): false, "a b": false, "<script>": false} {
		r, _ := s.ask(t, "GET", "/healthz", "X-Request-Id", sent)
		if got := r.Header.Get("X-Request-Id"); got == "" || (got == sent) != echoed {
			t.Errorf("%q gives %q", sent, got)
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	r, body := s.ask(t, "HEAD", "/healthz")
	if r.StatusCode != http.StatusOK || body != "" || r.ContentLength <= 0 {
		t.Errorf("status %d, length %d, body %q", r.StatusCode, r.ContentLength, body)
	}
}

func TestMethodsThatAreThere(t *testing.T) {
	t.Parallel()
	r, body := bare(t, Options{}).ask(t, "PUT", "/v1/clients/c1")
	allow := r.Header.Get("Allow")
	if r.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(body, "method_not_allowed") {
		t.Errorf("status %d: %s", r.StatusCode, body)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		if !strings.Contains(allow, method) {
			t.Errorf("Allow %q lacks %s", allow, method)
		}
	}
}

// TestPanics: a handler that panics costs one answer, which says nothing of
// why; the log has the rest, with the id the client saw.
func TestPanics(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := bare(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))},
		&endpoint{method: "GET", path: "/panic", handle: func(*call) error { panic("secret reason") }})
	r, body := s.ask(t, "GET", "/panic", "X-Request-Id", "id-1", "Accept-Language", "fr")
	if r.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"internal"`) || !strings.Contains(body, "Erreur interne") {
		t.Errorf("status %d: %s", r.StatusCode, body)
	}
	if strings.Contains(body, "secret") || strings.Contains(body, "goroutine") {
		t.Errorf("the answer tells: %s", body)
	}
	if !strings.Contains(log.String(), "id=id-1") || !strings.Contains(log.String(), "secret reason") {
		t.Errorf("the log: %s", log.String())
	}
}

func TestRequestsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{Limits: Limits{Request: time.Millisecond}},
		&endpoint{method: "GET", path: "/slow", handle: func(c *call) error {
			<-c.ctx.Done()
			return c.ctx.Err()
		}})
	r, body := s.ask(t, "GET", "/slow")
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("status %d, Retry-After %q: %s", r.StatusCode, r.Header.Get("Retry-After"), body)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	_, whole := s.ask(t, "GET", "/v1/openapi.json")
	for _, coding := range []string{"gzip", "br", "zstd"} {
		r, packed := s.ask(t, "GET", "/v1/openapi.json", "Accept-Encoding", coding)
		if got := r.Header.Get("Content-Encoding"); got != coding || r.Header.Get("Vary") != "Accept-Encoding" || len(packed) >= len(whole)/2 {
			t.Errorf("%s: Content-Encoding %q, Vary %q, %d of %d bytes", coding, got, r.Header.Get("Vary"), len(packed), len(whole))
		}
		if got := unpack(t, coding, packed); got != whole {
			t.Errorf("%s: the answer is another one", coding)
		}
	}
	if r, _ := s.ask(t, "GET", "/healthz", "Accept-Encoding", "gzip, br, zstd"); r.Header.Get("Content-Encoding") != "" {
		t.Error("a small answer is compressed")
	}
	if r, _ := s.ask(t, "GET", "/v1/openapi.json", "Accept-Encoding", "identity"); r.Header.Get("Content-Encoding") != "" {
		t.Error("it is compressed though nobody asked")
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	for asked, want := range map[string]string{
		"": "en", "fr": "fr", "fr-CA,en;q=0.5": "fr", "en,fr": "en", "de": "en", "pl;q=0.9, fr;q=0.8": "fr", "en;q=0.1, fr-FR": "fr", "nonsense;;": "en",
	} {
		if r, _ := s.ask(t, "GET", "/nowhere", "Accept-Language", asked); r.Header.Get("Content-Language") != want {
			t.Errorf("%q gives %q, want %q", asked, r.Header.Get("Content-Language"), want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{Gauges: func() map[string]float64 { return map[string]float64{"documents": 7} }})
	s.ask(t, "GET", "/healthz")
	s.ask(t, "GET", "/v1/clients/some-id")
	s.ask(t, "GET", "/some-secret-path")
	_, text := s.ask(t, "GET", "/metrics")
	for _, want := range []string{
		`enroute_http_requests_total{method="GET",route="/healthz",status="200"} 1`,
		`enroute_http_requests_total{method="GET",route="/v1/clients/{id}",status="401"} 1`,
		`route="unmatched",status="404"} 1`,
		"enroute_live_streams 0", "enroute_documents 7", "go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for _, secret := range []string{"some-id", "some-secret-path"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics tell %s", secret)
		}
	}
}

// TestStopping: a server that stops says so to whoever asks, and is asked to
// be alone with its health.
func TestStopping(t *testing.T) {
	t.Parallel()
	s := bare(t, Options{})
	s.stopping.Store(true)
	for path, want := range map[string]int{"/readyz": 503, "/v1/clients": 503, "/v1/sync/pull": 503, "/healthz": 200, "/metrics": 200} {
		r, body := s.ask(t, "GET", path)
		if r.StatusCode != want || want == 503 && r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q: %s", path, r.StatusCode, r.Header.Get("Retry-After"), body)
		}
	}
}

// TestStartAndStop: start returns while the server runs, a running request is
// waited for, and a second stop does no harm.
func TestStartAndStop(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	s := bare(t, Options{}, &endpoint{method: "GET", path: "/wait", handle: func(c *call) error {
		close(entered)
		<-leave
		return c.nothing()
	}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ln); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ln); err == nil {
		t.Error("a second start succeeds")
	}
	answered := make(chan int)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		r, err := client.Get("http://" + ln.Addr().String() + "/wait")
		if err != nil {
			answered <- 0
			return
		}
		_ = r.Body.Close()
		answered <- r.StatusCode
	}()
	<-entered
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Stop(short); err == nil {
		t.Error("the stop did not wait for the request")
	}
	close(leave)
	if status := <-answered; status != http.StatusNoContent {
		t.Errorf("the running request got %d", status)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

// TestStopBeforeItRuns: however soon the stop comes, nothing is left.
func TestStopBeforeItRuns(t *testing.T) {
	t.Parallel()
	for range 50 {
		s := bare(t, Options{})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(ln); err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-s.Done()
	}
}
