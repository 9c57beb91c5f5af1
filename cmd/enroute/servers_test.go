package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/store/faultnet"
	"github.com/enroute-field/enroute/store/mongo"
	"github.com/enroute-field/enroute/store/mongotest"
)

// servers are three nodes over one database, and the balancer by which people
// reach them. The ways of each node to the database, and of the others to it,
// can be troubled.
type servers struct {
	t        *testing.T
	uri      string // of the database
	nodes    []*node
	store    *mongo.Store
	ledger   *mongo.Ledger
	balancer *faultnet.Proxy
	rand     *rand.Rand
	done     map[string]int // what was done to them, by name
	robbing  bool           // seats are stolen too
	term     time.Duration
}

// node is one of them.
type node struct {
	*process
	store    *faultnet.Proxy // its way to the database
	peers    *faultnet.Proxy // the others' way to it
	killed   bool            // since it was started
	frozen   bool
	troubled bool
}

// newServers starts three nodes on an empty database, all at once.
func newServers(t *testing.T, seed uint64, term time.Duration) *servers {
	t.Helper()
	s := &servers{t: t, uri: mongotest.Database(t), rand: rand.New(rand.NewPCG(seed, 0)), robbing: seed%2 == 0, term: term, done: map[string]int{}}
	primary := mongotest.Primary(t)
	var addresses []string
	for i := range uint64(3) {
		n := &node{store: faultnet.New(t, seed+i, primary)}
		n.process = newProcess(t, nil, "serve", "--demo")
		n.peers = faultnet.New(t, seed+3+i, n.listen)
		n.env = []string{
			"ENROUTE_STORE=" + mongotest.Through(s.uri, n.store.Address()) + "&timeoutMS=5000",
			"ENROUTE_ADVERTISE=" + n.address(),
			"ENROUTE_LEASE_TERM=" + term.String(),
		}
		s.nodes = append(s.nodes, n)
		addresses = append(addresses, n.listen)
	}
	s.balancer = faultnet.New(t, seed, addresses...)
	s.open()
	if err := s.settle(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.logs())
	}
	return s
}

