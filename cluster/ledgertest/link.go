package ledgertest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/enroute-field/enroute/cluster"
)

// Trouble is what befalls one call.
type Trouble struct {
	Before, After time.Duration // on the way there and back; the effect comes even if the caller has given up
	Refused       bool          // no effect, and an error
	Unanswered    bool          // an error after the effect
}

// Link is a node's way to a ledger. It works until something is done to it.
type Link struct {
	to cluster.Ledger

	mu      sync.Mutex
	trouble func(call string) Trouble
	frozen  chan struct{} // closed when the node thaws
	counts  map[string]int
	pending sync.WaitGroup
}

// NewLink to a ledger.
func NewLink(to cluster.Ledger) *Link { return &Link{to: to, counts: map[string]int{}} }

// errTrouble is told by calls that fail on command.
var errTrouble = errors.New("the way to the ledger is troubled")

// Trouble each call (by the name of its method) as f says; nil: none.
func (l *Link) Trouble(f func(call string) Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = f
}

// Cut lets no call through.
func (l *Link) Cut() { l.Trouble(func(string) Trouble { return Trouble{Refused: true} }) }

// Freeze lets every call stand still, where it is, until thaw is called: as
// if the process did.
func (l *Link) Freeze() (thaw func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ice := make(chan struct{})
	l.frozen = ice
	return func() {
		l.mu.Lock()
		l.frozen = nil
		l.mu.Unlock()
		close(ice)
	}
}

// Calls of a method so far.
func (l *Link) Calls(method string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[method]
}

// Wait for effects that are still under way.
func (l *Link) Wait() { l.pending.Wait() }

func (l *Link) begin(method string) Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[method]++
	if l.trouble == nil {
		return Trouble{}
	}
	return l.trouble(method)
}

// stand still while the node is frozen.
func (l *Link) stand() {
	l.mu.Lock()
	ice := l.frozen
	l.mu.Unlock()
	if ice != nil {
		<-ice
	}
}

type answer[T any] struct {
	value T
	err   error
}

// through makes a call by way of the link.
func through[T any](ctx context.Context, l *Link, method string, call func(context.Context) (T, error)) (T, error) {
	t := l.begin(method)
	l.stand()
	defer l.stand()
	var none T
	if t.Refused {
		return none, errTrouble
	}
	if t == (Trouble{}) {
		return call(ctx)
	}
	got := make(chan answer[T], 1)
	l.pending.Go(func() {
		<-time.After(t.Before)
		v, err := call(context.WithoutCancel(ctx))
		<-time.After(t.After)
		got <- answer[T]{v, err}
	})
	select {
	case a := <-got:
		if t.Unanswered {
			return none, errTrouble
		}
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Beat by way of the link.
func (l *Link) Beat(ctx context.Context, n cluster.Node) (bool, error) {
	return through(ctx, l, "Beat", func(ctx context.Context) (bool, error) { return l.to.Beat(ctx, n) })
}

// Nodes by way of the link.
func (l *Link) Nodes(ctx context.Context) ([]cluster.Node, error) {
	return through(ctx, l, "Nodes", l.to.Nodes)
}

// Bury by way of the link.
func (l *Link) Bury(ctx context.Context, n cluster.Node) (bool, error) {
	return through(ctx, l, "Bury", func(ctx context.Context) (bool, error) { return l.to.Bury(ctx, n) })
}

// Seats by way of the link.
func (l *Link) Seats(ctx context.Context) ([]cluster.Seat, error) {
	return through(ctx, l, "Seats", l.to.Seats)
}

// SeatsOf by way of the link.
func (l *Link) SeatsOf(ctx context.Context, node string) ([]cluster.Seat, error) {
	return through(ctx, l, "SeatsOf", func(ctx context.Context) ([]cluster.Seat, error) { return l.to.SeatsOf(ctx, node) })
}

// Seat by way of the link.
func (l *Link) Seat(ctx context.Context, workspace string) (cluster.Seat, error) {
	return through(ctx, l, "Seat", func(ctx context.Context) (cluster.Seat, error) { return l.to.Seat(ctx, workspace) })
}

// Swap by way of the link.
func (l *Link) Swap(ctx context.Context, was, now cluster.Seat) (bool, error) {
	return through(ctx, l, "Swap", func(ctx context.Context) (bool, error) { return l.to.Swap(ctx, was, now) })
}

// Secret by way of the link.
func (l *Link) Secret(ctx context.Context) ([]byte, error) {
	return through(ctx, l, "Secret", l.to.Secret)
}
