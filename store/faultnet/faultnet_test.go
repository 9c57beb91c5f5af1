package faultnet

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers each line with its own name and the line.
type server struct {
	name     string
	listener net.Listener
	running  sync.WaitGroup
	heard    chan string // what arrives
	ends     chan error  // how connections end
}

func serve(t *testing.T, name string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{name: name, listener: l, heard: make(chan string, 1000), ends: make(chan error, 1000)}
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.answer(conn) })
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *server) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	buffer := make([]byte, 100)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			s.ends <- err
			return
		}
		s.heard <- string(buffer[:n])
		if _, err := conn.Write([]byte(s.name + ":" + string(buffer[:n]))); err != nil {
			s.ends <- err
			return
		}
	}
}

// stop refuses new connections; it waits for those that are there.
func (s *server) stop() { _ = s.listener.Close(); s.running.Wait() }

func (s *server) address() string { return s.listener.Addr().String() }

func (s *server) hears(t *testing.T, want string) {
	t.Helper()
	if got := <-s.heard; got != want {
		t.Errorf("the server hears %q, not %q", got, want)
	}
}

// dial connects through the proxy.
func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func say(t *testing.T, conn net.Conn, what string) {
	t.Helper()
	if _, err := conn.Write([]byte(what)); err != nil {
		t.Fatal(err)
	}
}

func reads(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

// readsNothing waits a moment for an answer that must not come.
func readsNothing(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 10)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
}

// isReset expects that nothing more comes, but an error.
func isReset(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 10)); n > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %d bytes, %v; want a reset", n, err)
	}
}

// refuses expects that a new connection is reset, as it is made or after.
func refuses(t *testing.T, p *Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err == nil {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new connection gets %v; want a reset", err)
	}
}

// Whatever the delays, all that is sent arrives in its order, and the end of
// one direction leaves the other open.
func TestEverythingArrives(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		all, _ := io.ReadAll(conn) // answers only when it has heard everything
		_, _ = conn.Write(all)
	}()
	p := New(t, 1, l.Addr().String())
	p.Set(Trouble{Delay: time.Millisecond})
	sent := make([]byte, 3*largest+17)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	conn := dial(t, p).(*net.TCPConn)
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	p.Set(Trouble{Delay: 10 * time.Millisecond})
	conn := dial(t, p)
	began := time.Now()
	for range 10 {
		say(t, conn, "x")
		reads(t, conn, "s:x")
	}
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("20 pieces that are each 5 ms late on the average took %s", took)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	for how, want := range map[End]error{Finish: io.EOF, Reset: syscall.ECONNRESET} {
		one, two := dial(t, p), dial(t, p)
		for _, conn := range []net.Conn{one, two} {
			say(t, conn, "x")
			reads(t, conn, "s:x")
		}
		if n := p.Cut(how); n != 2 {
			t.Errorf("%d connections were cut", n)
		}
		for _, conn := range []net.Conn{one, two} {
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, want) {
				t.Errorf("the client reads %v, not %v", err, want)
			}
			if err := <-s.ends; !errors.Is(err, want) {
				t.Errorf("the server reads %v, not %v", err, want)
			}
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	there := dial(t, p)
	say(t, there, "x")
	reads(t, there, "s:x")
	p.Set(Trouble{Refuse: true})
	refuses(t, p)
	say(t, there, "y")
	reads(t, there, "s:y")
	p.Heal()
	again := dial(t, p)
	say(t, again, "z")
	reads(t, again, "s:z")
}

// A request that is lost never arrives, nor does anything after it.
func TestLoseRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	conn := dial(t, p)
	say(t, conn, "before")
	reads(t, conn, "s:before")
	s.hears(t, "before")
	p.Set(Trouble{Requests: Lose})
	say(t, conn, "lost")
	readsNothing(t, conn)
	p.Heal()
	isReset(t, conn)
	if err := <-s.ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server's end is %v", err)
	}
	if len(s.heard) > 0 {
		t.Errorf("the server heard %q", <-s.heard)
	}
}

// The request arrives, the answer is lost.
func TestLoseAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	p.Set(Trouble{Answers: Lose})
	conn := dial(t, p)
	say(t, conn, "x")
	s.hears(t, "x")
	readsNothing(t, conn)
	p.Heal()
	isReset(t, conn)
}

// What is held arrives when the trouble is over, though its sender has gone.
func TestHold(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	p.Set(Trouble{Requests: Hold, Answers: Hold})
	stays, goes := dial(t, p), dial(t, p)
	say(t, stays, "stays")
	readsNothing(t, stays)
	if len(s.heard) > 0 {
		t.Errorf("the server heard %q", <-s.heard)
	}
	p.Set(Trouble{Answers: Hold})
	s.hears(t, "stays")
	readsNothing(t, stays)
	p.Set(Trouble{Requests: Hold})
	reads(t, stays, "s:stays")
	say(t, goes, "goes")
	_ = goes.Close()
	p.Heal()
	s.hears(t, "goes")
	if err := <-s.ends; err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the end of the one that went is %v", err)
	}
}

// A connection that is cut by chance has delivered its last piece or not.
func TestCutByChance(t *testing.T) {
	t.Parallel()
	s := serve(t, "s")
	p := New(t, 1, s.address())
	p.Set(Trouble{Cut: 1})
	arrived := 0
	const tries = 50
	for range tries {
		conn := dial(t, p)
		say(t, conn, "x")
		isReset(t, conn)
		if err := <-s.ends; errors.Is(err, io.EOF) {
			t.Error("for the server the connection ended in order")
		}
		arrived += len(s.heard)
		for len(s.heard) > 0 {
			<-s.heard
		}
	}
	if arrived < tries/4 || arrived > tries*3/4 {
		t.Errorf("of %d requests that were cut %d arrived", tries, arrived)
	}
	if n := p.Tally().Cut; n != tries {
		t.Errorf("%d cuts were counted", n)
	}
}

// Connections go to the targets in turn, past those that refuse.
func TestInTurn(t *testing.T) {
	t.Parallel()
	a, b, c := serve(t, "a"), serve(t, "b"), serve(t, "c")
	p := New(t, 1, a.address(), b.address(), c.address())
	meets(t, p, "a", "b", "c", "a")
	b.stop()
	meets(t, p, "c", "c", "a", "c")
	p.Targets(a.address())
	meets(t, p, "a", "a")
	a.stop()
	refuses(t, p)
	p.Targets()
	refuses(t, p)
	p.Targets(b.address(), c.address())
	meets(t, p, "c")
}

func meets(t *testing.T, p *Proxy, names ...string) {
	t.Helper()
	for _, name := range names {
		conn := dial(t, p)
		say(t, conn, "x")
		reads(t, conn, name+":x")
		_ = conn.Close()
	}
}

// Closing ends connections whatever the trouble, and leaves nothing behind.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, trouble := range []Trouble{
		{}, {Requests: Hold}, {Requests: Lose}, {Answers: Hold}, {Delay: time.Hour},
	} {
		s := serve(t, "s")
		p := New(t, 1, s.address())
		p.Set(trouble)
		conn := dial(t, p)
		say(t, conn, "x")
		if trouble.Answers == Hold {
			s.hears(t, "x")
		}
		p.Close()
		if _, err := conn.Read(make([]byte, 10)); trouble != (Trouble{}) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%+v: the client reads %v", trouble, err)
		}
		p.Close()
	}
}
