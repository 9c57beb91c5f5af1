package cluster

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTerm is within what time a dead node is replaced.
const DefaultTerm = 10 * time.Second

// buryAfter is how long a beat must have been seen unchanged.
func (n Node) buryAfter() time.Duration { return n.Term * 3 / 4 }

// Options of a Cluster. Ledger is needed.
type Options struct {
	Ledger  Ledger
	Address string        // URL at which other nodes reach this one; "": they do not
	Term    time.Duration // within which this node is replaced when it dies; 0: DefaultTerm
	Logger  *slog.Logger  // nil: slog.Default()
	// Exists says whether there is such a workspace. Locate asks before it makes
	// a seat, so that made-up names leave none. nil: all exist.
	Exists func(ctx context.Context, workspace string) (bool, error)
	// Lost is called when this node no longer holds a workspace, other than by
	// leaving: also before Release gives it to others. nil: nobody wants to know.
	Lost func(ctx context.Context, workspace string)
	// Taken is called for each workspace that this node has taken over from a
	// dead one without having been asked for it. nil: it takes none so.
	Taken func(ctx context.Context, workspace string)

	clock func() instant // nil: now
}

// Parts of the term; see the package's documentation.
func (o *Options) beatEvery() time.Duration     { return o.Term / 5 }
func (o *Options) beatTimeout() time.Duration   { return o.Term * 3 / 10 }
func (o *Options) believeFor() time.Duration    { return o.Term * 3 / 5 }
func (o *Options) watchEvery() time.Duration    { return o.Term / 10 }
func (o *Options) auditEvery() time.Duration    { return o.Term / 5 }
func (o *Options) sweepEvery() time.Duration    { return o.Term * 3 }
func (o *Options) askTimeout() time.Duration    { return o.Term / 2 }
func (o *Options) locationsFor() time.Duration  { return o.Term }
func (o *Options) callbackLimit() time.Duration { return 3 * o.Term }

// Cluster is this node among the others. Its methods may be called by many
// goroutines at once.
type Cluster struct {
	o   Options
	key string

	ctx    context.Context // ends with Leave
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	swept  chan struct{} // a node has vanished: somebody must take its seats

	belief atomic.Pointer[belief]
	seats  sync.Map // workspace -> Seat that this node has taken
	failed atomic.Uint64

	mu        sync.Mutex
	left      bool
	self      Node // as this node last tried to write its entry
	flights   map[string]*flight
	locations map[string]location
	sightings map[string]sighting
	looked    instant       // end of the last reading of the entries
	orphans   map[Seat]bool // that the last sweep left to others
}

// belief is what a node may rely on since a beat.
type belief struct {
	node  string
	since instant // start of the beat
}

// ErrLeft is the error of whoever asks a node that is not one, or no longer.
var ErrLeft = errors.New("this node has left the cluster")

// Join makes this process a node. Leave it.
func Join(ctx context.Context, o Options) (*Cluster, error) {
	o.Term = cmp.Or(o.Term, DefaultTerm)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.clock == nil {
		o.clock = now
	}
	c := &Cluster{
		o: o, looked: o.clock(), swept: make(chan struct{}, 1),
		flights: map[string]*flight{}, locations: map[string]location{},
		sightings: map[string]sighting{}, orphans: map[Seat]bool{},
	}
	secret, err := o.Ledger.Secret(ctx)
	if err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	c.key = hex.EncodeToString(secret)
	if err := c.enter(ctx); err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.every(o.beatEvery(), c.beat)
	c.loop(c.watch)
	c.every(o.auditEvery(), c.audit)
	if o.Taken != nil {
		c.tasks.Go(c.sweeping)
	}
	return c, nil
}

// Held says whether this node may answer for the workspace from its memory.
func (c *Cluster) Held(workspace string) bool { return c.Tenure(workspace) != 0 }

// Tenure is the turn of the seat by which this node holds the workspace; 0: it
// does not. Who comes to hold it later has a greater one.
func (c *Cluster) Tenure(workspace string) uint64 {
	s, ok := c.seat(workspace)
	if !ok {
		return 0
	}
	if b := c.believed(); b == nil || b.node != s.Node {
		return 0
	}
	return s.Turn
}

// Confirm is Tenure as the ledger has it now, for who has reason to doubt.
func (c *Cluster) Confirm(ctx context.Context, workspace string) (uint64, error) {
	believed, ok := c.seat(workspace)
	if !ok {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.askTimeout())
	defer cancel()
	written, err := c.o.Ledger.Seat(ctx, workspace)
	if err != nil {
		return 0, fmt.Errorf("confirm the tenure: %w", err)
	}
	if written != believed {
		c.stolen(map[string]Seat{workspace: believed})
	}
	if written != believed || c.Tenure(workspace) != believed.Turn {
		return 0, nil
	}
	return believed.Turn, nil
}

// seat of the workspace, if this node has taken it.
func (c *Cluster) seat(workspace string) (Seat, bool) {
	s, _ := c.seats.Load(workspace)
	seat, ok := s.(Seat)
	return seat, ok
}

// believed is the belief if it still holds.
func (c *Cluster) believed() *belief {
	b := c.belief.Load()
	if b == nil || c.o.clock().atMost(b.since) >= c.o.believeFor() {
		return nil
	}
	return b
}

// Key proves to other nodes of the database that a request comes from a node.
func (c *Cluster) Key() string { return c.key }

// Stats are figures of this node.
type Stats struct {
	Seats       int    // held
	Nodes       int    // seen, this one among them
	FailedBeats uint64 // so far
}

// Stats of now.
func (c *Cluster) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Nodes: len(c.sightings), FailedBeats: c.failed.Load()}
	c.seats.Range(func(any, any) bool { s.Seats++; return true })
	return s
}

// Leave hands everything over: from its start this node holds nothing, and
// with its entry gone others take its seats at once. An entry that cannot be
// removed is removed by the others in time. A second Leave does nothing.
func (c *Cluster) Leave(ctx context.Context) error {
	c.mu.Lock()
	again := c.left
	c.left = true
	c.belief.Store(nil)
	c.mu.Unlock()
	if again {
		return nil
	}
	c.cancel()
	ended := make(chan struct{})
	go func() { c.tasks.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("leave the cluster: %w", context.Cause(ctx))
	}
	if _, err := c.o.Ledger.Bury(ctx, c.self); err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	return nil
}

// every runs f again and again, so often at least.
func (c *Cluster) every(most time.Duration, f func(ctx context.Context)) {
	c.loop(func(ctx context.Context) time.Duration {
		f(ctx)
		return jittered(most)
	})
}

// loop runs f again and again until the node leaves. f says how long after its
// start it is to be run again.
func (c *Cluster) loop(f func(ctx context.Context) time.Duration) {
	c.tasks.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-timer.C:
			}
			start := time.Now()
			next := f(c.ctx)
			timer.Reset(next - time.Since(start))
		}
	})
}

// jittered is up to a fifth less: not all nodes at the same moment.
func jittered(most time.Duration) time.Duration {
	return most - time.Duration(rand.Int64N(int64(most)/5+1))
}

// tell calls back beside everything else: the beats do not wait for it.
func (c *Cluster) tell(what func(context.Context, string), workspaces ...string) {
	if what == nil || len(workspaces) == 0 {
		return
	}
	c.tasks.Go(func() {
		for _, w := range workspaces {
			c.call(c.ctx, what, w)
		}
	})
}

func (c *Cluster) call(ctx context.Context, what func(context.Context, string), workspace string) {
	if what == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.callbackLimit())
	defer cancel()
	what(ctx, workspace)
}
