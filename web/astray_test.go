package web_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/web"
)

// TestWorkspaceMovesOn: a node that has given a workspace away says so to the
// one that forwards, which finds the new one. The client notices nothing.
func TestWorkspaceMovesOn(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]asked{
		"a read":        {"GET", "/v1/clients/c1", "", nil, nil},
		"a bare create": {"POST", "/v1/clients", "", map[string]any{"name": "Une seule fois"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, third, s := openNodes(t)
			old := third.node(seatsAt(third.url), nodeOptions(third))
			s.move("", old.url)
			s.missed = func(string) { s.move("", third.url) }
			here.do(r.method, r.path, third.token("ana", ""), r.body).want(map[string]int{"GET": 200, "POST": 201}[r.method])
			if got := s.misses(); len(got) != 1 || got[0] != old.url {
				t.Errorf("mislaid at %v, and the old node is %s", got, old.url)
			}
		})
	}
}

// TestWorkspaceMovesHere: it is answered by the node that is asked if that one
// gets the seat meanwhile.
func TestWorkspaceMovesHere(t *testing.T) {
	t.Parallel()
	here, there, s := openNodes(t)
	ana := there.token("ana", "")
	s.move("", "http://127.0.0.1:1")
	s.missed = func(string) { s.move("", "here") }
	here.do("POST", "/v1/clients", ana, map[string]any{"id": "n1", "name": "Ici"}).want(http.StatusCreated)
	there.do("GET", "/v1/clients/n1", ana, nil).want(http.StatusOK)
}

// TestNodesThatSendEachOther: where each of two believes that the other one
// serves the workspace, the client is soon told to come back.
func TestNodesThatSendEachOther(t *testing.T) {
	t.Parallel()
	here, there, s := openNodes(t)
	ana := there.token("ana", "")
	other := there.node(seatsAt(here.url), nodeOptions(there))
	s.move("", other.url)
	begun := time.Now()
	here.do("POST", "/v1/clients", ana, map[string]any{"name": "Nulle part"}).unavailable()
	other.do("GET", "/v1/clients/c1", ana, nil).unavailable()
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := s.misses(); len(got) != 3 {
		t.Errorf("mislaid at %v", got)
	}
}

// unavailable fails unless the client is told to come back in a second.
func (a *answer) unavailable() {
	a.t.Helper()
	a.problem(http.StatusServiceUnavailable, "unavailable")
	if got := a.header.Get("Retry-After"); got != "1" {
		a.t.Errorf("%s: Retry-After %q", a.what, got)
	}
	a.without("Enroute-", "127.0.0.1", clusterKey)
}

// TestNobodyServesIt: a seat that cannot be found out, or whose node is gone,
// costs the client little time; what is of no workspace is answered all the
// same.
func TestNobodyServesIt(t *testing.T) {
	t.Parallel()
	here, there, s := openNodes(t)
	ana := there.token("ana", "")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, address := range []string{"http://" + gone.Addr().String(), "", "nonsense", "http://%zz", "ftp://127.0.0.1/"} {
		s.move("", address)
		begun := time.Now()
		here.do("POST", "/v1/clients", ana, map[string]any{"name": "x"}).unavailable()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%q: it took %s", address, took)
		}
		here.do("GET", "/v1/sync/live", ana, nil).unavailable()
		here.do("POST", "/v1/login", "", map[string]any{"workspace": "test", "email": "x@x", "password": "wrong"}).unavailable()
		here.do("GET", "/healthz", "", nil).want(http.StatusOK)
		here.do("GET", "/v1/openapi.json", ana, nil).want(http.StatusOK)
		here.do("GET", "/v1/clients", "unknown."+strings.Repeat("A", 43), nil).problem(http.StatusUnauthorized, "not_signed_in")
	}
	s.move("", there.url)
	here.do("GET", "/v1/clients/c1", ana, nil).want(http.StatusOK)
}

// TestSilentNode: a node that takes a request and says nothing costs the
// client the time that a request may take, and no more.
func TestSilentNode(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	silent := newStranger(t, func(*http.Request, int64) string { <-hold; return "" })
	t.Cleanup(func() { close(hold) })
	w, _ := openAlone(t, silent, func(o *web.Options) { o.Limits.Request = 200 * time.Millisecond })
	tim := w.phone("tim")
	w.do("GET", "/v1/sync/pull", tim, nil).unavailable()
	w.do("GET", "/v1/sync/live", tim, nil).unavailable()
	w.do("POST", "/v1/clients", tim, map[string]any{"name": "x"}).unavailable()
}

// phone of an employee, which has its token from the engine and not over HTTP.
func (w *world) phone(employee string) string { return w.token(employee, "phone-"+employee) }

// nodeOptions are those of another server over the engine of a world.
func nodeOptions(w *world) web.Options {
	return web.Options{Engine: w.Engine, Registry: w.Registry, Auth: w.auth, Clock: w.Clock.Now}
}

