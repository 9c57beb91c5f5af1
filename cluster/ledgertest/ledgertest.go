package ledgertest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/enroute-field/enroute/cluster"
)

// Run tests that what open gives is a ledger. Each ledger of one call of open
// is of the same database, as different nodes would see it.
func Run(t *testing.T, open func(t *testing.T) (a, b cluster.Ledger)) {
	t.Run("beats", func(t *testing.T) { t.Parallel(); beats(newPair(t, open)) })
	t.Run("burials", func(t *testing.T) { t.Parallel(); burials(newPair(t, open)) })
	t.Run("seats", func(t *testing.T) { t.Parallel(); seats(newPair(t, open)) })
	t.Run("rivals", func(t *testing.T) { t.Parallel(); rivals(newPair(t, open)) })
	t.Run("secret", func(t *testing.T) { t.Parallel(); secret(newPair(t, open)) })
}

type pair struct {
	*testing.T
	a, b cluster.Ledger
}

func newPair(t *testing.T, open func(t *testing.T) (a, b cluster.Ledger)) *pair {
	t.Helper()
	a, b := open(t)
	return &pair{t, a, b}
}

// expect that a call's answer is this one.
func (p *pair) expect(want bool, what string, got bool, err error) {
	p.Helper()
	if err != nil || got != want {
		p.Fatalf("%s: %v, %v; want %v", what, got, err, want)
	}
}

func (p *pair) beat(want bool, n cluster.Node) {
	p.Helper()
	got, err := p.a.Beat(p.Context(), n)
	p.expect(want, fmt.Sprintf("beat %d of %s", n.Beat, n.ID), got, err)
}

func (p *pair) bury(want bool, n cluster.Node) {
	p.Helper()
	got, err := p.b.Bury(p.Context(), n)
	p.expect(want, fmt.Sprintf("bury %s at %d", n.ID, n.Beat), got, err)
}

func (p *pair) swap(want bool, was, now cluster.Seat) {
	p.Helper()
	got, err := p.a.Swap(p.Context(), was, now)
	p.expect(want, fmt.Sprintf("swap %v for %v", was, now), got, err)
}

// stand checks which entries there are.
func (p *pair) stand(want ...cluster.Node) {
	p.Helper()
	got, err := p.b.Nodes(p.Context())
	slices.SortFunc(got, func(x, y cluster.Node) int { return strings.Compare(x.ID, y.ID) })
	if err != nil || !slices.Equal(got, want) {
		p.Fatalf("the nodes are %v, %v; want %v", got, err, want)
	}
}

func beats(p *pair) {
	p.stand()
	n := cluster.Node{ID: "n1", Address: "http://10.0.0.1:8080", Term: 10 * time.Second, Beat: 1}
	p.beat(true, n)
	p.beat(false, n) // somebody else's name
	p.beat(false, cluster.Node{ID: "n2", Beat: 2})
	n.Beat = 2
	p.beat(true, n)
	n.Beat = 5 // those between failed
	p.beat(true, n)
	late := n
	late.Beat = 4
	p.beat(false, late) // and came late
	p.stand(n)
	tool := cluster.Node{ID: "n0", Term: 1500 * time.Millisecond, Beat: 1}
	p.beat(true, tool)
	p.stand(tool, n)
}

func burials(p *pair) {
	n := cluster.Node{ID: "n1", Beat: 1}
	p.bury(false, n)
	p.beat(true, n)
	n.Beat = 2
	p.beat(true, n)
	p.bury(false, cluster.Node{ID: "n1", Beat: 1}) // it has beaten since
	p.bury(true, n)
	p.stand()
	p.bury(false, n)
	n.Beat = 3
	p.beat(false, n)
	p.stand()
	p.beat(true, cluster.Node{ID: "n2", Beat: 1})
	p.bury(true, cluster.Node{ID: "n2", Beat: 9}) // itself, with beats that failed
	p.stand()
}

func seats(p *pair) {
	none, err := p.b.Seat(p.Context(), "w1")
	if err != nil || none != (cluster.Seat{Workspace: "w1"}) {
		p.Fatalf("a seat that never was: %v, %v", none, err)
	}
	at := func(node string, turn uint64) cluster.Seat {
		return cluster.Seat{Workspace: "w1", Node: node, Turn: turn}
	}
	p.swap(false, at("n1", 3), at("n2", 4))
	p.swap(true, none, at("n1", 1))
	p.swap(false, none, at("n2", 1))
	p.swap(false, at("n2", 1), at("n2", 2))
	p.swap(false, at("n1", 2), at("n2", 3))
	p.swap(true, at("n1", 1), at("n2", 2))
	p.swap(true, cluster.Seat{Workspace: "w2"}, cluster.Seat{Workspace: "w2", Node: "n1", Turn: 1})
	p.listed("n2", at("n2", 2))
	p.listed("n1", cluster.Seat{Workspace: "w2", Node: "n1", Turn: 1})
	p.swap(true, at("n2", 2), at("", 3))
	p.listed("n2")
	if got, err := p.b.Seat(p.Context(), "w1"); err != nil || got != at("", 3) {
		p.Fatalf("a seat that was given back: %v, %v", got, err)
	}
	p.swap(false, none, at("n1", 1))
	p.swap(false, at("n2", 2), at("n1", 3))
	p.swap(true, at("", 3), at("n1", 4))
	p.listed("n1", at("n1", 4), cluster.Seat{Workspace: "w2", Node: "n1", Turn: 1})
	all, err := p.b.Seats(p.Context())
	if err != nil || len(all) != 2 {
		p.Fatalf("all seats: %v, %v", all, err)
	}
}

// listed checks a node's seats.
func (p *pair) listed(node string, want ...cluster.Seat) {
	p.Helper()
	got, err := p.b.SeatsOf(p.Context(), node)
	slices.SortFunc(got, func(x, y cluster.Seat) int { return strings.Compare(x.Workspace, y.Workspace) })
	if err != nil || !slices.Equal(got, want) {
		p.Fatalf("seats of %s: %v, %v; want %v", node, got, err, want)
	}
}

// rivals for one seat: exactly one has each turn.
func rivals(p *pair) {
	const rounds = 5
	for turn := range uint64(rounds) {
		was, err := p.a.Seat(p.Context(), "w")
		if err != nil || was.Turn != turn {
			p.Fatalf("seat %v, %v", was, err)
		}
		var won atomic.Int32
		var all sync.WaitGroup
		for i, l := range []cluster.Ledger{p.a, p.b, p.a, p.b} {
			all.Go(func() {
				now := cluster.Seat{Workspace: "w", Node: fmt.Sprintf("n%d", i), Turn: turn + 1}
				done, err := l.Swap(p.Context(), was, now)
				if err != nil {
					p.Error(err)
				}
				if done {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			p.Fatalf("turn %d has %d winners", turn+1, won.Load())
		}
	}
}

func secret(p *pair) {
	var got [4][]byte
	var all sync.WaitGroup
	for i, l := range []cluster.Ledger{p.a, p.b, p.a, p.b} {
		all.Go(func() {
			var err error
			if got[i], err = l.Secret(p.Context()); err != nil {
				p.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range got {
		if len(s) < 16 || !bytes.Equal(s, got[0]) {
			p.Fatalf("the nodes' secrets are %x", got)
		}
	}
	p.stand() // it is no node
}
