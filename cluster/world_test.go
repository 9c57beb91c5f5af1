package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/cluster/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(*testing.T) (a, b cluster.Ledger) {
		m := ledgertest.NewMemory()
		return m, ledgertest.NewLink(m)
	})
}

const term = 10 * time.Second

// world is some nodes over one ledger, in a bubble of its own time.
type world struct {
	*testing.T
	ledger *ledgertest.Memory
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(&world{t, ledgertest.NewMemory()}) })
}

// pass lets time go by.
func pass(d time.Duration) { <-time.After(d) }

// node is one of them.
type node struct {
	*cluster.Cluster
	w    *world
	link *ledgertest.Link

	mu    sync.Mutex
	lost  []string
	taken []string
}

// join makes a node, which leaves when the test ends.
func (w *world) join(address string, change ...func(*cluster.Options)) *node {
	w.Helper()
	n := w.admit(address, change...)
	w.Cleanup(func() {
		n.link.Trouble(nil)
		if err := n.Leave(context.Background()); err != nil {
			w.Error(err)
		}
		n.link.Wait()
	})
	return n
}

func (w *world) admit(address string, change ...func(*cluster.Options)) *node {
	w.Helper()
	n := &node{w: w, link: ledgertest.NewLink(w.ledger)}
	o := cluster.Options{Ledger: n.link, Address: address, Term: term, Logger: slog.New(slog.DiscardHandler),
		Lost: n.note(&n.lost), Taken: n.note(&n.taken)}
	for _, f := range change {
		f(&o)
	}
	var err error
	if n.Cluster, err = cluster.Join(w.Context(), o); err != nil {
		w.Fatal(err)
	}
	return n
}

// note of a callback in a list.
func (n *node) note(list *[]string) func(context.Context, string) {
	return func(_ context.Context, workspace string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		*list = append(*list, workspace)
	}
}

func (n *node) noted(list *[]string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(*list)
}

// locates checks where the node finds a workspace.
func (n *node) locates(workspace, want string) {
	n.w.Helper()
	got, err := n.Locate(n.w.Context(), workspace)
	if err != nil || got != want {
		n.w.Fatalf("%s is located at %q, %v; want %q", workspace, got, err, want)
	}
	if n.Held(workspace) != (want == "") {
		n.w.Fatalf("%s is located at %q and held: %v", workspace, got, n.Held(workspace))
	}
}

// holds checks whether the node believes to hold a workspace.
func (n *node) holds(want bool, workspace, when string) {
	n.w.Helper()
	if got := n.Held(workspace); got != want {
		n.w.Fatalf("%s: held %v, want %v", when, got, want)
	}
}

// die as a process does that is killed: nothing reaches the ledger any more.
func (n *node) die() { n.link.Cut() }

// lastBeat waits for the node's next beat and gives the time at which it began.
func (n *node) lastBeat() time.Time {
	for before := n.link.Calls("Beat"); n.link.Calls("Beat") == before; {
		pass(time.Millisecond)
	}
	return time.Now()
}

func workspaces(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("w%d", i))
	}
	return out
}
