package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// growth compares a server of a large workspace with one of a small one, both
// running, and measures how long the large one takes to start.
func (r *run) growth(ctx context.Context) (err error) {
	little, err := r.serveInPlace(ctx, "grown-little")
	if err != nil {
		return err
	}
	defer little.end(&err)
	large, err := r.starts(ctx, "grown-large")
	if err != nil {
		return err
	}
	defer large.end(&err)
	both := []*server{little, large}
	var nothing, delta []job
	for _, s := range both {
		n, d, err := r.bothPulls(ctx, s)
		if err != nil {
			return err
		}
		nothing, delta = append(nothing, n), append(delta, d)
	}
	if err := r.grows(ctx, "nothing new", both, nothing); err != nil {
		return err
	}
	if err := r.grows(ctx, fmt.Sprintf("%d changed documents", changed), both, delta); err != nil {
		return err
	}
	return r.memories(ctx, both)
}

// bothPulls are the work of every device at the head, and of every device
// behind it, after a look at what one of them is answered.
func (r *run) bothPulls(ctx context.Context, s *server) (nothing, delta job, err error) {
	heads, err := s.atHead(ctx, s.Devices)
	if err == nil {
		_, err = s.recordPull(ctx, heads[0], 0)
	}
	if err == nil {
		_, err = s.recordPull(ctx, behind(s.Devices)[0], changed)
	}
	return r.pulls(heads), r.pulls(behind(s.Devices)), err
}

// starts starts a server again and again, and leaves the last one running. It
// is ready when it has answered a technician.
func (r *run) starts(ctx context.Context, name string) (s *server, err error) {
	var listening, answered, cost []float64
	for round := range r.Size.Rounds {
		r.say("start %d of %d", round+1, r.Size.Rounds)
		if s != nil {
			if err = errors.Join(s.stop(), s.after()); err != nil {
				return nil, err
			}
		}
		if s, err = r.serveInPlace(ctx, name); err != nil {
			return nil, err
		}
		first, err := s.firstAnswers(ctx)
		if err != nil {
			return nil, errors.Join(err, s.stop(), s.after())
		}
		listening, answered = append(listening, first.listening.Seconds()), append(answered, first.answered.Seconds())
		cost = append(cost, first.cpu.Seconds())
	}
	what := fmt.Sprintf("%d documents, program started to ", r.Size.Grown[1])
	r.rep.add(what+"first pull answered", "%.2f s", most(5), answered...)
	r.rep.add("processor time until then", "%.2f s", target{}, cost...)
	r.rep.add(what+"/readyz", "%.2f s", target{}, listening...)
	return s, nil
}

// firstAnswers is how long after its start a server said that it is ready, and
// had answered a technician, and the processor time it took for both.
type firstAnswers struct{ listening, answered, cpu time.Duration }

func (s *server) firstAnswers(ctx context.Context) (f firstAnswers, err error) {
	if _, _, err = s.ask(ctx, getRequest("", "/readyz")); err != nil {
		return f, err
	}
	f.listening = time.Since(s.began)
	if _, err = s.pull(ctx, s.Devices[0], 0); err != nil {
		return f, err
	}
	f.answered = time.Since(s.began)
	f.cpu, err = s.cpu()
	return f, err
}

// grows compares what the same pulls cost both servers.
func (r *run) grows(ctx context.Context, what string, both []*server, jobs []job) error {
	processes := each(both, func(s *server) *process { return s.process })
	var cost, rate []float64
	for round := range r.Size.Rounds + 1 {
		r.say("%s: round %d of %d", what, round, r.Size.Rounds)
		got, err := r.turns(ctx, round, processes, jobs)
		if err != nil {
			return err
		}
		if round > 0 { // the first one reads bodies into memory
			cost = append(cost, got[1].cpuPer1000()/got[0].cpuPer1000())
			rate = append(rate, got[1].perSecond()/got[0].perSecond())
		}
	}
	of := fmt.Sprintf("%s: %d documents to %d, ", what, r.Size.Grown[1], r.Size.Grown[0])
	r.rep.add(of+"processor time of a pull", "%.2f", most(1.2), cost...)
	r.rep.add(of+"pulls a second", "%.2f", target{}, rate...)
	return nil
}

