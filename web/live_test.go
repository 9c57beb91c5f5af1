package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/web"
)

// stream is a live stream as its consumer reads it.
type stream struct {
	t    testing.TB
	body io.ReadCloser
	in   *bufio.Reader
}

// event of a stream; a comment has only a comment.
type event struct {
	name, id, comment string
	data              map[string]any
}

// follow opens a stream.
func (w *world) follow(token, query string, headers ...string) *stream {
	w.t.Helper()
	r, err := w.client.Do(w.request("GET", "/v1/sync/live"+query, token, nil, headers...))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = r.Body.Close() })
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream" || r.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("live: status %d, headers %v", r.StatusCode, r.Header)
	}
	return &stream{w.t, r.Body, bufio.NewReader(r.Body)}
}

// next waits for an event or comment; false at the end of the stream.
func (s *stream) next() (e event, ok bool) {
	s.t.Helper()
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return e, false
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "":
			if value != "" {
				e.comment = value
				continue
			}
			return e, true
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				s.t.Fatalf("data %q: %v", value, err)
			}
		}
	}
}

// change waits for the next page, past comments.
func (s *stream) change() event {
	s.t.Helper()
	for {
		e, ok := s.next()
		if !ok {
			s.t.Fatal("the stream has ended")
		}
		if e.comment != "" {
			continue
		}
		if e.name != "change" || e.id == "" || e.data["cursor"] != e.id {
			s.t.Fatalf("event %+v", e)
		}
		return e
	}
}

func (e event) ids(member string) []string {
	var out []string
	list, _ := e.data[member].([]any)
	for _, d := range list {
		id, _ := d.(map[string]any)["id"].(string)
		out = append(out, id)
	}
	return out
}

func TestLiveFollowsAssignment(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana, tim := w.token("ana", ""), w.token("tim", "phone")
	s := w.follow(tim, "")
	first := s.change()
	if got := first.ids("put"); !slices.Contains(got, "c1") || slices.Contains(got, "c2") {
		t.Fatalf("first event puts %v", got)
	}
	w.do("PATCH", "/v1/clients/c2", ana, map[string]any{"assignedEmployeeIds": []string{"tim"}}).want(http.StatusOK)
	gained := s.change()
	if got := gained.ids("put"); !slices.Equal(got, []string{"c2"}) {
		t.Errorf("a gained client puts %v", got)
	}
	w.do("PATCH", "/v1/clients/c2", ana, map[string]any{"assignedEmployeeIds": []string{}}).want(http.StatusOK)
	if lost := s.change(); !slices.Contains(lost.data["drop"].([]any), any("client:c2")) {
		t.Errorf("a lost client gives %v", lost.data)
	}

	resumed := w.follow(tim, "?cursor=nonsense", "Last-Event-ID", gained.id)
	if lost := resumed.change(); !slices.Contains(lost.data["drop"].([]any), any("client:c2")) || len(lost.ids("put")) > 0 {
		t.Errorf("resumed after the gain: %v", lost.data)
	}
}

func TestLiveRefuses(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	w.do("GET", "/v1/sync/live", "", nil).problem(http.StatusUnauthorized, "not_signed_in")
	w.do("GET", "/v1/sync/live?cursor=nonsense", tim, nil).problem(http.StatusBadRequest, "bad_cursor")
	w.do("GET", "/v1/sync/live?token="+tim, "", nil).problem(http.StatusUnauthorized, "not_signed_in")
	w.do("HEAD", "/v1/sync/live", tim, nil).want(http.StatusMethodNotAllowed)
}

func TestLiveHeartbeat(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.Limits.Heartbeat = time.Millisecond })
	s := w.follow(w.token("tim", "phone"), "")
	s.change()
	for range 3 {
		if e, ok := s.next(); !ok || e.comment == "" {
			t.Fatalf("a quiet stream gives %+v, %v", e, ok)
		}
	}
}

