package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// comparison is a scenario's samples, one of each per round.
type comparison struct {
	name   string
	answer int // bytes of the answer's body
	ours   []sample
	bare   []sample
}

// Report is what a run found.
type Report struct {
	size     Size
	reads    []*comparison
	memory   int64 // bytes, after the reads and a silence
	body     int   // bytes of a pushed document
	push     *comparison
	raw      []float64 // rows a second of SQLite alone, per round
	catchUp  time.Duration
	pushed   int
	memoryUp int64 // bytes, after the pushes and a silence
}

// measure does all rounds of all scenarios.
func (r *run) measure(ctx context.Context) (*Report, error) {
	rep := &Report{size: r.Size}
	for _, s := range r.reads() {
		c, err := r.compare(ctx, s, nil)
		if err != nil {
			return nil, err
		}
		rep.reads = append(rep.reads, c)
	}
	var err error
	if rep.memory, err = r.quietMemory(ctx); err != nil {
		return nil, err
	}
	if err := r.measurePush(ctx, rep); err != nil {
		return nil, err
	}
	rep.memoryUp, err = r.quietMemory(ctx)
	return rep, err
}

func (r *run) measurePush(ctx context.Context, rep *Report) error {
	p, err := r.pull(ctx, r.tokens.technicians[0], r.deltas[0])
	if err != nil {
		return err
	}
	for _, put := range p.Put {
		rep.body = max(rep.body, len(put))
	}
	for _, s := range r.writes() {
		rep.push, err = r.compare(ctx, s, func(ctx context.Context) error {
			rows, err := rawSQLite(ctx, r.dir, r.Size, rep.body)
			rep.raw = append(rep.raw, rows)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, s := range rep.push.ours {
		rep.pushed += s.Requests * perPush
	}
	began := time.Now()
	_, _, err = r.ask(ctx, listRequest(r.tokens.admin))
	rep.catchUp = time.Since(began)
	return err
}

// quietMemory reads the server's memory after a silence.
func (r *run) quietMemory(ctx context.Context) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-time.After(r.Size.Settle):
		return r.server.memory()
	}
}

// Markdown is the report for docs/benchmarks.md.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d technicians, %d clients of about %d bytes, %d visible to each; %d connections; median of %d rounds of %s.\n\n",
		r.size.Technicians, r.size.Clients, r.body, 2*r.size.Clients/r.size.Technicians, r.size.Connections, r.size.Rounds, r.size.Duration)
	b.WriteString("| work | per second | bare Fiber | ratio | CPU s per 1,000 | bare | p50 | p99 | answer |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range append(slices.Clone(r.reads), r.push) {
		b.WriteString(c.row())
	}
	docs := median(r.push.ours, func(s sample) float64 { return s.perSecond() * perPush })
	raw := median(r.raw, func(f float64) float64 { return f })
	fmt.Fprintf(&b, "\nPushed documents, durable: %.0f a second; SQLite alone, the same bytes in grouped inserts: %.0f rows a second; ratio %.2f.\n",
		docs, raw, docs/raw)
	fmt.Fprintf(&b, "After %d pushed documents the first list waited %s for its projection.\n", r.pushed, r.catchUp.Round(time.Millisecond))
	fmt.Fprintf(&b, "Memory of the server %s after the last request: %.0f MB with %d documents, %.0f MB after the pushes.\n",
		r.size.Settle, float64(r.memory)/1e6, r.size.Clients, float64(r.memoryUp)/1e6)
	return b.String()
}

func (c *comparison) row() string {
	ratios := make([]float64, len(c.ours))
	for i := range ratios {
		ratios[i] = c.ours[i].perSecond() / c.bare[i].perSecond()
	}
	return fmt.Sprintf("| %s | %.0f | %.0f | %.2f | %.3f | %.3f | %s | %s | %d B |\n", c.name,
		median(c.ours, sample.perSecond), median(c.bare, sample.perSecond), median(ratios, func(f float64) float64 { return f }),
		median(c.ours, sample.cpuPer1000), median(c.bare, sample.cpuPer1000),
		milliseconds(median(c.ours, func(s sample) time.Duration { return s.P50 })),
		milliseconds(median(c.ours, func(s sample) time.Duration { return s.P99 })), c.answer)
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

// median of what of says about each.
func median[T any, N cmp.Ordered](all []T, of func(T) N) N {
	values := make([]N, len(all))
	for i, x := range all {
		values[i] = of(x)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