// memories of servers that have been silent for a while.
func (r *run) memories(ctx context.Context, all []*server) error {
	limits := []target{{}, most(600)}
	for i, s := range all {
		var m resident
		var err error
		if i == 0 {
			m, err = r.silence(ctx, s)
		} else {
			m, err = s.memory()
		}
		if err != nil {
			return err
		}
		what := fmt.Sprintf("memory %s after pulls, %d documents", r.Size.Settle, r.Size.Grown[i])
		r.rep.add(what, "%.0f MB", limits[i], megabytes(m.all))
		r.rep.add("anonymous memory of it", "%.0f MB", target{}, megabytes(m.anonymous))
	}
	return nil
}

// workspaces: a server of many, which leave memory when they are idle.
func (r *run) workspaces(ctx context.Context) (err error) {
	s, err := r.serveInPlace(ctx, "many", "--idle-after", idleAfter)
	if err != nil {
		return err
	}
	defer s.end(&err)
	if err := r.once(ctx, s, "first request of a workspace after the start"); err != nil {
		return err
	}
	if s.Devices, err = s.atHead(ctx, s.Devices); err != nil { // a folder of yesterday has another date
		return err
	}
	if err := r.steady(ctx, s); err != nil {
		return err
	}
	m, err := s.memory()
	if err != nil {
		return err
	}
	count := fmt.Sprintf("%d workspaces of %d documents", r.Size.Workspaces, r.Size.Each)
	r.rep.add(count+" in memory", "%.0f MB", target{}, megabytes(m.all))
	r.say("silence of %s", r.Size.Idle)
	if err := pause(ctx, r.Size.Idle); err != nil {
		return err
	}
	if m, err = s.memory(); err != nil {
		return err
	}
	r.rep.add(fmt.Sprintf("%s %s after the last request (they leave after %s)", count, r.Size.Idle, idleAfter), "%.0f MB", target{}, megabytes(m.all))
	return r.once(ctx, s, "first request of a workspace that has left memory")
}

// idleAfter is after how long without a request a workspace leaves memory.
const idleAfter = "1s"

// once asks every workspace once, one after the other.
func (r *run) once(ctx context.Context, s *server, what string) error {
	l := lane{}
	for _, i := range rand.Perm(len(s.Devices)) {
		l.Requests = append(l.Requests, pullRequest(s.Devices[i].Token, s.Devices[i].Cursor))
	}
	got, err := s.measure(ctx, r.Self, job{Lanes: []lane{l}})
	if err != nil {
		return err
	}
	r.rep.add(what+": p50", "%.2f ms", target{}, milliseconds(got.P50))
	r.rep.add(what+": p99", "%.2f ms", target{}, milliseconds(got.P99))
	return nil
}

// steady asks random workspaces on all connections.
func (r *run) steady(ctx context.Context, s *server) error {
	j := job{Duration: r.Size.Duration}
	for range r.Size.Connections {
		l := lane{}
		for range len(s.Devices) {
			d := s.Devices[rand.IntN(len(s.Devices))]
			l.Requests = append(l.Requests, pullRequest(d.Token, d.Cursor))
		}
		j.Lanes = append(j.Lanes, l)
	}
	got, err := r.rounds(ctx, s, []job{j})
	if err != nil {
		return err
	}
	r.rep.add("pulls of random workspaces a second, nothing new", "%.0f", target{}, each(got[0], sample.perSecond)...)
	r.rep.add("p99 of them", "%.2f ms", target{}, each(got[0], func(s sample) float64 { return milliseconds(s.P99) })...)
	r.rep.add("processor time of 1,000 of them", "%.4f s", target{}, each(got[0], sample.cpuPer1000)...)
	return nil
}
