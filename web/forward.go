package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/enroute-field/enroute/internal/fault"
)

// forwarder sends requests to other nodes and passes their answers on.
type forwarder struct {
	cluster Cluster
	life    context.Context // of answers
	watch   context.Context // of streams
	answers *http.Transport
	streams *http.Transport
	bodies  atomic.Int64 // bytes of bodies that are being forwarded
}

// Bounds of what forwarding takes.
const (
	dialTime    = time.Second
	nodeConns   = 512       // connections to one node, without streams
	nodeIdle    = 128       // of those, idle ones that are kept
	bodyRoom    = 128 << 20 // bytes of bodies at once
	keptAnswer  = 1 << 20   // bytes of an answer that is read whole before it is passed on
	answerHead  = 64 << 10  // bytes of an answer's head
	streamChunk = 4 << 10   // bytes of a stream passed on at once
)

// The head of a request, in bytes: at most so many from a client, and so many
// more from a node.
const (
	maxHead  = 8 << 10
	headRoom = 2 << 10
)

var (
	errUnreachable = errors.New("the node cannot be reached")
	errElsewhere   = errors.New("the node does not serve the workspace")
	errNoRoom      = errors.New("too many bodies are being forwarded")
	errNoNode      = errors.New("what answers is no node of this cluster")
)

func newForwarder(life, watch context.Context, o Options) *forwarder {
	answers := &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    dialTime,
		DisableCompression:     true, // bodies pass as they are
		MaxConnsPerHost:        nodeConns,
		MaxIdleConnsPerHost:    nodeIdle,
		IdleConnTimeout:        min(30*time.Second, o.Limits.Idle/2), // let go of before the node does
		MaxResponseHeaderBytes: answerHead,
	}
	streams := &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    dialTime,
		DisableCompression:     true,
		DisableKeepAlives:      true,
		ReadBufferSize:         1 << 10, // a quiet stream holds little
		WriteBufferSize:        1 << 10,
		MaxResponseHeaderBytes: answerHead,
	}
	return &forwarder{cluster: o.Cluster, life: life, watch: watch, answers: answers, streams: streams}
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return conn, nil
}

// close lets go of the connections between nodes.
func (f *forwarder) close() {
	if f == nil {
		return
	}
	f.answers.CloseIdleConnections()
	f.streams.CloseIdleConnections()
}

// parcel is what other nodes get of a request.
type parcel struct {
	header http.Header
	body   []byte
}

