package device

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A live connection on which nothing was heard for this long is dead: the
// server sends a comment every 20 s.
const silence = time.Minute

// maxEvent bounds one event of the live stream, in bytes.
const maxEvent = 64 << 20

// Live implements Transport.
func (c *Client) Live(ctx context.Context, cursor string) (Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	path := "/v1/sync/live"
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		cancel(err)
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.open(c.http, req)
	if err != nil {
		cancel(err)
		return nil, err
	}
	s := &eventStream{body: resp.Body, cancel: cancel}
	s.watchdog = time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing heard for %s", silence)) })
	s.lines = newLines(readerFunc(s.read))
	return s, nil
}

// eventStream reads server-sent events.
type eventStream struct {
	body     io.ReadCloser
	lines    *bufio.Scanner
	cancel   context.CancelCauseFunc
	watchdog *time.Timer
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// read passes bytes on and notes that some came.
func (s *eventStream) read(b []byte) (int, error) {
	n, err := s.body.Read(b)
	s.watchdog.Reset(silence)
	return n, err
}

// Next implements Stream.
func (s *eventStream) Next(ctx context.Context) (*Page, error) {
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	defer stop()
	for {
		e, err := nextEvent(s.lines)
		if err != nil {
			return nil, err
		}
		if e.name != "change" {
			continue
		}
		var p Page
		if err := json.Unmarshal([]byte(e.data), &p); err != nil {
			return nil, fmt.Errorf("read live page: %w", err)
		}
		return &p, nil
	}
}

// Close implements Stream.
func (s *eventStream) Close() error {
	s.watchdog.Stop()
	s.cancel(context.Canceled)
	return s.body.Close()
}

// event is one server-sent event (WHATWG HTML, 9.2).
type event struct{ name, id, data string }

func newLines(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxEvent)
	return s
}

// nextEvent reads up to the blank line that ends an event; events without
// data are passed over, an unfinished one at the end is not given.
func nextEvent(lines *bufio.Scanner) (event, error) {
	var e event
	var data []string
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if data == nil {
				e = event{}
				continue
			}
			e.data = strings.Join(data, "\n")
			return e, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			data = append(data, value)
		}
	}
	if err := lines.Err(); err != nil {
		return event{}, fmt.Errorf("read live stream: %w", err)
	}
	return event{}, io.EOF
}
