package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/cluster/ledgertest"
)

// TestNeverTwo plays random histories: clocks at rates up to a twentieth off
// and minutes apart, calls that fail, hang, have their effect unanswered or
// long after, nodes that freeze, are cut off, killed, leave and come back.
// Never do two believe to hold the same workspace, turns only grow, and when
// all is well again everybody agrees. CLUSTER_SEEDS plays more.
func TestNeverTwo(t *testing.T) {
	seeds := 20
	if n, err := strconv.Atoi(os.Getenv("CLUSTER_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			inWorld(t, func(w *world) { newHistory(w, uint64(seed)).play() })
		})
	}
}

const (
	seatsPlayed = 4
	nodesPlayed = 3
	stepsPlayed = 1500
	stepLength  = term / 50
)

type history struct {
	*world
	rand   *rand.Rand
	nodes  []*player
	tenure map[string]uint64 // the last seen
	holder map[string]string // and who it was
}

// player is a node, and what is being done to it.
type player struct {
	*node
	address string
	rate    float64 // of its steady clock
	thaw    func()  // nil: it is not frozen
}

func newHistory(w *world, seed uint64) *history {
	h := &history{world: w, rand: rand.New(rand.NewPCG(seed, 7)), tenure: map[string]uint64{}, holder: map[string]string{}}
	for i := range nodesPlayed {
		p := &player{address: fmt.Sprintf("http://%d", i), rate: 0.95 + 0.1*h.rand.Float64()}
		h.nodes = append(h.nodes, p)
		h.enter(p)
	}
	return h
}

// enter makes the player a node.
func (h *history) enter(p *player) {
	origin, ahead := time.Now(), time.Duration(h.rand.Int64N(int64(20*time.Minute)))
	steady := func() time.Time {
		return origin.Add(time.Duration(float64(time.Since(origin)) * p.rate))
	}
	wall := func() time.Time { return steady().Add(ahead - 10*time.Minute) }
	p.node = h.admit(p.address, func(o *cluster.Options) { o.SetClock(steady, wall) })
}

func (h *history) play() {
	for range stepsPlayed {
		if h.rand.IntN(4) == 0 {
			h.act(h.nodes[h.rand.IntN(len(h.nodes))])
		}
		pass(stepLength)
		h.check()
		if h.Failed() {
			break
		}
	}
	h.heal()
	for _, p := range h.nodes {
		if err := p.Leave(context.Background()); err != nil {
			h.Error(err)
		}
		p.link.Wait()
	}
}

// act lets something happen to a node, or by it.
func (h *history) act(p *player) {
	workspace := fmt.Sprintf("w%d", h.rand.IntN(seatsPlayed))
	switch h.rand.IntN(16) {
	case 0:
		p.link.Trouble(h.weather())
	case 1:
		p.link.Cut()
	case 2, 3:
		p.link.Trouble(nil)
	case 4:
		if p.thaw == nil {
			p.thaw = p.link.Freeze()
		}
	case 5, 6, 7:
		h.melt(p)
	case 8:
		h.replace(p)
	case 9, 10:
		go func() { _ = p.Release(h.Context(), workspace) }()
	default:
		n := p.node
		go func() {
			if address, err := n.Locate(h.Context(), workspace); err == nil && h.rand != nil {
				n.Mislaid(workspace, address)
			}
		}()
	}
}

// melt lets a frozen node go on; what it believes at once counts.
func (h *history) melt(p *player) {
	if p.thaw == nil {
		return
	}
	p.thaw()
	p.thaw = nil
	h.check()
}

// replace ends a node, in one of two ways, and starts another.
func (h *history) replace(p *player) {
	h.melt(p)
	if h.rand.IntN(2) == 0 {
		p.link.Trouble(nil)
	}
	ctx, cancel := context.WithTimeout(h.Context(), term/10)
	defer cancel()
	_ = p.Leave(ctx) // or not: then it is a dead node
	p.link.Wait()
	h.enter(p)
}

// weather is a way of things to go wrong for a while.
func (h *history) weather() func(string) ledgertest.Trouble {
	seed := h.rand.Uint64()
	bad, slow := h.rand.Float64(), time.Duration(h.rand.Int64N(int64(term/2)))
	source := make(chan *rand.Rand, 1)
	source <- rand.New(rand.NewPCG(seed, 1))
	return func(string) ledgertest.Trouble {
		r := <-source
		defer func() { source <- r }()
		if r.Float64() > bad {
			return ledgertest.Trouble{}
		}
		switch r.IntN(5) {
		case 0:
			return ledgertest.Trouble{Refused: true}
		case 1:
			return ledgertest.Trouble{Unanswered: true}
		case 2:
			return ledgertest.Trouble{Before: time.Duration(r.Int64N(int64(2 * term)))}
		}
		return ledgertest.Trouble{Before: time.Duration(r.Int64N(int64(slow) + 1)), After: time.Duration(r.Int64N(int64(slow) + 1))}
	}
}

// check that no two nodes hold the same, and that turns grow.
func (h *history) check() {
	for i := range seatsPlayed {
		workspace := fmt.Sprintf("w%d", i)
		var holders []string
		for _, p := range h.nodes {
			if p.thaw != nil {
				continue // it believes nothing while it stands still
			}
			turn := p.Tenure(workspace)
			if turn == 0 {
				continue
			}
			name := p.Name()
			holders = append(holders, name)
			if last := h.tenure[workspace]; turn < last || turn == last && h.holder[workspace] != name {
				h.Errorf("%s is held by %s at turn %d, after %s at %d", workspace, name, turn, h.holder[workspace], last)
			}
			h.tenure[workspace], h.holder[workspace] = turn, name
		}
		if len(holders) > 1 {
			h.Errorf("%s is held by %v", workspace, holders)
		}
	}
}

// heal mends everything and sees whether the nodes agree.
func (h *history) heal() {
	for _, p := range h.nodes {
		p.link.Trouble(nil)
		h.melt(p)
	}
	pass(6 * term)
	for i := range seatsPlayed {
		workspace := fmt.Sprintf("w%d", i)
		var at []string
		for _, p := range h.nodes {
			address, err := p.Locate(h.Context(), workspace)
			if err != nil {
				h.Errorf("in the end %s is not located: %v", workspace, err)
			}
			if address == "" {
				address = p.address
			}
			at = append(at, address)
		}
		if at[0] != at[1] || at[1] != at[2] {
			h.Errorf("in the end %s is at %v", workspace, at)
		}
	}
	h.check()
}
