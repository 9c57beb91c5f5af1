package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// nothingNew: every technician's device asks, at the head, what is new.
func (r *run) nothingNew(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "book")
	if err != nil {
		return err
	}
	defer s.end(&err)
	devices, err := s.atHead(ctx, s.Devices)
	if err != nil {
		return err
	}
	answer, err := s.recordPull(ctx, devices[0], 0)
	if err != nil {
		return err
	}
	c, err := r.compare(ctx, s, workload{"pull, nothing new", r.pulls(devices), answer})
	if err != nil {
		return err
	}
	r.rep.add("pulls a second, share of bare Fiber's", "%.2f", least(0.85), c.ratios()...)
	r.rep.add("processor time of 1,000 pulls", "%.4f s", most(0.02), each(c.ours, sample.cpuPer1000)...)
	return nil
}

// delta: every device asks again and again what is new since the same cursor.
func (r *run) delta(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "book")
	if err != nil {
		return err
	}
	defer s.end(&err)
	devices := behind(s.Devices)
	answer, err := s.recordPull(ctx, devices[0], changed)
	if err != nil {
		return err
	}
	c, err := r.compare(ctx, s, workload{fmt.Sprintf("pull, %d changed documents", changed), r.pulls(devices), answer})
	if err != nil {
		return err
	}
	r.rep.add(fmt.Sprintf("pulls of %d changed documents a second, share of bare Fiber's", changed), "%.2f", least(0.6), c.ratios()...)
	r.rep.add("processor time of 1,000 pulls", "%.4f s", target{}, each(c.ours, sample.cpuPer1000)...)
	return nil
}

// behind are the devices with the cursors that changed documents come after.
func behind(devices []device) []device {
	return each(devices, func(d device) device {
		d.Cursor = d.Behind
		return d
	})
}

// pulls deals the devices out to the lanes.
func (r *run) pulls(devices []device) job {
	j := job{Duration: r.Size.Duration, Lanes: make([]lane, min(r.Size.Connections, len(devices)))}
	for i, d := range devices {
		l := &j.Lanes[i%len(j.Lanes)]
		l.Requests = append(l.Requests, pullRequest(d.Token, d.Cursor))
	}
	return j
}

// recordPull takes the answer of a pull, after checking that it brings as
// many documents as it should.
func (s *server) recordPull(ctx context.Context, d device, want int) (recorded, error) {
	p, err := s.pull(ctx, d, 0)
	if err != nil {
		return recorded{}, err
	}
	if len(p.Put) != want || p.More {
		return recorded{}, fmt.Errorf("a pull brought %d documents (more: %t), want %d", len(p.Put), p.More, want)
	}
	res, body, err := s.ask(ctx, pullRequest(d.Token, d.Cursor))
	if err != nil {
		return recorded{}, err
	}
	return record(res, body), nil
}

// first: devices that have nothing pull until they have everything, one with
// many documents, and as many as there are connections with few.
func (r *run) first(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "views")
	if err != nil {
		return err
	}
	defer s.end(&err)
	var jobs []job
	for _, limit := range []int{0, sync.MaxLimit} { // 0: the server's default
		l, err := s.whole(ctx, s.Devices[0], limit, r.Size.BigView)
		if err != nil {
			return err
		}
		jobs = append(jobs, job{Duration: r.Size.Duration, Lanes: []lane{l}})
	}
	few := job{Duration: r.Size.Duration}
	for _, d := range s.Devices[1:] {
		l, err := s.whole(ctx, d, 0, r.Size.View)
		if err != nil {
			return err
		}
		few.Lanes = append(few.Lanes, l)
	}
	got, err := r.rounds(ctx, s, append(jobs, few))
	if err != nil {
		return err
	}
	for i, pages := range []string{fmt.Sprintf("pages of %d, as devices ask", sync.DefaultLimit), fmt.Sprintf("pages of %d", sync.MaxLimit)} {
		perPull := float64(len(jobs[i].Lanes[0].Requests))
		r.rep.add(fmt.Sprintf("processor time of a first pull of %d documents in %s", r.Size.BigView, pages), "%.1f ms", most(40),
			each(got[i], func(s sample) float64 { return s.cpuPer1000() * perPull })...)
	}
	pages := float64(len(few.Lanes[0].Requests))
	r.rep.add(fmt.Sprintf("first pulls of %d documents: documents a second", r.Size.View), "%.0f", least(124_000),
		each(got[2], func(s sample) float64 { return s.perSecond() / pages * float64(r.Size.View) })...)
	r.rep.note("%d of the documents of each view are not clients but what all of a company's phones hold", s.Beside)
	return nil
}

// rounds measures the jobs in turn, and gives the samples of each.
func (r *run) rounds(ctx context.Context, s *server, jobs []job) ([][]sample, error) {
	out := make([][]sample, len(jobs))
	same := make([]*process, len(jobs))
	for i := range same {
		same[i] = s.process
	}
	for round := range r.Size.Rounds {
		r.say("round %d of %d", round+1, r.Size.Rounds)
		got, err := r.turns(ctx, round, same, jobs)
		if err != nil {
			return nil, err
		}
		for i := range jobs {
			out[i] = append(out[i], got[i])
		}
	}
	return out, nil
}

// whole are the requests of a first pull: since nothing changes meanwhile, the
// same ones bring the same pages again. It fails unless they bring as many
// documents as wanted.
func (s *server) whole(ctx context.Context, d device, limit, want int) (lane, error) {
	var l lane
	seen := map[document]bool{}
	d.Cursor = ""
	for more := true; more; {
		l.Requests = append(l.Requests, pageRequest(d.Token, d.Cursor, limit))
		p, err := s.pull(ctx, d, limit)
		if err != nil {
			return l, err
		}
		for _, d := range p.Put { // some come twice: a preview goes ahead
			seen[d] = true
		}
		d.Cursor, more = p.Cursor, p.More
	}
	if len(seen) != want {
		return l, fmt.Errorf("a first pull brought %d documents, want %d", len(seen), want)
	}
	return l, nil
}

// quiet: the memory of a server that has answered pulls.
func (r *run) quiet(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "book")
	if err != nil {
		return err
	}
	defer s.end(&err)
	nothing, delta, err := r.bothPulls(ctx, s)
	if err != nil {
		return err
	}
	if _, err := r.rounds(ctx, s, []job{nothing, delta}); err != nil {
		return err
	}
	m, err := r.silence(ctx, s)
	if err != nil {
		return err
	}
	r.rep.add(fmt.Sprintf("memory %s after pulls, %d documents", r.Size.Settle, r.Size.Clients), "%.0f MB", most(60), megabytes(m.all))
	r.rep.add("anonymous memory of it", "%.0f MB", target{}, megabytes(m.anonymous))
	return nil
}

// silence reads the server's memory when nothing has been asked for a while.
func (r *run) silence(ctx context.Context, s *server) (resident, error) {
	r.say("silence of %s", r.Size.Settle)
	if err := pause(ctx, r.Size.Settle); err != nil {
		return resident{}, err
	}
	return s.memory()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return errors.Join(errors.New("while waiting"), context.Cause(ctx))
	case <-time.After(d):
		return nil
	}
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
