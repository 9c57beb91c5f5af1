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
	limits  Limits
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
	errNoNode      = errors.New("what answers is no node of this cluster")
)

func newForwarder(o Options, life, watch context.Context) *forwarder {
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
	return &forwarder{cluster: o.Cluster, limits: o.Limits, life: life, watch: watch, answers: answers, streams: streams}
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

// take reads the body of a request whole, before another node hears of it: a
// slow client holds no connection between nodes, and the request can be sent
// again. Since nobody knows yet who the client is, there is room for so many
// bytes at once and no more.
func (f *forwarder) take(c *call) (body []byte, release func(), err error) {
	size := int64(c.http.Request().Header.ContentLength())
	if size < 0 || size > int64(c.endpoint.limit) { // unknown, or none that is read
		size = int64(c.endpoint.limit)
	}
	release = func() { f.bodies.Add(-size) }
	if f.bodies.Add(size) > bodyRoom {
		release()
		return nil, nil, fault.New(fault.Unavailable).After(forwardRetry).Because(errors.New("too many bodies are being forwarded"))
	}
	if c.endpoint.limit > 0 {
		if body, err = c.readBody(); err != nil {
			release()
			return nil, nil, err
		}
	}
	return body, release, nil
}

// exchange is a request sent to another node, and its answer. It ends with
// its timer at the latest.
type exchange struct {
	answer *http.Response
	timer  *time.Timer
	end    context.CancelFunc
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
func (f *forwarder) exchange(ctx context.Context, c *call, address string, body []byte) error {
	x, err := f.ask(ctx, c, address, body)
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
func (f *forwarder) ask(ctx context.Context, c *call, address string, body []byte) (*exchange, error) {
	life, transport := f.life, f.answers
	if c.endpoint.streams() {
		life, transport = f.watch, f.streams
	}
	// The exchange outlives the handler where the answer is long, so it ends by
	// a timer that can be set anew.
	life, end := context.WithCancel(life)
	until, _ := ctx.Deadline()
	x := &exchange{timer: time.AfterFunc(time.Until(until), end), end: end}
	req, err := c.outgoing(life, address, body)
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
func (c *call) outgoing(ctx context.Context, address string, body []byte) (*http.Request, error) {
	in := c.http.Request()
	req, err := http.NewRequestWithContext(ctx, c.http.Method(), address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	req.URL.Opaque = withoutControls(in.URI().PathOriginal()) // as it came, not as Go would write it
	req.URL.RawQuery = withoutControls(in.URI().QueryString())
	in.Header.VisitAll(func(name, value []byte) {
		if sendable(name, value) && !hopByHop(string(name)) {
			req.Header.Add(string(name), string(value))
		}
	})
	for name := range strings.SplitSeq(c.http.Get(fiber.HeaderConnection), ",") {
		req.Header.Del(strings.TrimSpace(name))
	}
	if !c.repeatable() {
		// net/http repeats whatever has one of these when a connection breaks.
		req.Header.Del(idempotencyHeader)
		req.Header.Del("X-Idempotency-Key")
	}
	req.Header.Set(fiber.HeaderXForwardedFor, strings.Join(append(c.hops(), c.http.Context().RemoteIP().String()), ", "))
	req.Header.Set(fiber.HeaderXRequestID, c.requestID)
	req.Header.Set(keyHeaderName, c.server.o.Cluster.Key())
	return req, nil
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

// withoutControls escapes control characters, which mean the same so.
func withoutControls(text []byte) string {
	if bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0 {
		return string(text)
	}
	var b strings.Builder
	for _, c := range text {
		if c < ' ' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// headSize is the length of the request's head in bytes.
func (c *call) headSize() int {
	h := &c.http.Request().Header
	return len(h.Method()) + len(h.RequestURI()) + len(" ") + len(" HTTP/1.1\r\n") + len(h.RawHeaders())
}
