package sync

import (
	"context"
	"sync"
	"sync/atomic"
)

// Stream gives a device its changes as they come. Live is nothing but pull,
// run again whenever something that the principal holds has changed.
type Stream struct {
	w      *Workspace
	m      *machine
	actor  Actor
	cursor string
	seen   atomic.Uint64 // the principal's last change at the newest pull
	signal chan struct{}
	ctx    context.Context
	cut    context.CancelCauseFunc
	once   sync.Once
}

// streams are the open streams of a workspace in memory.
type streams struct {
	mu   sync.Mutex
	open map[*Stream]struct{}
}

// Live opens a stream from a cursor. It is closed by Close, by Cut, or when
// the engine closes.
func (w *Workspace) Live(ctx context.Context, a Actor, text string) (*Stream, error) {
	m, err := w.acquire(ctx)
	if err != nil {
		return nil, err
	}
	from, err := m.asked(ctx, a, text)
	if err == nil && !m.held() {
		err = unavailable(errNotHeld) // nobody would wake the stream
	}
	if err != nil {
		w.leave(m)
		return nil, err
	}
	m.shown(a, from)
	s := &Stream{w: w, m: m, actor: a, cursor: text, signal: make(chan struct{}, 1)}
	s.ctx, s.cut = context.WithCancelCause(w.e.ctx)
	m.streams.mu.Lock()
	m.streams.open[s] = struct{}{}
	m.streams.mu.Unlock()
	return s, nil
}

// Next waits for the next page that has something in it. Its errors are the
// stream's end: the cause given to Cut, ErrClosed, or ctx's.
func (s *Stream) Next(ctx context.Context) (*Page, error) {
	for {
		if s.ctx.Err() != nil {
			return nil, context.Cause(s.ctx)
		}
		s.seen.Store(s.m.lastChange(s.actor))
		page, err := s.pull(ctx)
		if err != nil {
			return nil, err
		}
		s.cursor = page.Cursor
		if page.Reset || page.More || len(page.Drop)+len(page.Remove)+len(page.Put) > 0 {
			return page, nil
		}
		select {
		case <-s.signal:
		case <-s.ctx.Done():
			return nil, context.Cause(s.ctx)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Stream) pull(ctx context.Context) (*Page, error) {
	from, err := s.m.asked(ctx, s.actor, s.cursor)
	if err != nil {
		return nil, err
	}
	return s.m.pull(ctx, s.actor, from, DefaultLimit)
}

// Close ends the stream; a second Close does nothing.
func (s *Stream) Close() {
	s.once.Do(func() {
		s.cut(ErrClosed)
		s.m.streams.mu.Lock()
		delete(s.m.streams.open, s)
		s.m.streams.mu.Unlock()
		s.w.leave(s.m)
	})
}

func (m *machine) lastChange(a Actor) (last uint64) {
	_ = m.view(func(st *state) error {
		if p := st.principals[a.User]; p != nil {
			last = st.lastChange(p)
		}
		return nil
	})
	return last
}

// notify wakes the streams whose principals' views have changed. Only the
// writer calls it, so that it reads the state without a lock.
func (x *streams) notify(st *state) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for s := range x.open {
		p := st.principals[s.actor.User]
		if p != nil && st.lastChange(p) <= s.seen.Load() {
			continue
		}
		select {
		case s.signal <- struct{}{}:
		default: // it is awake already
		}
	}
}

// Cut ends the live streams of a user (device "": all of theirs) with cause.
func (w *Workspace) Cut(user, device string, cause error) {
	w.mu.Lock()
	m := w.m
	w.mu.Unlock()
	if m == nil {
		return
	}
	m.streams.mu.Lock()
	defer m.streams.mu.Unlock()
	for s := range m.streams.open {
		if s.actor.User == user && (device == "" || s.actor.Device == device) {
			s.cut(cause)
		}
	}
}

func (x *streams) cutAll(cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for s := range x.open {
		s.cut(cause)
	}
}

// Streams is how many live streams are open.
func (w *Workspace) Streams() int {
	w.mu.Lock()
	m := w.m
	w.mu.Unlock()
	if m == nil {
		return 0
	}
	m.streams.mu.Lock()
	defer m.streams.mu.Unlock()
	return len(m.streams.open)
}
