package device_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/device"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// feed is a live stream that a test writes to.
type feed struct {
	pages  chan *device.Page
	broken chan error
	closed chan struct{}
}

func newFeed() *feed {
	return &feed{make(chan *device.Page), make(chan error), make(chan struct{})}
}

func (f *feed) Next(ctx context.Context) (*device.Page, error) {
	select {
	case p := <-f.pages:
		return p, nil
	case err := <-f.broken:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (f *feed) Close() error { close(f.closed); return nil }

func TestALiveStreamIsAppliedAsItComes(t *testing.T) {
	t.Parallel()
	f := newFeed()
	s := &script{live: func(cursor string) (device.Stream, error) {
		if cursor != "1" {
			t.Errorf("live from %q", cursor)
		}
		return f, nil
	}}
	d := open(t, device.Options{Transport: s})
	receive(t, d, "", device.Page{Cursor: "1"})
	done := make(chan error)
	go func() { done <- d.Listen(context.Background()) }()
	f.pages <- &device.Page{Cursor: "2", Put: []device.Document{doc("a", "workspace", 2, "")}}
	f.pages <- &device.Page{Cursor: "3", Put: []device.Document{doc("b", "workspace", 3, "")}}
	f.broken <- io.EOF
	if err := <-done; err != nil {
		t.Error(err)
	}
	want(t, "documents", names(d), []string{"a@2", "b@3"})
}

func TestAPagePulledMeanwhileEndsAStreamThatNoLongerFollows(t *testing.T) {
	t.Parallel()
	f := newFeed()
	d := open(t, device.Options{Transport: &script{live: func(string) (device.Stream, error) { return f, nil }}})
	done := make(chan error)
	go func() { done <- d.Listen(context.Background()) }()
	f.pages <- &device.Page{Cursor: "1"}
	f.pages <- &device.Page{Cursor: "2", Put: []device.Document{doc("b", "workspace", 2, "")}}
	for d.Condition().Cursor != "2" { // the second page was handed over, and is applied at once
		select {
		case err := <-done:
			t.Fatal(err)
		default:
		}
	}
	receive(t, d, "2", device.Page{Cursor: "pulled", Remove: []device.Key{note("b")}})
	f.pages <- &device.Page{Cursor: "3", Put: []device.Document{doc("b", "workspace", 2, "")}}
	if err := <-done; err != nil {
		t.Error(err)
	}
	want(t, "documents", names(d), []string{})
}

// Run syncs, listens, sends what is done meanwhile, connects again after a
// break, and ends when the device is removed.
func TestRunStaysInStep(t *testing.T) {
	t.Parallel()
	var (
		feeds   = make(chan *feed)
		pushed  = make(chan string)
		waits   = make(chan time.Duration)
		proceed = make(chan time.Time)
		ended   = make(chan error)
	)
	s := &script{live: func(string) (device.Stream, error) {
		f := newFeed()
		feeds <- f
		return f, nil
	}}
	calm := func(string) (*device.Page, error) {
		return &device.Page{Cursor: "end", Head: 1, Put: []device.Document{doc("a", "workspace", 1, `,"x":1`)}}, nil
	}
	s.pull = calm
	s.push = func(req device.PushRequest) (*device.PushResponse, error) {
		pushed <- req.Mutations[0].DocID
		return accept(req, 1), nil
	}
	d := open(t, device.Options{Transport: s, Rand: func() float64 { return 0 }, After: func(w time.Duration) <-chan time.Time {
		waits <- w
		return proceed
	}})
	go func() { ended <- d.Run(context.Background()) }()

	first := <-feeds
	update(t, d, "a", device.Fields{"x": 1})
	want(t, "pushed while live", []string{<-pushed}, []string{"a"})
	first.broken <- errLost
	<-first.closed
	if w := <-waits; w != time.Second/2 {
		t.Errorf("waits %v after a break", w)
	}
	s.mu.Lock()
	s.pull = func(string) (*device.Page, error) { return nil, errLost }
	s.mu.Unlock()
	for _, longer := range []time.Duration{time.Second, 2 * time.Second} {
		proceed <- time.Time{}
		if w := <-waits; w != longer {
			t.Errorf("waits %v, want %v", w, longer)
		}
	}
	s.mu.Lock()
	s.pull = calm
	s.mu.Unlock()
	proceed <- time.Time{}
	second := <-feeds
	second.broken <- &device.Problem{Status: 401, Code: "device_revoked"}
	if err := <-ended; !errors.Is(err, device.ErrRevoked) {
		t.Errorf("ended with %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := newFeed()
	s := &script{live: func(string) (device.Stream, error) { cancel(); return f, nil }}
	if err := open(t, device.Options{Transport: s}).Run(ctx); err != nil {
		t.Error(err)
	}
}

// The server learns that live pages arrived by a pull with their cursor, the
// answer to which changes nothing.
func TestTheCursorOfLivePagesIsShown(t *testing.T) {
	t.Parallel()
	f, shown, ended := newFeed(), make(chan string, 10), make(chan error)
	s := &script{live: func(string) (device.Stream, error) { return f, nil }}
	s.pull = func(cursor string) (*device.Page, error) {
		shown <- cursor
		if cursor == "" {
			return &device.Page{Cursor: "1", Head: 1}, nil
		}
		return &device.Page{Cursor: "other", Head: 9, Put: []device.Document{doc("z", "workspace", 9, "")}}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	d := open(t, device.Options{Transport: s, After: func(time.Duration) <-chan time.Time {
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}})
	go func() { ended <- d.Run(ctx) }()
	want(t, "pulled first", []string{<-shown}, []string{""})
	f.pages <- &device.Page{Cursor: "2", Head: 2, Put: []device.Document{doc("a", "workspace", 2, "")}}
	want(t, "shown", []string{<-shown}, []string{"2"})
	f.pages <- &device.Page{Cursor: "3", Head: 3, Put: []device.Document{doc("b", "workspace", 3, "")}}
	want(t, "shown", []string{<-shown}, []string{"3"})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want(t, "documents", names(d), []string{"a@2", "b@3"})
}
