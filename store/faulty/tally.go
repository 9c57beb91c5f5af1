package faulty

import (
	"maps"
	"math/rand/v2"
	"sync"
)

// tally counts what happened and knows what goes on in the background.
type tally struct {
	mu     *sync.Mutex
	calls  map[string]int
	faults map[Kind]int
	closed *sync.Once
	late   *sync.WaitGroup
}

func newTally() tally {
	return tally{
		mu: &sync.Mutex{}, calls: map[string]int{}, faults: map[Kind]int{},
		closed: &sync.Once{}, late: &sync.WaitGroup{},
	}
}

func (t *tally) count(call string, k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[call]++
	if k != Pass {
		t.faults[k]++
	}
}

func (t *tally) callsNow() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.calls)
}

func (t *tally) faultsNow() map[Kind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.faults)
}

func (t *tally) background(fn func()) { t.late.Go(fn) }

func (t *tally) wait() { t.late.Wait() }

// closeOnce is true the first time.
func (t *tally) closeOnce() (first bool) {
	t.closed.Do(func() { first = true })
	return first
}

// Seeded is a plan that fails calls of the given method, "" for all, with
// probability rate, by a kind drawn from kinds. The same seed draws the same
// kinds in the same order of calls.
func Seeded(seed uint64, rate float64, method string, kinds ...Kind) Plan {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // faults, not secrets
	return func(call string) Mode {
		if method != "" && call != method {
			return Mode{}
		}
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() >= rate {
			return Mode{}
		}
		return Mode{Kind: kinds[random.IntN(len(kinds))]}
	}
}
