package bench

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is what a run found.
type Report struct {
	size          Size
	before, after conditions
	scenario      string // that is being measured
	figures       []figure
	compared      []*comparison
	notes         []note
	spans         []span
}

// figure is one line of the report: what a scenario measured, once a round.
type figure struct {
	scenario, what string
	format         string // of the value, with its unit
	target         target
	rounds         []float64
}

// target is what a figure should be; the zero target is met by any.
type target struct {
	sign  string
	value float64
}

func least(value float64) target { return target{"≥", value} }
func most(value float64) target  { return target{"≤", value} }

func (t target) met(value float64) bool {
	switch t.sign {
	case "≥":
		return value >= t.value
	case "≤":
		return value <= t.value
	}
	return true
}

// note is a sentence about a scenario.
type note struct{ scenario, text string }

// span is how long a scenario took, and how busy the machine was with
// something else meanwhile, in cores.
type span struct {
	scenario string
	took     time.Duration
	others   float64
}

// add a figure of the scenario that is being measured.
func (r *Report) add(what, format string, t target, rounds ...float64) {
	r.figures = append(r.figures, figure{r.scenario, what, format, t, rounds})
}

func (r *Report) note(format string, args ...any) {
	r.notes = append(r.notes, note{r.scenario, fmt.Sprintf(format, args...)})
}

// spent notes how long the scenario took.
func (r *Report) spent(began instant) error {
	ended, err := now()
	r.spans = append(r.spans, span{r.scenario, ended.at.Sub(began.at), began.others(ended)})
	return err
}

// Markdown is the report for docs/benchmarks.md.
func (r *Report) Markdown() string {
	var b strings.Builder
	r.conditions(&b)
	b.WriteString("\n| scenario | what | target | median | lowest to highest | |\n|---|---|---|---|---|---|\n")
	for _, f := range r.figures {
		b.WriteString(f.row())
	}
	if len(r.compared) > 0 {
		b.WriteString("\n| compared | per second | bare Fiber | ratio | CPU s per 1,000 | bare | p50 | p99 | answer |\n|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, c := range r.compared {
		b.WriteString(c.row())
	}
	b.WriteString("\n")
	for _, n := range r.notes {
		fmt.Fprintf(&b, "- %s: %s\n", n.scenario, n.text)
	}
	return b.String()
}

func (r *Report) conditions(b *strings.Builder) {
	fmt.Fprintf(b, "%s, %d cores, %s/%s, %s; %d rounds of %s, %d connections.\n", r.before.at.UTC().Format("2 January 2006 15:04 UTC"),
		cores(), runtime.GOOS, runtime.GOARCH, runtime.Version(), r.size.Rounds, r.size.Duration, r.size.Connections)
	for _, c := range []struct {
		when string
		conditions
	}{{"Before", r.before}, {"After", r.after}} {
		if c.at.IsZero() {
			continue // the run was broken off
		}
		fmt.Fprintf(b, "%s: load %s; 4 KiB forced to disk in %s (p50), %s (p99).\n", c.when, c.load, ms(c.disk.P50), ms(c.disk.P99))
	}
	var parts []string
	for _, s := range r.spans {
		parts = append(parts, fmt.Sprintf("%s %s (%.2f)", s.scenario, s.took.Round(time.Second), s.others))
	}
	fmt.Fprintf(b, "Time a scenario took, and how many cores were busy with something else meanwhile: %s.\n", strings.Join(parts, ", "))
}

func (f *figure) row() string {
	value := median(f.rounds, func(v float64) float64 { return v })
	format := func(v float64) string { return fmt.Sprintf(f.format, v) }
	aim, verdict := "", ""
	if f.target.sign != "" {
		aim = f.target.sign + " " + format(f.target.value)
		if verdict = "met"; !f.target.met(value) {
			verdict = "**missed**"
		}
	}
	span := ""
	if len(f.rounds) > 1 {
		span = format(slices.Min(f.rounds)) + " to " + format(slices.Max(f.rounds))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", f.scenario, f.what, aim, format(value), span, verdict)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", milliseconds(d)) }

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// median of what of says about each.
func median[T any, N cmp.Ordered](all []T, of func(T) N) N {
	values := each(all, of)
	slices.Sort(values)
	return values[len(values)/2]
}

// each is what of says about each.
func each[T, N any](all []T, of func(T) N) []N {
	out := make([]N, len(all))
	for i, x := range all {
		out[i] = of(x)
	}
	return out
}
