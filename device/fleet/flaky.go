package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/enroute-field/enroute/device"
)

// errLost is what a device sees of an answer that did not arrive.
var errLost = errors.New("the connection broke")

// flaky is a connection that loses requests and answers, and sends requests
// twice.
type flaky struct {
	inner    *device.Client
	steady   atomic.Bool // nothing goes wrong any more
	lost     atomic.Int64
	repeated atomic.Int64
	resets   atomic.Int64 // pages that told a device with a cursor to start over
	told     *told        // shared by the fleet

	mu    sync.Mutex
	rand  *rand.Rand
	whole string // the cursor of the last page that had no more to come
}

// told is the newest head that an answer has told anybody of the fleet.
type told struct {
	head  atomic.Uint64
	older atomic.Int64 // answers that knew less than one given before they were asked for
}

// heard compares an answer with what was told before it was asked for.
func (t *told) heard(before, head uint64) {
	if head < before {
		t.older.Add(1)
	}
	for now := t.head.Load(); now < head && !t.head.CompareAndSwap(now, head); now = t.head.Load() {
	}
}

// fate of one request.
type fate int

const (
	arrives fate = iota
	requestLost
	answerLost
	sentTwice
)

func (f *flaky) fate() fate {
	if f.steady.Load() {
		return arrives
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n := f.rand.IntN(100); {
	case n < 4:
		return requestLost
	case n < 8:
		return answerLost
	case n < 12:
		return sentTwice
	}
	return arrives
}

// call lets a request meet its fate.
func call[T any](f *flaky, do func() (T, error)) (out T, err error) {
	meets := f.fate()
	if meets == requestLost {
		f.lost.Add(1)
		return out, errLost
	}
	got, err := do()
	switch {
	case err != nil:
		return out, err
	case meets == answerLost:
		f.lost.Add(1)
		return out, errLost
	case meets == sentTwice:
		f.repeated.Add(1)
		return do()
	}
	return got, nil
}

// Pull implements device.Transport.
func (f *flaky) Pull(ctx context.Context, cursor string, limit int) (*device.Page, error) {
	before := f.told.head.Load()
	p, err := call(f, func() (*device.Page, error) { return f.inner.Pull(ctx, cursor, limit) })
	if err != nil {
		return nil, err
	}
	if p.Reset && cursor != "" {
		f.resets.Add(1)
	}
	if f.begins(cursor, p) {
		f.told.heard(before, p.Head)
	}
	return p, nil
}

// begins says whether a page was the first of a step. Later ones tell the head
// that the first one told.
func (f *flaky) begins(cursor string, p *device.Page) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := cursor == f.whole
	if !p.More {
		f.whole = p.Cursor
	}
	return first
}

// Push implements device.Transport.
func (f *flaky) Push(ctx context.Context, req device.PushRequest) (*device.PushResponse, error) {
	before := f.told.head.Load()
	r, err := call(f, func() (*device.PushResponse, error) { return f.inner.Push(ctx, req) })
	if err == nil {
		f.told.heard(before, r.Head)
	}
	return r, err
}

// Live implements device.Transport.
func (f *flaky) Live(ctx context.Context, cursor string) (device.Stream, error) {
	return f.inner.Live(ctx, cursor)
}

// Report implements device.Transport.
func (f *flaky) Report(ctx context.Context, r device.Report) error { return f.inner.Report(ctx, r) }

var _ device.Transport = (*flaky)(nil)
