package bench

import (
	"context"
	"errors"
	"fmt"
)

// workload is what a load process does to a server, and what a bare handler
// answers in the server's place.
type workload struct {
	name   string
	job    job
	answer recorded
}

// comparison is a workload's samples, one of each per round.
type comparison struct {
	name   string
	answer int // bytes of the answer's body
	ours   []sample
	bare   []sample
}

// compare measures the workload in rounds, the server and a bare handler in
// turn, the one that begins changing from round to round.
func (r *run) compare(ctx context.Context, s *server, w workload) (c *comparison, err error) {
	bare, err := start(ctx, r.self("bench", "bare"), w.answer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	c = &comparison{name: w.name, answer: len(w.answer.Body)}
	for round := range r.Size.Rounds {
		r.say("round %d of %d", round+1, r.Size.Rounds)
		got, err := r.turns(ctx, round, []*process{bare, s.process}, []job{w.job, w.job})
		if err != nil {
			return nil, err
		}
		c.bare, c.ours = append(c.bare, got[0]), append(c.ours, got[1])
	}
	r.rep.compared = append(r.rep.compared, c)
	return c, nil
}

// turns measures each process with its job, one after the other; which is
// first changes from round to round.
func (r *run) turns(ctx context.Context, round int, all []*process, jobs []job) ([]sample, error) {
	out := make([]sample, len(all))
	for i := range all {
		n := (i + round) % len(all)
		var err error
		if out[n], err = all[n].measure(ctx, r.Self, jobs[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ratios to the bare handler's rate, one per round.
func (c *comparison) ratios() []float64 {
	out := make([]float64, len(c.ours))
	for i := range out {
		out[i] = c.ours[i].perSecond() / c.bare[i].perSecond()
	}
	return out
}

func (c *comparison) row() string {
	bare, ratio, bareCPU, answer := "", "", "", ""
	if len(c.bare) > 0 {
		bare = fmt.Sprintf("%.0f", median(c.bare, sample.perSecond))
		ratio = fmt.Sprintf("%.2f", median(c.ratios(), func(f float64) float64 { return f }))
		bareCPU = fmt.Sprintf("%.3f", median(c.bare, sample.cpuPer1000))
		answer = fmt.Sprintf("%d B", c.answer)
	}
	return fmt.Sprintf("| %s | %.0f | %s | %s | %.3f | %s | %s | %s | %s |\n", c.name,
		median(c.ours, sample.perSecond), bare, ratio, median(c.ours, sample.cpuPer1000), bareCPU,
		ms(median(c.ours, sample.p50)), ms(median(c.ours, sample.p99)), answer)
}
