package simulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Step is one thing that happens in a history. What exactly it does follows
// from the seed and its number, and from what there is when it is taken.
type Step struct {
	Number int
	Do     string // the name of an act
}

// MarshalText writes "17 restart".
func (s Step) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d %s", s.Number, s.Do), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *Step) UnmarshalText(text []byte) (err error) {
	number, do, _ := strings.Cut(string(text), " ")
	if s.Number, err = strconv.Atoi(number); err != nil {
		return fmt.Errorf("read step %q: %w", text, err)
	}
	s.Do = do
	return nil
}

// Steps are the first n that a seed draws, for a server of so many nodes.
func Steps(seed uint64, n, nodes int) []Step {
	all := acts()
	if nodes > 1 {
		all = append(all, actsOfMany()...)
	}
	total := 0
	for _, a := range all {
		total += a.weight
	}
	out := make([]Step, n)
	for i := range out {
		out[i] = Step{i + 1, drawn(all, source(seed, forSteps, i+1).IntN(total))}
	}
	return out
}

// drawn is the act that a number below the total weight stands for.
func drawn(all []act, n int) string {
	for _, a := range all {
		if n -= a.weight; n < 0 {
			return a.name
		}
	}
	return ""
}

// What chance is drawn for: each has a source of its own in each step.
const (
	forSteps = iota
	forActs
	forDisk
	forRoutes
)

// source of chance for one step of a seed.
func source(seed uint64, what, step int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(what)<<32|uint64(step)))
}

// act is one thing that may happen, and how often in comparison.
type act struct {
	name   string
	weight int
	do     func(*world, context.Context) error
}

// Names of acts of which one can stand for the other.
const (
	atOnce = "everybody at once"
	inTurn = "everybody in turn"
)

// acts are all there are.
func acts() []act {
	return []act{
		{"desk work", 30, (*world).deskWork},
		{"field work", 24, (*world).fieldWork},
		{"contact", 26, (*world).contact},
		{"late answers", 6, (*world).lateAnswers},
		{"weather", 5, (*world).weather},
		{"time passes", 6, (*world).timePasses},
		{atOnce, 3, (*world).everybodyAtOnce},
		{inTurn, 0, (*world).everybodyInTurn},
		{"read meanwhile", 2, (*world).readMeanwhile},
		{"follow live", 3, (*world).followLive},
		{"look at a list", 3, (*world).lookAtList},
		{"repeat old work", 2, (*world).repeatOldWork},
		{"reuse an id", 1, (*world).reuseID},
		{"foreign cursor", 1, (*world).foreignCursor},
		{"disk trouble", 2, (*world).diskTrouble},
		{"sweep", 1, (*world).sweep},
		{"evict", 2, (*world).evict},
		{"restart", 1, (*world).restart},
		{"crash", 1, (*world).crash},
		{"backup", 1, (*world).backup},
		{"restore", 1, (*world).restore},
		{"device crash", 2, (*world).phoneCrash},
		{"device restored", 1, (*world).phoneRestored},
		{"quiet", 3, (*world).quiet},
	}
}

// actsOfMany are those that need several nodes.
func actsOfMany() []act {
	return []act{
		{"hand over", 4, (*world).handOver},
		{"steal", 5, (*world).steal},
		{"late holder", 3, (*world).lateHolder},
		{"look at heads", 4, (*world).lookAtHeads},
	}
}

// take one step.
func (w *world) take(ctx context.Context, s Step) error {
	for _, a := range append(acts(), actsOfMany()...) {
		if a.name == s.Do {
			return a.do(w, ctx)
		}
	}
	return fmt.Errorf("there is no act %q", s.Do)
}
