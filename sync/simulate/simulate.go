// Package simulate plays seeded histories of a company on the real engine,
// store and devices, with everything going wrong that can: answers lost, late
// and doubled, pages cut anywhere, crashes of server and devices, evictions,
// wrong clocks, restored backups, and a disk that fails. Beside the engine
// runs a model that reads the journal and knows only the words of the wire
// contract; whenever the two differ the run fails, with the seed and the
// history that led there.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// Config of a run.
type Config struct {
	Seed  uint64
	Steps int
	// Dir is the folder of the store's files; a fast one serves best, for
	// nothing here depends on what survives a loss of power.
	Dir string
	// Sabotage leaves out rules of the engine, to prove that it is noticed.
	Sabotage sync.Faults
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
	Step     int
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
	w, err := newWorld(ctx, cfg)
	if err != nil {
		return newReport(), fmt.Errorf("begin seed %d: %w", cfg.Seed, err)
	}
	err = w.play(ctx)
	if v, ok := errors.AsType[*Violation](err); ok {
		v.Seed, v.Step, v.History = cfg.Seed, w.step, w.history
	} else if err != nil {
		err = fmt.Errorf("seed %d, step %d: %w", cfg.Seed, w.step, err)
	}
	w.report.Commits, w.report.Documents = w.model.head, len(w.model.all(""))
	return w.report, errors.Join(err, w.server.stop(ctx))
}

// play takes the steps, and compares everything at the end.
func (w *world) play(ctx context.Context) error {
	for w.step = 1; w.step <= w.cfg.Steps; w.step++ {
		if err := w.take(ctx); err != nil {
			return err
		}
		if err := w.read(ctx); err != nil {
			return err
		}
	}
	return w.finish(ctx)
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
