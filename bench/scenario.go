package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// scenario is one kind of work that is measured, beside a bare handler that
// gives the same answer.
type scenario struct {
	name   string
	job    func(ctx context.Context, round int) (job, error)
	record func(ctx context.Context) (recorded, error)
}

// reads are the scenarios that change nothing.
func (r *run) reads() []scenario {
	return []scenario{
		{"pull, nothing new", r.nothing, r.recordNothing},
		{fmt.Sprintf("pull, %d changed documents", changed), r.delta, r.recordDelta},
	}
}

// writes are those that do.
func (r *run) writes() []scenario {
	return []scenario{{fmt.Sprintf("push, %d documents a request", perPush), r.push, r.recordPush}}
}

// nothing: every device asks, at the head, what is new.
func (r *run) nothing(ctx context.Context, _ int) (job, error) {
	cursors, err := r.pullAll(ctx, r.deltas)
	return r.pulls(cursors), err
}

// delta: every device asks again and again what is new since the same cursor.
func (r *run) delta(context.Context, int) (job, error) { return r.pulls(r.deltas), nil }

// pulls deals the technicians out to the lanes.
func (r *run) pulls(cursors []string) job {
	j := job{Duration: r.Size.Duration, Lanes: make([]lane, r.Size.Connections)}
	for i, c := range cursors {
		l := &j.Lanes[i%len(j.Lanes)]
		l.Requests = append(l.Requests, pullRequest(r.tokens.technicians[i], c))
	}
	return j
}

// push: every connection is a device that creates documents.
func (r *run) push(_ context.Context, round int) (job, error) {
	j := job{Duration: r.Size.Duration}
	for i, token := range r.tokens.pushers {
		first := uint64((round+1)*len(r.tokens.pushers)+i) << 28 // room for 2^28 documents each
		j.Lanes = append(j.Lanes, pushLane(token, first))
	}
	return j, nil
}

func pushLane(token string, first uint64) lane {
	return lane{Requests: [][]byte{pushRequest(token)}, Serial: serialMark, First: first, Never: `"rejected"`}
}

func (r *run) recordNothing(ctx context.Context) (recorded, error) {
	token := r.tokens.technicians[0]
	p, err := r.pull(ctx, token, r.deltas[0])
	if err != nil {
		return recorded{}, err
	}
	return r.recordPull(ctx, p.Cursor, 0)
}

func (r *run) recordDelta(ctx context.Context) (recorded, error) {
	return r.recordPull(ctx, r.deltas[0], changed)
}

// recordPull takes the answer of a pull, after checking that it brings as
// many documents as the scenario says.
func (r *run) recordPull(ctx context.Context, cursor string, want int) (recorded, error) {
	token := r.tokens.technicians[0]
	p, err := r.pull(ctx, token, cursor)
	if err != nil {
		return recorded{}, err
	}
	if len(p.Put) != want || p.More {
		return recorded{}, fmt.Errorf("a pull brought %d documents (more: %t), want %d", len(p.Put), p.More, want)
	}
	res, body, err := r.ask(ctx, pullRequest(token, cursor))
	if err != nil {
		return recorded{}, err
	}
	return record(res, body), nil
}

func (r *run) recordPush(ctx context.Context) (recorded, error) {
	l := pushLane(r.tokens.pushers[0], 0)
	l.number(0, l.serials())
	res, body, err := r.ask(ctx, l.Requests[0])
	if err != nil {
		return recorded{}, err
	}
	if bytes.Contains(body, []byte(l.Never)) {
		return recorded{}, fmt.Errorf("a push was refused: %s", body)
	}
	return record(res, body), nil
}

// compare measures the scenario in rounds, the server and a bare handler in
// turn, the one that begins changing from round to round. beside, if not nil,
// is measured in each round too.
func (r *run) compare(ctx context.Context, s scenario, beside func(context.Context) error) (_ *comparison, err error) {
	answer, err := s.record(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	bare, err := start(ctx, r.self("bench", "bare"), answer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	c := &comparison{name: s.name, answer: len(answer.Body)}
	for round := range r.Size.Rounds {
		r.say("%s: round %d of %d", s.name, round+1, r.Size.Rounds)
		if err := r.round(ctx, s, c, bare, round); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if beside != nil {
			if err := beside(ctx); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func (r *run) round(ctx context.Context, s scenario, c *comparison, bare *process, round int) error {
	j, err := s.job(ctx, round)
	if err != nil {
		return err
	}
	both := []*process{bare, r.server}
	var got [2]sample
	for i := range both {
		n := (i + round) % len(both)
		if got[n], err = both[n].measure(ctx, r.Self, j); err != nil {
			return err
		}
	}
	c.bare, c.ours = append(c.bare, got[0]), append(c.ours, got[1])
	return nil
}
