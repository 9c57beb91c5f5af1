package bench

import (
	"context"
	"fmt"
	"time"
)

// push: every connection is a device that creates documents.
func (r *run) push(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "book")
	if err != nil {
		return err
	}
	defer s.end(&err)
	size, err := s.bodySize(ctx)
	if err != nil {
		return err
	}
	p := pushing{server: s, answers: &comparison{name: fmt.Sprintf("push, %d documents a request", perPush)}}
	for round := range r.Size.Rounds {
		r.say("round %d of %d", round+1, r.Size.Rounds)
		steps := []func() error{
			func() error { return p.measure(ctx, r, round) },
			func() error {
				rows, err := rawSQLite(ctx, r.dir, r.Size, size)
				p.raw = append(p.raw, rows)
				return err
			},
		}
		for i := range steps {
			if err := steps[(i+round)%len(steps)](); err != nil {
				return err
			}
		}
	}
	m, err := r.silence(ctx, s)
	if err != nil {
		return err
	}
	p.report(r.rep, size)
	r.rep.add(fmt.Sprintf("memory %s after %d documents were pushed", r.Size.Settle, p.documents()), "%.0f MB", target{}, megabytes(m.all))
	return nil
}

// pushing is what is found about pushes, once a round.
type pushing struct {
	server                *server
	answers               *comparison
	raw, backlogs, drains []float64
}

// measure a round, and let lists and search catch up, so that the next one
// does not begin with the work of this one.
func (p *pushing) measure(ctx context.Context, r *run, round int) error {
	got, err := p.server.process.measure(ctx, r.Self, r.creations(p.server.Pushers, round))
	if err != nil {
		return err
	}
	behind, took, err := p.server.drain(ctx)
	p.answers.ours = append(p.answers.ours, got)
	p.backlogs, p.drains = append(p.backlogs, float64(behind)), append(p.drains, took.Seconds())
	return err
}

func (p *pushing) documents() (n int) {
	for _, s := range p.answers.ours {
		n += s.Requests * perPush
	}
	return n
}

func (p *pushing) report(rep *Report, size int) {
	rep.compared = append(rep.compared, p.answers)
	rep.add("documents a second, durable", "%.0f", least(10_000),
		each(p.answers.ours, func(s sample) float64 { return s.perSecond() * perPush })...)
	rep.add(fmt.Sprintf("rows of %d bytes a second, durable, of SQLite alone", size), "%.0f", target{}, p.raw...)
	rep.add("commits that lists and search had yet to follow after a round", "%.0f", target{}, p.backlogs...)
	rep.add("until they had", "%.2f s", target{}, p.drains...)
}

// creations are pushes that create documents nobody has created before.
func (r *run) creations(pushers []device, round int) job {
	j := job{Duration: r.Size.Duration}
	for i, d := range pushers {
		first := uint64((round+1)*len(pushers)+i) << 28 // room for 2^28 documents each
		j.Lanes = append(j.Lanes, pushLane(d.Token, first))
	}
	return j
}

func pushLane(token string, first uint64) lane {
	return lane{Requests: [][]byte{pushRequest(token)}, Serial: serialMark, First: first, Never: refused}
}

// bodySize is about how long a pushed document is: as those of a delta, which
// is hardly anything else.
func (s *server) bodySize(ctx context.Context) (int, error) {
	p, err := s.pull(ctx, behind(s.Devices)[0], 0)
	return p.size / changed, err
}

// drain tells how many commits lists and search have not followed, and how
// long a list waits until they have.
func (s *server) drain(ctx context.Context) (commits int, took time.Duration, err error) {
	if commits, err = s.backlog(ctx); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	_, _, err = s.ask(ctx, listRequest(s.Admin))
	return commits, time.Since(began), err
}

// backlog asks the server's metrics how far projections are behind the journals.
func (s *server) backlog(ctx context.Context) (int, error) {
	commits, err := s.figure(ctx, "enroute_lists_behind_commits")
	return int(commits), err
}