// take reads the body of a request whole, before another node hears of it: a
// slow client holds no connection between nodes, and the request can be sent
// again. Since nobody knows yet who the client is, there is room for so many
// bytes at once and no more; release gives it back.
func (f *forwarder) take(c *call, p *parcel) (release func(), err error) {
	size := int64(c.http.Request().Header.ContentLength())
	if size < 0 || size > int64(c.endpoint.limit) { // unknown, or none that is read
		size = int64(c.endpoint.limit)
	}
	release = func() { f.bodies.Add(-size) }
	switch {
	case f.bodies.Add(size) > bodyRoom:
		err = fault.New(fault.Unavailable).After(forwardRetry).Because(errNoRoom)
	case c.endpoint.limit > 0:
		p.body, err = c.readBody()
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// exchange is a request sent to another node, and its answer. It ends with
// its timer at the latest.
type exchange struct {
	answer *http.Response
	timer  *time.Timer
	end    func()
}

// Read reads the body of the answer.
func (x *exchange) Read(p []byte) (int, error) { return x.answer.Body.Read(p) }

// Close ends the exchange.
func (x *exchange) Close() error {
	x.timer.Stop()
	x.end()
	if x.answer == nil {
		return nil
	}
	return x.answer.Body.Close()
}

// exchange sends the request to a node and passes its answer on.
func (f *forwarder) exchange(ctx context.Context, c *call, address string, p *parcel) error {
	x, err := f.ask(ctx, c, address, p)
	if err != nil {
		return err
	}
	c.server.metrics.forwarded.Inc()
	if c.endpoint.streams() && x.answer.StatusCode == http.StatusOK {
		c.relay(x)
		return nil
	}
	return c.pass(x)
}

// ask sends the request to a node and reads the head of its answer.
func (f *forwarder) ask(ctx context.Context, c *call, address string, p *parcel) (*exchange, error) {
	life, transport := f.life, f.answers
	if c.endpoint.streams() {
		life, transport = f.watch, f.streams
	}
	// The exchange outlives the handler where the answer is long, so it ends by
	// a timer that can be set anew.
	life, end := context.WithCancelCause(life)
	until, _ := ctx.Deadline()
	x := &exchange{timer: time.AfterFunc(time.Until(until), func() { end(errTooSlow) }), end: func() { end(nil) }}
	req, err := c.outgoing(life, address, p)
	if err == nil {
		x.answer, err = transport.RoundTrip(req)
	}
	if err == nil {
		err = fromNode(x.answer)
	}
	if err != nil {
		_ = x.Close()
		return nil, err
	}
	return x, nil
}

// fromNode says what is wrong with whoever answers. Addresses are given to
// somebody else now and then, whose answers are none of the client's.
func fromNode(r *http.Response) error {
	switch where := r.Header.Get(nodeHeaderName); {
	case where == nodeElsewhere && r.StatusCode == http.StatusMisdirectedRequest:
		return errElsewhere
	case where != nodeHere:
		return errNoNode
	}
	return nil
}

// outgoing is the client's request in the form in which it goes to a node.
func (c *call) outgoing(ctx context.Context, address string, p *parcel) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.http.Method(), address, bytes.NewReader(p.body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	uri := c.http.Request().URI()
	req.URL.Opaque, req.URL.RawQuery = string(uri.PathOriginal()), string(uri.QueryString()) // as they came, not as Go would write them
	req.Header = p.header
	return req, nil
}

// outgoingHeader is the client's header in the form in which it goes to a node.
func (c *call) outgoingHeader() http.Header {
	h := http.Header{}
	c.http.Request().Header.VisitAll(func(name, value []byte) {
		if sendable(name, value) && !hopByHop(string(name)) {
			h.Add(string(name), string(value))
		}
	})
	for name := range strings.SplitSeq(c.http.Get(fiber.HeaderConnection), ",") {
		h.Del(strings.TrimSpace(name))
	}
	if !c.repeatable() {
		// net/http repeats whatever has one of these when a connection breaks.
		h.Del(idempotencyHeader)
		h.Del("X-Idempotency-Key")
	}
	h.Set(fiber.HeaderXForwardedFor, strings.Join(append(c.hops(), c.http.Context().RemoteIP().String()), ", "))
	h.Set(fiber.HeaderXRequestID, c.requestID)
	h.Set(keyHeaderName, c.server.o.Cluster.Key())
	return h
}

// sendable says whether a header may be written as it is. One that may not has
// no meaning here either.
func sendable(name, value []byte) bool {
	const token = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	return len(name) > 0 && len(bytes.Trim(name, token)) == 0 && bytes.IndexFunc(value, control) < 0
}

// hopByHop says whether a header is between two neighbours (RFC 9110, section
// 7.6.1), or written anew by whoever forwards.
func hopByHop(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Expect", "Host", "Content-Length", "Date", keyHeaderName, nodeHeaderName, fiber.HeaderXForwardedFor:
		return true
	}
	return false
}

// lineSize is the length of a request's first line in bytes.
func (c *call) lineSize() int {
	h := &c.http.Request().Header
	return len(h.Method()) + len(" ") + len(h.RequestURI()) + len(" HTTP/1.1\r\n")
}

// headSize is the length in bytes of the head as the client sent it.
func (c *call) headSize() int { return c.lineSize() + len(c.http.Request().Header.RawHeaders()) }

// headSize is the length in bytes of the head as a node gets it, or a little
// more. It is written in full where the client was brief, and may have grown
// by more than there is room for.
func (p *parcel) headSize(c *call) int {
	const others = 256 // Host, User-Agent, Content-Length
	size := c.lineSize() + others
	for name, values := range p.header {
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return size
}