// TestBrokenOff: a request after which the connection broke is sent again only
// if that does no harm.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	key := []string{"Idempotency-Key", "once"}
	for name, tt := range map[string]struct {
		asked
		times int64
	}{
		"a read":                     {asked{"GET", "/v1/clients/c1", "", nil, nil}, 3},
		"a stream":                   {asked{"GET", "/v1/sync/live", "", nil, nil}, 3},
		"a push":                     {asked{"POST", "/v1/sync/push", "", push(), nil}, 3},
		"a create":                   {asked{"POST", "/v1/clients", "", map[string]any{"name": "x"}, nil}, 1},
		"a create with a key":        {asked{"POST", "/v1/clients", "", map[string]any{"name": "x"}, key}, 3},
		"a change":                   {asked{"PATCH", "/v1/clients/c1", "", map[string]any{"note": "x"}, nil}, 1},
		"a deletion":                 {asked{"DELETE", "/v1/clients/c1", "", nil, nil}, 1},
		"a deletion with a key":      {asked{"DELETE", "/v1/clients/c1", "", nil, key}, 3},
		"numbers, whatever the key":  {asked{"POST", "/v1/sync/numbers", "", map[string]any{"kind": "task", "count": 1}, key}, 1},
		"a sign-out, whatever a key": {asked{"POST", "/v1/logout", "", nil, key}, 1},
		"a sign-in":                  {asked{"POST", "/v1/login", "", map[string]any{"workspace": "test", "email": "x@x", "password": "x"}, nil}, 1},
	} {
		for first, text := range map[string]string{"at once": "", "later": "HTTP/1.1 200 OK\r\nEnroute-Node: here\r\nContent-Length: 2\r\n\r\n{}" + staysOpen} {
			t.Run(name+", "+first, func(t *testing.T) {
				t.Parallel()
				broken := newStranger(t, func(r *http.Request, _ int64) string {
					if r.URL.Path == "/v1/sync/explain" {
						return text
					}
					return ""
				})
				w, s := openAlone(t, broken)
				tim := w.phone("tim")
				if text != "" { // so that the connection is one that was kept
					w.do("GET", "/v1/sync/explain", tim, nil).want(http.StatusOK)
				}
				was, missed := broken.asked.Load(), len(s.misses())
				w.do(tt.method, tt.path, tim, tt.body, tt.headers...).unavailable()
				times := broken.asked.Load() - was
				if tt.times == 1 && times != 1 || times < tt.times {
					t.Errorf("sent %d times, want %d", times, tt.times)
				}
				if got := len(s.misses()) - missed; got != int(tt.times) {
					t.Errorf("mislaid %d times", got)
				}
			})
		}
	}
}

// TestAnswersThatAreNone: what is no answer of a node of this cluster does not
// reach the client.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	ok := "HTTP/1.1 200 OK\r\nEnroute-Node: here\r\n"
	for name, text := range map[string]string{
		"nothing":             "",
		"rubbish":             "\x16\x03\x01\r\n\r\n",
		"another server":      "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
		"another one's 421":   "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n",
		"an unknown word":     "HTTP/1.1 200 OK\r\nEnroute-Node: perhaps\r\nContent-Length: 0\r\n\r\n",
		"elsewhere, with 200": "HTTP/1.1 200 OK\r\nEnroute-Node: elsewhere\r\nContent-Length: 0\r\n\r\n",
		"half an answer":      ok + "Content-Length: 100\r\n\r\n{\"half\":",
		"half a head":         ok + "Content-Le",
		"two lengths":         ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"an endless head":     ok + "X: " + strings.Repeat("x", 100<<10) + "\r\n\r\n{}",
		"a broken chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := openAlone(t, says(t, text))
			tim := w.phone("tim")
			w.do("GET", "/v1/clients/c1", tim, nil).unavailable()
			w.do("POST", "/v1/clients", tim, map[string]any{"name": "x"}).unavailable()
		})
	}
}

