package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// live answers GET /v1/sync/live with server-sent events (WHATWG HTML,
// section 9.2).
//
// The connection is taken over from the HTTP server: only so can each write
// have its own deadline, and only so does a quiet stream learn at once that
// its consumer is gone. The answer has no length and ends with the connection.
func (s *Server) live(c *call) error {
	if err := s.streams.full(); err != nil {
		return err
	}
	f := &follower{
		server: s, identity: c.identity, lang: c.lang(), requestID: c.requestID,
		cursor: or(c.http.Get("Last-Event-ID"), c.arg("cursor")),
	}
	// Whatever is wrong with the cursor is told by an ordinary answer. The
	// stream itself is opened by the goroutine that owns the connection, so
	// that nothing is left over if that breaks first.
	feed, err := f.open(c.ctx)
	if err != nil {
		return err
	}
	feed.Close()
	h := &c.http.Response().Header
	h.SetContentType(eventStream)
	h.SetConnectionClose()
	f.head = append([]byte(nil), h.Header()...)
	c.http.Context().HijackSetNoResponse(true)
	c.http.Context().Hijack(func(conn net.Conn) { s.streams.run(func(ctx context.Context) { f.follow(ctx, conn) }) })
	return nil
}

// follower writes what is new to one connection.
type follower struct {
	server    *Server
	identity  *auth.Identity
	lang      string
	requestID string
	cursor    string
	head      []byte // of the answer
	buf       []byte
}

func (f *follower) open(ctx context.Context) (*sync.Stream, error) {
	return f.identity.Workspace.Live(ctx, f.identity.Actor, f.cursor)
}

// follow runs the stream until its consumer, its account or the server ends it.
func (f *follower) follow(ctx context.Context, conn net.Conn) {
	err := f.server.streams.hold(ctx, conn, f.run)
	f.server.o.Logger.Log(ctx, levelAccess, "stream ended", "id", f.requestID, "why", err)
}

// run writes events until something is wrong, and says what.
func (f *follower) run(ctx context.Context, to consumer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			f.server.o.Logger.Error("stream failed", "id", f.requestID, "error", err)
		}
	}()
	if err := to.write(ctx, f.head); err != nil {
		return err
	}
	feed, err := f.open(ctx)
	if err != nil {
		return f.part(ctx, to, err)
	}
	defer feed.Close()
	for {
		event, err := f.next(ctx, feed)
		if err != nil {
			return f.part(ctx, to, err)
		}
		if err := to.write(ctx, event); err != nil {
			return err
		}
	}
}

// next waits for an event; a comment when there is none for a while. The
// token is asked for again each time: no page goes to one that has ended.
func (f *follower) next(ctx context.Context, feed *sync.Stream) ([]byte, error) {
	quiet, cancel := context.WithTimeout(ctx, f.server.o.Limits.Heartbeat)
	defer cancel()
	page, err := feed.Next(quiet)
	beat := err != nil && ctx.Err() == nil && quiet.Err() != nil
	if err != nil && !beat {
		return nil, err
	}
	if err := f.server.o.Auth.Check(ctx, f.identity); err != nil {
		return nil, err
	}
	if beat {
		return []byte(": still here\n\n"), nil
	}
	f.server.o.Auth.Seen(f.identity, auth.Seen{})
	return f.event(page), nil
}

// keepBuffer is the greatest buffer that a quiet stream holds on to, in bytes.
const keepBuffer = 8 << 10

// event writes a page in the form of an event.
func (f *follower) event(page *sync.Page) []byte {
	if cap(f.buf) > keepBuffer {
		f.buf = nil
	}
	b := append(f.buf[:0], "event: change\nid: "...)
	b = append(b, page.Cursor...)
	b = append(b, "\ndata: "...)
	b = page.AppendJSON(b)
	f.buf = append(b, "\n\n"...)
	return f.buf
}

// part tells the consumer why the server ends the stream, where it is the
// consumer's to know: the session is over.
func (f *follower) part(ctx context.Context, to consumer, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Code.Status() != http.StatusUnauthorized {
		return err
	}
	if body, bad := marshal(e.Problem(f.lang)); bad == nil {
		_ = to.write(ctx, fmt.Appendf(nil, "event: problem\ndata: %s\n\n", body))
	}
	return err
}
