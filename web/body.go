package web

import (
	"context"
	"io"
	"mime"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/enroute-field/enroute/internal/fault"
)

// object reads the body, a JSON object.
func (c *call) object() (object, error) {
	if err := c.checkType(); err != nil {
		return object{}, err
	}
	body, err := c.readBody()
	if err != nil {
		return object{}, err
	}
	v, err := decodeJSON(body)
	if err != nil {
		return object{}, err
	}
	return newObject(v)
}

func (c *call) checkType() error {
	h := &c.http.Request().Header
	if enc := string(h.ContentEncoding()); enc != "" && enc != "identity" {
		return fault.New(fault.UnsupportedType)
	}
	media, args, err := mime.ParseMediaType(string(h.ContentType()))
	allowed := media == fiber.MIMEApplicationJSON || slices.Contains(c.endpoint.types, media)
	if charset := args["charset"]; err != nil || !allowed || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fault.New(fault.UnsupportedType)
	}
	return nil
}

// readBody reads the body up to the endpoint's limit. A longer one is refused
// by its declared length, or as soon as it has become too long. It may be
// asked for again.
func (c *call) readBody() ([]byte, error) {
	if c.bodyRead {
		return c.body, nil
	}
	size, stream := c.http.Request().Header.ContentLength(), c.http.Request().BodyStream()
	switch {
	case size > c.endpoint.limit:
		return nil, c.tooLong()
	case stream == nil || size == 0:
		return nil, nil
	case size > 0:
		return c.readSized(stream, size)
	}
	body, err := io.ReadAll(io.LimitReader(stream, int64(c.endpoint.limit)+1))
	if err != nil {
		return nil, brokenBody(err)
	}
	if len(body) > c.endpoint.limit {
		return nil, c.tooLong()
	}
	c.body, c.bodyRead = body, true
	return body, nil
}

func (c *call) readSized(stream io.Reader, size int) ([]byte, error) {
	body := make([]byte, size)
	if _, err := io.ReadFull(stream, body); err != nil {
		return nil, brokenBody(err)
	}
	c.body, c.bodyRead = body, true
	return body, nil
}

func brokenBody(err error) error {
	return fault.New(fault.BadRequest, "why", "HTTP").Because(err)
}

func (c *call) tooLong() error {
	if c.endpoint.tooLong != "" {
		return fault.New(c.endpoint.tooLong)
	}
	return fault.New(fault.TooLarge, "limit", strconv.Itoa(c.endpoint.limit>>10)+" KiB")
}

// Lingering: how long, and for how many bytes, a refused body is still read
// after the answer, so that the client gets to read the answer at all.
const (
	lingerTime  = 5 * time.Second
	lingerBytes = 64 << 20
)

// settleBody looks after a body that nobody has read: what is left of it
// would be taken for the next request, so the connection ends with this
// answer. It is closed only when the client has had a chance to read the
// answer, since closing on unread bytes resets the connection.
func (c *call) settleBody() {
	f := c.http
	if c.bodyRead || f.Request().BodyStream() == nil || f.Request().Header.ContentLength() == 0 {
		return
	}
	r := f.Response()
	r.Header.SetConnectionClose()
	r.Header.SetContentLength(len(r.Body()))
	answer := slices.Concat(r.Header.Header(), r.Body())
	f.Context().HijackSetNoResponse(true)
	streams := c.server.streams
	f.Context().Hijack(func(conn net.Conn) {
		streams.run(func(ctx context.Context) { linger(ctx, unwrap(conn), answer) })
	})
}

// linger writes the last answer of a connection on which the client may still
// be sending.
func linger(ctx context.Context, conn net.Conn, answer []byte) {
	_ = conn.SetDeadline(time.Now().Add(lingerTime))
	if _, err := conn.Write(answer); err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, conn, lingerBytes)
}

// unwrap takes a connection out of fasthttp's wrapper, which is used again
// for another connection later.
func unwrap(conn net.Conn) net.Conn {
	if h, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
		return h.UnsafeConn()
	}
	return conn
}
