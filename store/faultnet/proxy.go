// Package faultnet is a network that breaks on command: a TCP proxy between a
// client and one server, or several in turn, which cuts connections, refuses
// new ones, delays, holds back or swallows what is sent, in one direction or
// in both, and heals.
//
// It knows nothing of what is said through it. A piece, to which delays and
// chances apply, is what one read from a connection gave: for protocols of
// requests and answers that are not long, one of either.
package faultnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Trouble is what a proxy does to the traffic. The zero value is none.
type Trouble struct {
	Requests Fate          // of what clients send
	Answers  Fate          // of what servers send
	Delay    time.Duration // each piece is late by a random time up to this
	Cut      float64       // chance of a piece that its connection is reset; in half of the cases the piece arrived before
	Refuse   bool          // new connections are reset at once; those that are there go on
}

// Fate is what becomes of all that is sent in one direction, ends of
// connections included.
type Fate int

// The fates.
const (
	Pass Fate = iota
	Hold      // it arrives when the trouble is over, as if sent again by the network
	Lose      // it never arrives; its connection is reset when the trouble changes
)

// End is how a connection ends.
type End int

// The ends.
const (
	Finish End = iota // in order, as if the other side had closed it
	Reset             // by force
)

// Tally counts what a proxy did since it was made.
type Tally struct {
	Connections int // passed on to a target
	Refused     int // reset at once, by Trouble or because no target accepted
	Cut         int // ended by Cut or by the chance of one
}

// Proxy passes connections on. It may be used by many goroutines at once.
type Proxy struct {
	listener *net.TCPListener
	running  sync.WaitGroup
	closing  context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	rand    *rand.Rand
	targets []string
	next    int // target of the next connection
	trouble Trouble
	changed chan struct{} // closed when trouble changes
	open    map[*connection]bool
	tally   Tally
}

// New starts a proxy, which ends with the test. Each new connection goes to
// the next of the targets, skipping those that do not accept it. The seed
// decides delays and chances.
func New(t testing.TB, seed uint64, targets ...string) *Proxy {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &Proxy{
		listener: l.(*net.TCPListener), rand: rand.New(rand.NewPCG(seed, 0)), targets: targets,
		changed: make(chan struct{}), open: map[*connection]bool{},
	}
	p.closing, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	t.Cleanup(p.Close)
	return p
}

// Address is where the proxy listens, "127.0.0.1:1234".
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Targets changes where new connections go. Those that are there go on.
func (p *Proxy) Targets(targets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets, p.next = slices.Clone(targets), 0
}

// Set changes the trouble. Connections of which something was lost are reset:
// what would arrive now is not what was sent.
func (p *Proxy) Set(now Trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = now
	close(p.changed)
	p.changed = make(chan struct{})
	for c := range p.open {
		if c.spoiled {
			c.end(Reset)
		}
	}
}

// Heal ends all trouble.
func (p *Proxy) Heal() { p.Set(Trouble{}) }

// Cut ends the connections that are there and says how many they were.
func (p *Proxy) Cut(how End) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.end(how)
	}
	p.tally.Cut += len(p.open)
	return len(p.open)
}

// Tally gives the counts so far.
func (p *Proxy) Tally() Tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tally
}

// Close resets all connections and stops listening. A second one does nothing.
func (p *Proxy) Close() {
	p.cancel()
	_ = p.listener.Close() // the second time it is closed already
	p.mu.Lock()
	for c := range p.open {
		c.end(Reset)
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.AcceptTCP()
		if err != nil {
			return // it is closed
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve passes on one connection until both sides have ended it.
func (p *Proxy) serve(client *net.TCPConn) {
	target, err := p.reach()
	if err != nil {
		reset(client)
		return
	}
	c := &connection{proxy: p, client: client, target: target, ended: make(chan struct{})}
	if !p.add(c) {
		return
	}
	var requests sync.WaitGroup
	requests.Go(func() { c.pump(client, target, requestsOf) })
	c.pump(target, client, answersOf)
	requests.Wait()
	p.remove(c)
}

// patience is how long a target has to accept a connection.
const patience = 2 * time.Second

// reach connects to the next target that accepts.
func (p *Proxy) reach() (*net.TCPConn, error) {
	candidates := p.candidates()
	err := fmt.Errorf("no target")
	for _, address := range candidates {
		var conn net.Conn
		dialer := net.Dialer{Timeout: patience}
		if conn, err = dialer.DialContext(p.closing, "tcp", address); err == nil {
			return conn.(*net.TCPConn), nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Refused++
	return nil, err
}

// candidates are the targets in the order in which a new connection tries
// them; none while new connections are refused.
func (p *Proxy) candidates() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble.Refuse || len(p.targets) == 0 {
		return nil
	}
	first := p.next % len(p.targets)
	p.next = first + 1
	return slices.Concat(p.targets[first:], p.targets[:first])
}

// add registers a connection; false if the proxy was closed meanwhile.
func (p *Proxy) add(c *connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Err() != nil {
		c.end(Reset)
		return false
	}
	p.open[c] = true
	p.tally.Connections++
	return true
}

func (p *Proxy) remove(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.end(Finish)
	delete(p.open, c)
}
