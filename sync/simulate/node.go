package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/store/faulty"
	"github.com/enroute-field/enroute/sync"
)

// node is one process of the server: an engine, and its way to the store.
type node struct {
	s      *server
	number int
	skew   time.Duration // of its clock
	disk   *disk
	store  sync.Store      // as it was opened
	behind *faulty.Store   // the same behind the disk's failures
	left   []*faulty.Store // by processes that crashed
	engine *sync.Engine
	ws     *sync.Workspace
	tenure atomic.Uint64 // the turn in which it believes to hold the seat; 0: it does not
	told   int           // the step at which it hears that its seat was stolen
}

func newNode(s *server, number int, late *stragglers) *node {
	n := &node{s: s, number: number, disk: &disk{late: late, count: s.w.count}}
	if s.w.cfg.Nodes > 1 {
		n.skew = time.Duration(source(s.w.cfg.Seed, forRoutes+number<<8, 0).IntN(600)-300) * time.Second
	}
	return n
}

func (n *node) String() string { return fmt.Sprintf("node %d", n.number) }

// start opens the store and starts an engine over it.
func (n *node) start(ctx context.Context) error {
	if err := n.connect(ctx); err != nil {
		return err
	}
	n.newEngine()
	return nil
}

// connect opens the store.
func (n *node) connect(ctx context.Context) (err error) {
	if n.store, err = n.s.depot.Open(ctx, n.s.registry); err != nil {
		return err
	}
	n.behind = faulty.New(n.behaved(n.store), n.disk.plan)
	return nil
}

// careless says which rules of several nodes are left out.
func (n *node) careless() carelessness { return omissions()[n.s.w.cfg.Sabotage].nodes }

// behaved is the store, or one that does not keep its rules.
func (n *node) behaved(store sync.Store) sync.Store {
	if n.careless().conflicts {
		return yielding{store}
	}
	return store
}

// yielding is a store that takes appends on any head, as far as one can hear.
type yielding struct{ sync.Store }

func (s yielding) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	err := s.Store.Append(ctx, workspace, commits)
	if errors.Is(err, sync.ErrConflict) {
		return nil
	}
	return err
}

// newEngine starts an engine over the store.
func (n *node) newEngine() {
	o := sync.Options{
		Store: n.behind, Registry: n.s.registry, Clock: n.now,
		Logger:          slog.New(slog.DiscardHandler),
		BodyCache:       int64(4 << 10 << n.s.w.rng.IntN(8)), // small ones make it read the store
		CheckpointEvery: 1 << 40,
		Housekeeping:    never,
		Horizon:         horizon,
		Faults:          omissions()[n.s.w.cfg.Sabotage].engine,
	}
	if n.s.many() {
		n.takeTurns(&o)
	}
	n.engine = sync.New(o)
}

// takeTurns lets the node hold the workspace only in its turns.
func (n *node) takeTurns(o *sync.Options) {
	o.Tenure = func(string) uint64 { return n.tenure.Load() }
	o.Confirm = func(context.Context, string) (uint64, error) { return n.confirmed(), nil }
	if n.careless().confirm {
		o.Confirm = nil
	}
	if n.careless().tenure {
		o.Tenure, o.Confirm = func(string) uint64 { return 1 }, nil
	}
}

// confirmed is the turn in which the node holds the seat; 0: it does not.
func (n *node) confirmed() uint64 {
	if n == n.s.holder() {
		return n.tenure.Load()
	}
	return 0
}

// never is long after the end of any run: the engine's housekeeping goes by
// the clock on the wall, and what it does would come in the middle of
// anything. Steps do the same by the seed.
const never = 1000 * time.Hour

// horizon is short, so that devices come from before it.
const horizon = 60 * 24 * time.Hour

func (n *node) now() time.Time { return n.s.w.clock.Now().Add(n.skew) }

// open finds the workspace again after a start.
func (n *node) open(ctx context.Context) (err error) {
	if n.ws, err = n.engine.Open(ctx, workspace); err != nil {
		return fmt.Errorf("open the workspace: %w", err)
	}
	return nil
}

// crash is a stop at which nothing is saved. The store lives on, as one on
// another machine does, and what was on its way to it may still arrive.
func (n *node) crash(ctx context.Context) error {
	n.disk.fail(false)
	n.engine.Abandon()
	n.forgets()
	if n.s.many() && n.s.w.chance(50) { // with a connection of its own
		n.left = append(n.left, n.behind)
		if err := n.connect(ctx); err != nil {
			return err
		}
	}
	n.newEngine()
	return n.open(ctx)
}

// forgets is for when the node may have forgotten which cursors it was shown.
func (n *node) forgets() {
	for _, p := range n.s.w.phones {
		delete(p.shown, n.number)
	}
}

// saved leaves out that a robbed node may not save its state: it does not hold
// the workspace, and nothing is lost.
func (n *node) saved(err error) error {
	if n.robbed() && fault.Is(err, fault.Unavailable) {
		return nil
	}
	return err
}

// stop in order.
func (n *node) stop(ctx context.Context) error {
	if n.engine == nil {
		return nil
	}
	errs := []error{n.saved(n.engine.Close(ctx)), n.behind.Close()}
	for _, store := range n.left {
		errs = append(errs, store.Close())
	}
	n.left = nil
	return errors.Join(errs...)
}
