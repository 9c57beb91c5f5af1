package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// stream is a live stream that a load process follows.
type stream struct {
	conn net.Conn
	in   *bufio.Reader
	line []byte
}

// openStream sends the request and reads the head of the answer, which must
// come soon.
func openStream(ctx context.Context, address string, request []byte) (_ *stream, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, fmt.Errorf("set the deadline: %w", err)
	}
	if _, err := conn.Write(request); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	s := &stream{conn: conn, in: bufio.NewReader(conn)}
	status, err := s.read()
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return nil, fmt.Errorf("a stream was answered %s", status)
	}
	for line := status; len(line) > 0; {
		if line, err = s.read(); err != nil {
			return nil, err
		}
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("set the deadline: %w", err)
	}
	return s, nil
}

// read gives one line without its end; it is good until the next read.
func (s *stream) read() ([]byte, error) {
	s.line = s.line[:0]
	for {
		part, err := s.in.ReadSlice('\n')
		s.line = append(s.line, part...)
		if err == nil {
			return bytes.TrimRight(s.line, "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("read a stream: %w", err)
		}
	}
}

// next gives the page of the next event; it is good until the next one.
// Comments are passed over.
func (s *stream) next() ([]byte, error) {
	for {
		line, err := s.read()
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(line, []byte("event: problem")) {
			why, _ := s.read() // for the error text only
			return nil, fmt.Errorf("a stream was ended: %s", why)
		}
		if page, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			return page, nil
		}
	}
}

// openStreams opens many, some at a time.
func openStreams(ctx context.Context, address string, requests [][]byte) ([]*stream, error) {
	out := make([]*stream, len(requests))
	limit := make(chan struct{}, 32)
	failed := make(chan error, len(requests))
	for i, request := range requests {
		limit <- struct{}{}
		go func() {
			defer func() { <-limit }()
			var err error
			out[i], err = openStream(ctx, address, request)
			failed <- err
		}()
	}
	var errs []error
	for range requests {
		errs = append(errs, <-failed)
	}
	if err := errors.Join(errs...); err != nil {
		closeStreams(out)
		return nil, err
	}
	return out, nil
}

// closeStreams ends streams; nil ones were never opened.
func closeStreams(streams []*stream) {
	for _, s := range streams {
		if s != nil {
			_ = s.conn.Close() // nothing more is wanted of it
		}
	}
}

// patience is how long a load process waits for a stream to open, and for what
// streams are to show.
const patience = 20 * time.Second
