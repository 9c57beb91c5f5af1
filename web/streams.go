package web

import (
	"context"
	"errors"
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
	open atomic.Int64 // live streams

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func newStreams(most int) *streams {
	s := &streams{most: int64(most)}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	return s
}

func (s *streams) count() float64 { return float64(s.open.Load()) }

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
