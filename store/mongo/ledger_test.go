package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	stdsync "sync"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/cluster/ledgertest"
	"github.com/enroute-field/enroute/store/mongotest"
)

// ledger of the database, over a connection of its own.
func ledger(t *testing.T, uri string) *Ledger {
	t.Helper()
	addr, err := parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	client, err := driver.Connect(addr.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return newLedger(client.Database(addr.database))
}

func TestLedger(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) (a, b cluster.Ledger) {
		uri := mongotest.Database(t)
		return ledger(t, uri), ledger(t, uri)
	})
}

// member is a node of a cluster over the wire.
type member struct {
	*cluster.Cluster
	link    *ledgertest.Link
	mu      stdsync.Mutex
	events  []string
	changed chan struct{}
}

func join(t *testing.T, uri, address string) *member {
	t.Helper()
	m := &member{link: ledgertest.NewLink(ledger(t, uri)), changed: make(chan struct{}, 100)}
	note := func(what string) func(context.Context, string) {
		return func(_ context.Context, workspace string) {
			m.mu.Lock()
			m.events = append(m.events, what+" "+workspace)
			m.mu.Unlock()
			m.changed <- struct{}{}
		}
	}
	var err error
	m.Cluster, err = cluster.Join(t.Context(), cluster.Options{
		Ledger: m.link, Address: address, Term: wireTerm, Logger: slog.New(slog.DiscardHandler),
		Lost: note("lost"), Taken: note("taken"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.link.Trouble(nil)
		if err := m.Leave(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// wireTerm leaves room for a busy machine: beats may take 900 ms.
const wireTerm = 3 * time.Second

// locates checks where the node finds a workspace, once it is a node: one that
// was buried is none for a moment.
func (m *member) locates(t *testing.T, workspace, want string) {
	t.Helper()
	got, err := m.Locate(t.Context(), workspace)
	for tick := time.Tick(10 * time.Millisecond); errors.Is(err, cluster.ErrUncertain); <-tick {
		got, err = m.Locate(t.Context(), workspace)
	}
	if err != nil || got != want {
		t.Fatalf("%s is located at %q, %v; want %q", workspace, got, err, want)
	}
}

// until waits for events, in any order.
func (m *member) until(t *testing.T, want ...string) {
	t.Helper()
	has := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return !slices.ContainsFunc(want, func(e string) bool { return !slices.Contains(m.events, e) })
	}
	for !has() {
		select {
		case <-m.changed:
		case <-t.Context().Done():
			t.Fatalf("no %v", want)
		}
	}
}

// TestClusterOverTheWire: nodes over a real database take over from one that
// dies, and from one that leaves.
func TestClusterOverTheWire(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	a, b := join(t, uri, "http://a"), join(t, uri, "http://b")
	var all []string
	for i := range 6 {
		name := fmt.Sprintf("w%d", i)
		a.locates(t, name, "")
		b.locates(t, name, "http://a")
		all = append(all, "taken "+name)
	}
	a.link.Cut()
	b.until(t, all...)
	for i := range 6 {
		b.locates(t, fmt.Sprintf("w%d", i), "")
		if a.Held(fmt.Sprintf("w%d", i)) {
			t.Error("the node that was cut off believes in itself")
		}
	}
	a.link.Trouble(nil)
	a.until(t, "lost w0", "lost w5")
	a.locates(t, "w0", "http://b")
	if err := b.Release(t.Context(), "w0"); err != nil {
		t.Fatal(err)
	}
	a.Mislaid("w0", "http://b")
	a.locates(t, "w0", "")
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Mislaid("w1", "http://b")
	a.locates(t, "w1", "")
	a.until(t, all[2:]...)
}
