// Package simulate plays seeded histories of a company on the real engine,
// store and devices, with everything going wrong that can: answers lost, late
// and doubled, pages cut anywhere, crashes of server and devices, evictions,
// wrong clocks, restored backups, and a disk that fails. Beside the engine
// runs a model that reads the journal and knows only the words of the wire
// contract; whenever the two differ the run fails, with the seed and the
// history that led there.
//
// The server is one node, or several over one store. Then each workspace has a
// seat, and who holds it serves; the others read the store before they answer.
// Seats are handed over, inherited, and stolen from nodes that do not hear of
// it for a while, and requests come to any node.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Config of a run.
type Config struct {
	Seed  uint64
	Steps []Step // Steps draws them
	Nodes int    // of the server, over one store; 0: one
	Store Store
	// Dir is where the run makes a folder of its own for what the store keeps in
	// files; a fast one serves best, for nothing here depends on what survives a
	// loss of power.
	Dir string
	// Sabotage leaves out a rule, to prove that it is noticed.
	Sabotage Sabotage
}

// Report tells what a run went through.
type Report struct {
	Commits   uint64
	Documents int
	Mutations int            // pushed by devices or written by consoles
	Merged    int            // of them answered as merged
	Pages     int            // given by the server, lost ones included
	Bodies    int            // of documents in them, each checked
	Quiet     int            // moments at which every device was compared with the model
	Compared  int            // devices compared
	Faults    map[string]int // by kind, how often it occurred
	Refusals  map[string]int // by code
}

func newReport() Report { return Report{Faults: map[string]int{}, Refusals: map[string]int{}} }

// Add sums two reports.
func (r *Report) Add(o Report) {
	r.Commits += o.Commits
	r.Documents += o.Documents
	r.Mutations += o.Mutations
	r.Merged += o.Merged
	r.Pages += o.Pages
	r.Bodies += o.Bodies
	r.Quiet += o.Quiet
	r.Compared += o.Compared
	r.Faults, r.Refusals = sum(r.Faults, o.Faults), sum(r.Refusals, o.Refusals)
}

func sum(a, b map[string]int) map[string]int {
	out := map[string]int{}
	for _, m := range []map[string]int{a, b} {
		for k, n := range m {
			out[k] += n
		}
	}
	return out
}

func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d commits, %d documents, %d mutations (%d merged), %d pages with %d bodies, %d quiet moments with %d devices compared\n",
		r.Commits, r.Documents, r.Mutations, r.Merged, r.Pages, r.Bodies, r.Quiet, r.Compared)
	for _, m := range []map[string]int{r.Faults, r.Refusals} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "  %s %d", k, m[k])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Violation is a property that did not hold.
type Violation struct {
	Property string
	Detail   string
	Seed     uint64
	Nodes    int // of the server
	Store    Store
	Step     int      // at which it was noticed
	Taken    []Step   // up to that one
	History  []string // what was done, step by step
}

func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d, step %d: %s: %s", v.Seed, v.Step, v.Property, v.Detail)
}

func violated(property, format string, args ...any) error {
	return &Violation{Property: property, Detail: fmt.Sprintf(format, args...)}
}

// Run plays one history. A property that does not hold is a *Violation.
func Run(ctx context.Context, cfg Config) (Report, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "world-")
	if err != nil {
		return newReport(), fmt.Errorf("make a folder for seed %d: %w", cfg.Seed, err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is only space
	cfg.Dir = dir
	w, err := newWorld(ctx, cfg)
	if err != nil {
		return newReport(), fmt.Errorf("begin seed %d: %w", cfg.Seed, err)
	}
	taken, err := w.play(ctx)
	if v, ok := errors.AsType[*Violation](err); ok {
		v.Seed, v.Nodes, v.Store = cfg.Seed, cfg.Nodes, cfg.Store
		v.Step, v.Taken, v.History = w.step, taken, w.history
	} else if err != nil {
		err = fmt.Errorf("seed %d, step %d: %w", cfg.Seed, w.step, err)
	}
	w.report.Commits, w.report.Documents = w.model.head, len(w.model.all(""))
	return w.report, errors.Join(err, w.server.stop(ctx))
}

// play takes the steps, and compares everything at the end. It gives the
// steps that were taken.
func (w *world) play(ctx context.Context) ([]Step, error) {
	for i, s := range w.cfg.Steps {
		w.begin(s.Number)
		if err := w.server.tell(ctx, s.Number); err != nil {
			return w.cfg.Steps[:i+1], err
		}
		if err := w.take(ctx, s); err != nil {
			return w.cfg.Steps[:i+1], err
		}
		if err := w.read(ctx); err != nil {
			return w.cfg.Steps[:i+1], err
		}
	}
	w.begin(theEnd)
	return w.cfg.Steps, w.finish(ctx)
}

// theEnd has a number of its own, so that it goes the same way whatever steps
// came before.
const theEnd = 9999

// begin gives a step its own chance, and its own new values: a step that is
// left out changes nothing of what the others draw.
func (w *world) begin(n int) {
	w.step, w.values = n, 0
	w.rng = source(w.cfg.Seed, forActs, n)
	w.server.begin(n)
}

// finish brings everybody together and looks at the whole store.
func (w *world) finish(ctx context.Context) error {
	w.logf("the end")
	if err := w.quiet(ctx); err != nil {
		return err
	}
	if err := w.checkRestart(ctx); err != nil {
		return err
	}
	return w.checkStore(ctx)
}
