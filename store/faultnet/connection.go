package faultnet

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// connection is one that passes through a proxy.
type connection struct {
	proxy          *Proxy
	client, target *net.TCPConn
	once           sync.Once
	ended          chan struct{}
	spoiled        bool // some of it was lost; guarded by the proxy's mu
}

// direction tells which of a Trouble's fates is meant.
type direction func(*Trouble) Fate

func requestsOf(t *Trouble) Fate { return t.Requests }

func answersOf(t *Trouble) Fate { return t.Answers }

// end ends both halves. Only the first call counts.
func (c *connection) end(how End) {
	c.once.Do(func() {
		close(c.ended)
		for _, half := range []*net.TCPConn{c.client, c.target} {
			if how == Reset {
				reset(half)
			} else {
				_ = half.Close() // nothing is left to be told
			}
		}
	})
}

// reset ends a connection so that the other side gets an error.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails on one that is gone
	_ = c.Close()
}

// largest piece in bytes.
const largest = 64 << 10

// pump passes on what comes from one side, its end included.
func (c *connection) pump(from, to *net.TCPConn, of direction) {
	buffer := make([]byte, largest)
	for {
		n, err := from.Read(buffer)
		if n > 0 && c.arrives(of) && !c.deliver(to, buffer[:n]) {
			return
		}
		if err == nil {
			continue
		}
		switch {
		case !c.arrives(of):
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite() // fails if that side has gone first
		default:
			c.end(Reset)
		}
		return
	}
}

// arrives waits for as long as what was sent is delayed or held, and says
// whether it arrives.
func (c *connection) arrives(of direction) bool {
	if !c.delayed(c.proxy.delay()) {
		return false
	}
	for {
		fate, changed := c.fate(of)
		if fate != Hold {
			return fate == Pass
		}
		select {
		case <-changed:
		case <-c.ended:
			return false
		}
	}
}

// delayed waits; false if the connection ends first.
func (c *connection) delayed(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ended:
		return false
	}
}

// fate of what is sent now. Nothing arrives any more of a connection that has
// lost something.
func (c *connection) fate(of direction) (f Fate, changed <-chan struct{}) {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	f = of(&p.trouble)
	if f == Lose || c.spoiled {
		f, c.spoiled = Lose, true
	}
	return f, p.changed
}

// deliver writes a piece, or cuts the connection before it or after it; false
// if nothing can follow.
func (c *connection) deliver(to *net.TCPConn, piece []byte) bool {
	write, cut := c.chance()
	if write {
		if _, err := to.Write(piece); err != nil {
			cut = true
		}
	}
	if cut {
		c.end(Reset)
	}
	return !cut
}

// chance says whether the connection is to be cut with the piece that is
// there, and whether that one is still written. Nothing follows on a cut, in
// either direction.
func (c *connection) chance() (write, cut bool) {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.spoiled || p.trouble.Cut <= 0 || p.rand.Float64() >= p.trouble.Cut {
		return !c.spoiled, false
	}
	c.spoiled = true
	p.tally.Cut++
	return p.rand.IntN(2) == 0, true
}

// delay of the next piece.
func (p *Proxy) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble.Delay <= 0 {
		return 0
	}
	return time.Duration(p.rand.Int64N(int64(p.trouble.Delay)))
}
