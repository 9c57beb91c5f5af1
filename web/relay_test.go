package web_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/enroute-field/enroute/web"
)

// TestLiveThroughANode: pages and heartbeats come as they are made, a cursor
// continues on any node, and what is wrong is told by an ordinary answer.
func TestLiveThroughANode(t *testing.T) {
	t.Parallel()
	here, there, _ := openNodes(t, func(o *web.Options) { o.Limits.Heartbeat = 5 * time.Millisecond })
	ana, tim := here.token("ana", ""), here.phone("tim")
	s := here.follow(tim, "")
	first := s.change()
	for range 3 {
		if e, ok := s.next(); !ok || e.comment == "" {
			t.Fatalf("a quiet stream gives %+v, %v", e, ok)
		}
	}
	there.do("PATCH", "/v1/clients/c2", ana, map[string]any{"assignedEmployeeIds": []string{"tim"}}).want(http.StatusOK)
	if got := s.change().ids("put"); !slices.Equal(got, []string{"c2"}) {
		t.Errorf("a gained client puts %v", got)
	}
	if got := here.follow(tim, "", "Last-Event-ID", first.id).change().ids("put"); !slices.Equal(got, []string{"c2"}) {
		t.Errorf("a resumed stream puts %v", got)
	}
	here.do("GET", "/v1/sync/live?cursor=nonsense", tim, nil).problem(http.StatusBadRequest, "bad_cursor")
	here.do("DELETE", "/v1/devices/phone-tim", ana, nil).want(http.StatusNoContent)
	for {
		e, ok := s.next()
		if !ok {
			t.Fatal("the stream ended without a word")
		}
		if e.name == "problem" {
			break
		}
	}
	if e, ok := s.next(); ok {
		t.Errorf("after the end comes %+v", e)
	}
	here.do("GET", "/v1/sync/live", tim, nil).problem(http.StatusUnauthorized, "device_revoked")
}

// TestLiveEndsWithEitherSide: when the consumer, the node that passes on or
// the node that serves goes, the others hear of it at once, however quiet the
// stream is.
func TestLiveEndsWithEitherSide(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(here, there *world, s *stream){
		"the consumer":          func(_, _ *world, s *stream) { _ = s.body.Close() },
		"the node that asks":    func(here, _ *world, _ *stream) { here.stop() },
		"the node that answers": func(_, there *world, _ *stream) { there.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there, _ := openNodes(t, func(o *web.Options) { o.Limits.Heartbeat = time.Hour })
			s := here.follow(here.phone("tim"), "")
			s.change()
			end(here.in(t), there.in(t), s)
			if e, ok := s.next(); ok {
				t.Errorf("after the end comes %+v", e)
			}
			for name != "the node that answers" && there.gauge("enroute_live_streams") > 0 {
			}
			for name != "the node that asks" && here.gauge("enroute_live_streams")+here.gauge("enroute_forwarded_streams") > 0 {
			}
		})
	}
}

// stop the server.
func (w *world) stop() {
	w.t.Helper()
	soon, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	if err := w.server.Stop(soon); err != nil {
		w.t.Error(err)
	}
}

// TestLiveThroughANodeIsLimited: streams that are passed on count, too, and
// one that nobody reads is cut off.
func TestLiveThroughANodeIsLimited(t *testing.T) {
	t.Parallel()
	_, there, _ := openNodes(t, func(o *web.Options) { o.Limits.StreamSend = time.Second })
	tim := there.phone("tim")
	o := nodeOptions(there)
	o.Limits.Streams, o.Limits.StreamSend = 1, time.Second
	here := there.node(seatsAt(there.url), o)
	here.stall(tim)
	here.do("GET", "/v1/sync/live", tim, nil).problem(http.StatusServiceUnavailable, "unavailable")
	other := there.follow(tim, "")
	other.change()
	there.flood(other, func(int) bool { return there.Streams() > 1 })
	for here.gauge("enroute_live_streams") > 0 {
	}
	here.follow(tim, "").change()
}

// TestLiveOfASilentNode: a node of which nothing is heard, not even a
// heartbeat, is given up, so that the consumer looks for another one.
func TestLiveOfASilentNode(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	head := "HTTP/1.1 200 OK\r\nEnroute-Node: here\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n: still here\n\n"
	node := newStranger(t, func(_ *http.Request, n int64) string {
		if n == 2 {
			<-hold // its second request is one on the same connection: none comes
		}
		return head + staysOpen
	})
	t.Cleanup(func() { close(hold) })
	w, _ := openAlone(t, node, func(o *web.Options) {
		o.Limits.Heartbeat = 50 * time.Millisecond
		o.Limits.StreamSend = 50 * time.Millisecond
	})
	s := w.follow(w.phone("tim"), "")
	if e, ok := s.next(); !ok || e.comment == "" {
		t.Fatalf("the stream begins with %+v, %v", e, ok)
	}
	if e, ok := s.next(); ok {
		t.Errorf("after the silence comes %+v", e)
	}
}