// open opens the database, past all proxies.
func (s *servers) open() {
	s.t.Helper()
	registry, err := newRegistry()
	if err == nil {
		s.store, err = mongo.Open(s.t.Context(), s.uri, registry, mongo.Options{})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.ledger = s.store.Ledger()
}

// settle ends all trouble and waits until all nodes are ready.
func (s *servers) settle(ctx context.Context) error {
	var starts errgroup.Group
	for _, n := range s.nodes {
		if err := n.mend(); err != nil {
			return err
		}
		starts.Go(func() error {
			if err := n.ready(ctx); err != nil {
				return fmt.Errorf("node %s: %w", n.listen, err)
			}
			return nil
		})
	}
	return starts.Wait()
}

// mend ends the node's trouble, and starts it if it does not run.
func (n *node) mend() error {
	n.store.Heal()
	n.peers.Heal()
	n.troubled = false
	if n.frozen {
		n.signal(syscall.SIGCONT)
		n.frozen = false
	}
	if n.alive() {
		return nil
	}
	if n.cmd != nil && !n.killed && n.served() {
		return fmt.Errorf("node %s ended by itself with %d", n.listen, n.cmd.ProcessState.ExitCode())
	}
	n.killed = false
	return n.launch()
}

func (s *servers) logs() string {
	var all strings.Builder
	for i, n := range s.nodes {
		fmt.Fprintf(&all, "== node %d, %s ==\n%s\n", i, n.listen, n.log)
	}
	return all.String()
}

// torment does one thing after another to the nodes until ctx ends, and then
// waits until all is well again.
func (s *servers) torment(ctx context.Context) error {
	for s.lull(ctx) {
		n := s.victim()
		if n.troubled || n.frozen || !n.alive() {
			if err := n.mend(); err != nil {
				return err
			}
			continue
		}
		name, do := s.trouble()
		s.done[name]++
		if err := do(n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return s.settle(s.t.Context())
}

// victim is some node, more often than by chance the one that serves.
func (s *servers) victim() *node {
	if n := s.holding(); n != nil && s.rand.IntN(2) == 0 {
		return n
	}
	return s.nodes[s.rand.IntN(len(s.nodes))]
}

// lull is the time between two things that are done, now and then long enough
// for another node to take over; false when ctx ends first.
func (s *servers) lull(ctx context.Context) bool {
	d := 300 * time.Millisecond
	if s.rand.IntN(8) == 0 {
		d = 2 * s.term
	}
	select {
	case <-time.After(time.Duration(s.rand.Int64N(int64(d)))):
		return true
	case <-ctx.Done():
		return false
	}
}

// trouble draws something to do to a node.
func (s *servers) trouble() (name string, do func(*node) error) {
	network := func(t faultnet.Trouble) func(*node) error {
		way := s.rand.IntN(3)
		return func(n *node) error {
			n.troubled = true
			if way != 0 {
				n.store.Set(t)
			} else {
				n.peers.Set(t)
			}
			return nil
		}
	}
	if s.robbing && s.rand.IntN(10) == 0 {
		return "steal", s.steal
	}
	switch s.rand.IntN(10) {
	case 0, 1:
		return "kill", (*node).crash
	case 2, 3:
		return "freeze", (*node).freeze
	case 4:
		return "delay", network(faultnet.Trouble{Delay: 50 * time.Millisecond})
	case 5:
		return "cut by chance", network(faultnet.Trouble{Cut: 0.05})
	case 6:
		return "lose answers", network(faultnet.Trouble{Answers: faultnet.Lose})
	case 7:
		return "hold", network(faultnet.Trouble{Requests: faultnet.Hold, Answers: faultnet.Hold})
	case 8:
		return "lose all", network(faultnet.Trouble{Requests: faultnet.Lose, Answers: faultnet.Lose, Refuse: true})
	}
	how := faultnet.End(s.rand.IntN(2))
	return "cut all", func(n *node) error {
		n.store.Cut(how)
		n.peers.Cut(how)
		return nil
	}
}

func (n *node) crash() error {
	n.killed = true
	n.kill()
	return nil
}

// freeze stops the process as it is: when it goes on, it is where it was and
// the time is another.
func (n *node) freeze() error {
	n.frozen = true
	n.signal(syscall.SIGSTOP)
	return nil
}

// steal gives the seat of the demo to some node, or to one that is not there,
// as nobody may do who is not told to by the database.
func (s *servers) steal(n *node) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	seat, err := s.ledger.Seat(ctx, demo.Workspace)
	if err != nil {
		return err
	}
	id := "nobody"
	if s.rand.IntN(2) == 0 {
		entries, err := s.ledger.Nodes(ctx)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Address == n.address() {
				id = e.ID
			}
		}
	}
	_, err = s.ledger.Swap(ctx, seat, cluster.Seat{Workspace: seat.Workspace, Node: id, Turn: seat.Turn + 1})
	return err
}

// address at which the other nodes reach it.
func (n *node) address() string { return "http://" + n.peers.Address() }

// holder is the node that serves the demo. There must be one.
func (s *servers) holder() *node {
	s.t.Helper()
	n := s.holding()
	if n == nil {
		s.t.Fatalf("no node serves\n%s", s.logs())
	}
	return n
}

// holding is the node that the seat of the demo names, nil if none of them.
func (s *servers) holding() *node {
	seat, err := s.ledger.Seat(s.t.Context(), demo.Workspace)
	if err != nil {
		return nil
	}
	entries, err := s.ledger.Nodes(s.t.Context())
	if err != nil {
		return nil
	}
	for _, e := range entries {
		for _, n := range s.nodes {
			if e.ID == seat.Node && e.Address == n.address() {
				return n
			}
		}
	}
	return nil
}

// stop ends the nodes in order, and sees to it that they had nothing to hide.
func (s *servers) stop() {
	s.t.Helper()
	for _, n := range s.nodes {
		if code := n.stop(); code != 0 {
			s.t.Errorf("node %s ends with %d", n.listen, code)
		}
		for _, bad := range []string{"DATA RACE", "panic"} {
			if strings.Contains(n.log.String(), bad) {
				s.t.Errorf("the log of node %s has %q", n.listen, bad)
			}
		}
	}
	if s.t.Failed() {
		s.t.Log(s.logs())
	}
}
