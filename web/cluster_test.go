package web_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/enroute-field/enroute/web"
)

// clusterKey is the secret of every cluster here.
const clusterKey = "a key that only nodes know"

// seats are what one node knows of who serves which workspace. Tests change
// them as they like.
type seats struct {
	mu      sync.Mutex
	address map[string]string // by workspace, "" for the rest; "here" for the node itself
	mislaid []string          // addresses, in order
	missed  func(address string)
}

var errNobody = errors.New("nobody serves the workspace")

// seatsAt are those of a node that finds every workspace at the address.
func seatsAt(address string) *seats {
	return &seats{address: map[string]string{"": address}, missed: func(string) {}}
}

// move says where a workspace is served from now on.
func (s *seats) move(workspace, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address[workspace] = address
}

// misses are the addresses at which a workspace was not found.
func (s *seats) misses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mislaid)
}

func (s *seats) Locate(_ context.Context, workspace string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch address := cmp.Or(s.address[workspace], s.address[""]); address {
	case "":
		return "", errNobody
	case "here":
		return "", nil
	default:
		return address, nil
	}
}

func (s *seats) Mislaid(_, address string) {
	s.mu.Lock()
	s.mislaid = append(s.mislaid, address)
	s.mu.Unlock()
	s.missed(address)
}

func (*seats) Key() string { return clusterKey }

// node starts another server over the same engine. The world that it gives
// asks that one.
func (w *world) node(s *seats, o web.Options) *world {
	w.t.Helper()
	node := *w
	o.Cluster = s
	node.start(o)
	return &node
}

// startBehind starts a node that serves everything, and another one that
// forwards to it and is the one that is asked.
func (w *world) startBehind(o web.Options) {
	w.t.Helper()
	there := w.node(seatsAt("here"), o)
	*w = *w.node(seatsAt(there.url), o)
}

// openNodes is a world with two nodes: one that serves the workspace, and one
// that does not, with what that one knows.
func openNodes(t testing.TB, change ...func(*web.Options)) (here, there *world, s *seats) {
	t.Helper()
	var o web.Options
	there = open(t, append(slices.Clone(change), func(of *web.Options) {
		of.Cluster = seatsAt("here")
		o = *of
	})...)
	s = seatsAt(there.url)
	return there.node(s, o), there, s
}

// openAlone is a world with one node, which finds the workspace at the address
// of a stranger.
func openAlone(t testing.TB, stranger *stranger, change ...func(*web.Options)) (*world, *seats) {
	t.Helper()
	s := seatsAt("http://" + stranger.Addr().String())
	return open(t, append(slices.Clone(change), func(o *web.Options) { o.Cluster = s })...), s
}

// stranger listens where a node should be, and answers each request with the
// text that answer gives for it.
type stranger struct {
	net.Listener
	asked atomic.Int64  // requests
	left  chan struct{} // gets one for each connection that ends, as far as somebody listens
}

func newStranger(t testing.TB, answer func(r *http.Request, n int64) string) *stranger {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{Listener: ln, left: make(chan struct{}, 1)}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); running.Wait() })
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(conn, answer) })
		}
	})
	return s
}

// serve one connection, until a text says that it ends there.
func (s *stranger) serve(conn net.Conn, answer func(*http.Request, int64) string) {
	defer func() {
		_ = conn.Close()
		select {
		case s.left <- struct{}{}:
		default:
		}
	}()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		text, stays := strings.CutSuffix(answer(r, s.asked.Add(1)), staysOpen)
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
		if !stays {
			return
		}
	}
}

// staysOpen ends the text of a stranger that goes on to listen.
const staysOpen = "<more>"

// says is a stranger that always says the same.
func says(t testing.TB, text string) *stranger {
	t.Helper()
	return newStranger(t, func(*http.Request, int64) string { return text })
}