// TestHalfALongAnswer: the client sees that it broke off.
func TestHalfALongAnswer(t *testing.T) {
	t.Parallel()
	head := "HTTP/1.1 200 OK\r\nEnroute-Node: here\r\n"
	for _, text := range []string{
		head + "Content-Length: 3000000\r\n\r\n" + strings.Repeat("a", 2_000_000),
		head + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
	} {
		w, _ := openAlone(t, says(t, text))
		r, err := w.client.Do(w.request("GET", "/v1/clients", w.phone("tim"), nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("%d bytes came as if they were all", len(got))
		}
		_ = r.Body.Close()
	}
}

// TestWhatANodeHears: what the client said, and who the client is; not what
// the client says about nodes.
func TestWhatANodeHears(t *testing.T) {
	t.Parallel()
	heard := make(chan *http.Request, 1)
	node := newStranger(t, func(r *http.Request, _ int64) string {
		heard <- r
		return "HTTP/1.1 204 No Content\r\nEnroute-Node: here\r\nX-Odd: a\r\nX-Odd: b\r\nKeep-Alive: timeout=5\r\n\r\n"
	})
	w, _ := openAlone(t, node)
	tim := w.phone("tim")
	a := w.do("PATCH", "/v1/clients/%63%31?x=%20y&z", tim, `{"a": 1}`, "X-Forwarded-For", "192.0.2.1, 192.0.2.2", "Enroute-Forwarded", "mine", "Enroute-Node", "mine",
		"X-Request-Id", "r1", "Content-Type", "application/merge-patch+json", "Connection", "X-Mine, close", "X-Mine", "1", "Proxy-Authorization", "x", "Te", "trailers",
		"If-Match", `"7"`, "Accept-Language", "fr")
	a.want(http.StatusNoContent).without("Enroute-", "Keep-Alive")
	if got := a.header.Values("X-Odd"); len(got) != 2 {
		t.Errorf("X-Odd is %v", got)
	}
	r := <-heard
	w.do("GET", "/v1/clients/c1", tim, nil).want(http.StatusNoContent)
	if unnamed := <-heard; unnamed.Header.Get("X-Request-Id") == "" {
		t.Error("the node hears of no id for a request that came without one")
	}
	if r.Method != "PATCH" || r.RequestURI != "/v1/clients/%63%31?x=%20y&z" || r.ContentLength != 8 {
		t.Errorf("%s %s with %d bytes", r.Method, r.RequestURI, r.ContentLength)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "192.0.2.1, 192.0.2.2, 127.0.0.1", "Enroute-Forwarded": clusterKey, "Enroute-Node": "", "X-Request-Id": "r1",
		"Content-Type": "application/merge-patch+json", "X-Mine": "", "Proxy-Authorization": "", "Te": "", "If-Match": `"7"`, "Accept-Language": "fr", "Authorization": "Bearer " + tim,
	} {
		if got := strings.Join(r.Header.Values(name), "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestStopLetsGoOfNodes: a server that has stopped holds no connection.
func TestStopLetsGoOfNodes(t *testing.T) {
	t.Parallel()
	node := says(t, "HTTP/1.1 204 No Content\r\nEnroute-Node: here\r\n\r\n"+staysOpen)
	w, _ := openAlone(t, node)
	w.do("GET", "/v1/clients/c1", w.phone("tim"), nil).want(http.StatusNoContent)
	w.stop()
	select {
	case <-node.left:
	case <-time.After(10 * time.Second):
		t.Error("the connection to the node is still open")
	}
}

// TestRoomForBodies: clients that nobody knows yet cannot fill the memory with
// bodies that they promise.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	here, _, _ := openNodes(t)
	tim := here.phone("tim")
	var conns []net.Conn
	for range 30 { // of the 32 that there is room for
		conns = append(conns, here.promise(4<<20))
	}
	big := `{"mutations":[]` + strings.Repeat(" ", 4<<20) + "}"
	for here.do("POST", "/v1/sync/push", tim, big).status != http.StatusServiceUnavailable {
		conns = append(conns, here.promise(4<<20))
	}
	here.do("POST", "/v1/sync/push", tim, big).unavailable()
	here.do("GET", "/v1/sync/pull", tim, nil).want(http.StatusOK)
	for _, conn := range conns {
		_ = conn.Close()
	}
	for here.do("POST", "/v1/sync/push", tim, big).status != http.StatusOK {
	}
}

// promise begins a push of so many bytes, with a token that nobody has.
func (w *world) promise(size int) net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST /v1/sync/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer test.%s\r\nContent-Length: %d\r\n\r\n%s",
		strings.Repeat("A", 43), size, strings.Repeat(" ", 16<<10)); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// TestForwardedIsCounted: the node that is asked tells how much it passes on.
func TestForwardedIsCounted(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t)
	tim := here.phone("tim")
	for range 3 {
		here.do("GET", "/v1/clients/c1", tim, nil).want(http.StatusOK)
	}
	here.follow(tim, "").change()
	there.follow(tim, "").change()
	if got := here.gauge("enroute_forwarded_requests_total"); got != 4 {
		t.Errorf("%v requests were forwarded", got)
	}
	for w, want := range map[*world][2]float64{here: {1, 1}, there: {2, 0}} {
		if live, forwarded := w.gauge("enroute_live_streams"), w.gauge("enroute_forwarded_streams"); live != want[0] || forwarded != want[1] {
			t.Errorf("%v streams, %v forwarded, want %v", live, forwarded, want)
		}
	}
}

// gauge is a figure of /metrics.
func (w *world) gauge(name string) float64 {
	w.t.Helper()
	_, rest, _ := strings.Cut(string(w.do("GET", "/metrics", "", nil).want(http.StatusOK).body), "\n"+name+" ")
	text, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return value
}