// TestLiveEndsWithTheSession: whoever is revoked, signed out or deactivated
// hears why, gets no page any more, and cannot come back.
func TestLiveEndsWithTheSession(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(w *world, tim string)
		code string
	}{
		"revoked": {func(w *world, _ string) {
			w.do("DELETE", "/v1/devices/phone", w.token("ana", ""), nil).want(http.StatusNoContent)
		}, "device_revoked"},
		"revoked, may hand in": {func(w *world, _ string) {
			w.do("DELETE", "/v1/devices/phone?handIn=true", w.token("ana", ""), nil).want(http.StatusNoContent)
		}, "device_revoked"},
		"signed out": {func(w *world, tim string) {
			w.do("POST", "/v1/logout", tim, nil).want(http.StatusNoContent)
		}, "not_signed_in"},
		"deactivated": {func(w *world, _ string) {
			w.do("PATCH", "/v1/employees/tim", w.token("ana", ""), map[string]any{"active": false}).want(http.StatusOK)
		}, "not_signed_in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			tim := w.token("tim", "phone")
			s := w.follow(tim, "", "Accept-Language", "fr")
			s.change()
			tt.end(w, tim)
			e, ok := s.next()
			if !ok || e.name != "problem" || e.data["code"] != tt.code {
				t.Fatalf("the last event is %+v, %v", e, ok)
			}
			if e, ok := s.next(); ok {
				t.Errorf("after the end comes %+v", e)
			}
			w.do("GET", "/v1/sync/live", tim, nil).problem(http.StatusUnauthorized, tt.code)
		})
	}
}

// TestLiveEndsWithTheToken: an open stream does not outlive its sign-in, which
// nobody ends but time.
func TestLiveEndsWithTheToken(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.Limits.Heartbeat = time.Millisecond })
	s := w.follow(w.token("tim", "phone"), "")
	s.change()
	w.Clock.Advance(181 * 24 * time.Hour)
	for {
		e, ok := s.next()
		if !ok {
			t.Fatal("the stream ended without a word")
		}
		if e.name == "problem" {
			if e.data["code"] != "not_signed_in" {
				t.Errorf("the last event is %+v", e)
			}
			return
		}
	}
}

// TestLiveLetsGoOfSilentPeers: a consumer that hangs up is noticed at once,
// not at the next write.
func TestLiveLetsGoOfSilentPeers(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.Limits.Streams = 1; o.Limits.Heartbeat = time.Hour })
	tim := w.token("tim", "phone")
	s := w.follow(tim, "")
	s.change()
	w.do("GET", "/v1/sync/live", tim, nil).problem(http.StatusServiceUnavailable, "unavailable")
	_ = s.body.Close()
	for !strings.Contains(string(w.do("GET", "/metrics", "", nil).want(http.StatusOK).body), "\nenroute_live_streams 0\n") {
	}
	w.follow(tim, "").change()
}

// TestLiveCutsOffSlowConsumers: whoever does not read is cut off, and nobody
// waits for him.
func TestLiveCutsOffSlowConsumers(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.Limits.StreamSend = time.Second })
	tim := w.token("tim", "phone")
	w.stall(tim)
	other := w.follow(tim, "")
	other.change()
	w.flood(other, func(int) bool { return w.Streams() > 1 })
}

// TestStopWaitsForNoSlowConsumer: the time to stop in belongs to requests.
func TestStopWaitsForNoSlowConsumer(t *testing.T) {
	t.Parallel()
	w := open(t, func(o *web.Options) { o.Limits.StreamSend = time.Hour })
	tim := w.token("tim", "phone")
	w.stall(tim)
	other := w.follow(tim, "")
	other.change()
	w.flood(other, func(i int) bool { return i < 50 }) // more than sockets hold
	soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := w.server.Stop(soon); err != nil {
		t.Error(err)
	}
}

// stall opens a stream that nobody reads.
func (w *world) stall(token string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /v1/sync/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\n\r\n"); err != nil {
		w.t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 16)); err != nil {
		w.t.Fatal(err)
	}
}

// flood changes tim's client again and again, and waits until the other
// stream has heard of it.
func (w *world) flood(other *stream, more func(i int) bool) {
	w.t.Helper()
	ana := w.token("ana", "")
	long := strings.Repeat("🚧", 19_000)
	for i := 0; more(i); i++ {
		w.do("PATCH", "/v1/clients/c1", ana, map[string]any{"note": long + strconv.Itoa(i), "description": long}).want(http.StatusOK)
		other.change()
	}
}

func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	w := open(t)
	s := w.follow(w.token("tim", "phone"), "")
	s.change()
	soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := w.server.Stop(soon); err != nil {
		t.Fatal(err)
	}
	if e, ok := s.next(); ok {
		t.Errorf("after the stop comes %+v", e)
	}
	select {
	case <-w.server.Done():
	default:
		t.Error("the server still accepts")
	}
}
