package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// pass gives the client the answer of a node as it is. A short one is read
// whole first, so that a node that breaks off costs the client no connection.
func (c *call) pass(x *exchange) error {
	r, size := c.http.Response(), x.answer.ContentLength
	switch {
	case c.http.Method() == http.MethodHead:
		c.passHead(x.answer)
		if size >= 0 {
			r.Header.SetContentLength(int(size))
		}
		return x.Close()
	case size > keptAnswer || size < 0:
		c.passHead(x.answer)
		x.timer.Reset(c.server.o.Limits.Write)
		r.SetBodyStream(x, int(size))
		return nil
	}
	defer func() { _ = x.Close() }()
	body := make([]byte, size)
	if _, err := io.ReadFull(x, body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	c.passHead(x.answer)
	r.SetBodyRaw(body)
	return nil
}

// passHead makes the status and the headers of the answer those of a node's.
func (c *call) passHead(answer *http.Response) {
	h := &c.http.Response().Header
	h.Reset()
	h.SetStatusCode(answer.StatusCode)
	for name, values := range answer.Header {
		if hopByHop(name) {
			continue
		}
		for _, value := range values {
			h.Add(name, value)
		}
	}
}

// relay gives the client a node's stream, byte by byte. If the client's
// connection breaks before it is taken over, the exchange ends by its timer.
func (c *call) relay(x *exchange) {
	s := c.server
	c.passHead(x.answer)
	h := &c.http.Response().Header
	h.SetConnectionClose()
	r := &relayed{server: s, from: x, requestID: c.requestID, head: append([]byte(nil), h.Header()...)}
	c.http.Context().HijackSetNoResponse(true)
	c.http.Context().Hijack(func(conn net.Conn) { s.streams.run(func(ctx context.Context) { r.follow(ctx, conn) }) })
}

// relayed is a stream of another node on its way to one connection.
type relayed struct {
	server    *Server
	from      *exchange
	requestID string
	head      []byte // of the answer
}

// follow passes on what comes until either side ends.
func (r *relayed) follow(ctx context.Context, conn net.Conn) {
	streams := r.server.streams
	streams.forwarded.Add(1)
	defer streams.forwarded.Add(-1)
	err := streams.hold(ctx, conn, r.run)
	r.server.o.Logger.Log(ctx, levelAccess, "forwarded stream ended", "id", r.requestID, "why", err)
}

// run passes on what comes until something is wrong, and says what.
func (r *relayed) run(ctx context.Context, to consumer) error {
	defer func() { _ = r.from.Close() }()
	defer context.AfterFunc(ctx, r.from.end)()
	if err := to.write(ctx, r.head); err != nil {
		return err
	}
	buf := make([]byte, streamChunk)
	for {
		r.from.timer.Reset(r.silence())
		n, err := r.from.Read(buf)
		if n > 0 {
			if err := to.write(ctx, buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("read from the node: %w", err)
		}
	}
}

// silence is how long a node may be quiet before it is taken for gone: longer
// than its heartbeats are apart, even if one of them is late.
func (r *relayed) silence() time.Duration {
	l := r.server.o.Limits
	return 2*l.Heartbeat + l.StreamSend
}
