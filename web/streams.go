package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// streams are the connections taken over from the HTTP server, which neither
// counts nor ends them at its shutdown.
type streams struct {
	ctx  context.Context // ends with stop
	end  context.CancelCauseFunc
	most int64
	send time.Duration // for a consumer to take what is written
	open atomic.Int64  // live streams

	forwarded atomic.Int64 // those of them that another node serves

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func newStreams(most int, send time.Duration) *streams {
	s := &streams{most: int64(most), send: send}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	return s
}

// full is the fault of one stream too many.
func (s *streams) full() error {
	if s.open.Load() >= s.most {
		return fault.New(fault.Unavailable).After(time.Minute)
	}
	return nil
}

// run calls f with a context that ends when the server stops. One that comes
// after that finds it ended, and is brief.
func (s *streams) run(f func(context.Context)) {
	s.mu.Lock()
	late := s.stopped
	if !late {
		s.running.Add(1)
	}
	s.mu.Unlock()
	if !late {
		defer s.running.Done()
	}
	f(s.ctx)
}

// errPeerGone is why a stream ends whose consumer has hung up.
var errPeerGone = errors.New("the consumer has hung up")

// hold calls f with a stream's connection, and a context that ends when the
// one given does or the consumer hangs up. It returns f's error.
func (s *streams) hold(ctx context.Context, conn net.Conn, f func(context.Context, consumer) error) error {
	s.open.Add(1)
	defer s.open.Add(-1)
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_, _ = conn.Read(make([]byte, 1)) // a consumer has nothing to say
		cancel(errPeerGone)
	}()
	// Whoever writes or reads when the stream is to end is woken. That may come
	// after this has returned and fasthttp's wrapper belongs to somebody else.
	bare := unwrap(conn)
	context.AfterFunc(ctx, func() { _ = bare.SetDeadline(time.Unix(1, 0)) })
	err := f(ctx, consumer{conn, s.send})
	cancel(err)
	<-watched
	return err
}

// consumer of a stream.
type consumer struct {
	conn net.Conn
	send time.Duration
}

// write gives the consumer so much time to take it, and no more: whoever
// cannot follow is cut off and loses nothing, for the cursor is the truth.
func (c consumer) write(ctx context.Context, b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.send)); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	if ctx.Err() != nil { // the deadline of the end may just have been overwritten
		return context.Cause(ctx)
	}
	if _, err := c.conn.Write(b); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	return nil
}

// errStreamsUnfinished is the error of a stop that took too long.
var errStreamsUnfinished = errors.New("some streams are still open")

// stop ends all streams and waits for them until ctx is done.
func (s *streams) stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.end(errStopped)
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return errors.Join(errStreamsUnfinished, ctx.Err())
	}
}
