package bench

import (
	"context"
	"errors"
	"fmt"
)

// nodes: what one node and three do over a MongoDB, beside one with the
// embedded store, all with the same documents. Requests are dealt out to the
// nodes as a balancer would, whichever of them serves their workspace.
func (r *run) nodes(ctx context.Context) (err error) {
	if r.Store == "" {
		return errors.New("it needs a MongoDB: --store mongodb://…")
	}
	var all []*installation
	defer func() {
		for _, in := range all {
			err = errors.Join(err, in.end())
		}
	}()
	for _, begin := range []func() (*installation, error){
		func() (*installation, error) { return r.embedded(ctx, "SQLite", "nodes") },
		func() (*installation, error) { return r.spread(ctx, "one node", "nodes", 1) },
		func() (*installation, error) { return r.spread(ctx, "three nodes", "nodes", 3) },
	} {
		in, err := begin()
		if err != nil {
			return err
		}
		all = append(all, in)
		if err := in.seat(ctx); err != nil {
			return err
		}
	}
	steps, err := r.steps(ctx, all[0], all[1], all[2])
	if err != nil {
		return err
	}
	for round := range r.Size.Rounds {
		r.say("round %d of %d", round+1, r.Size.Rounds)
		for i := range steps {
			s := steps[(i+round)%len(steps)]
			if err := s.measure(ctx, r, round); err != nil {
				return fmt.Errorf("%s: %w", s.name(), err)
			}
		}
	}
	for _, s := range steps {
		s.report(r.rep)
	}
	r.rep.note("requests to three nodes come by turns to each of them; a write each %s", r.Size.Every)
	return nil
}

// step is what is measured once a round.
type step interface {
	name() string
	measure(ctx context.Context, r *run, round int) error
	report(rep *Report)
}

// steps of a round.
func (r *run) steps(ctx context.Context, alone, one, three *installation) ([]step, error) {
	var out []step
	for _, in := range []*installation{alone, one, three} {
		w := in.nodes[0].world
		out = append(out,
			&pushStep{in: in, where: "one workspace", pushers: w.Pushers},
			&pushStep{in: in, where: fmt.Sprintf("%d workspaces", r.Size.Others), pushers: w.Others, first: r.Size.Rounds})
	}
	out = append(out,
		&pullStep{in: alone}, &pullStep{in: one},
		&pullStep{in: three, where: ", asked at the one that serves"},
		&pullStep{in: three, where: ", asked at another", at: 1})
	for _, s := range []*liveStep{
		{in: alone}, {in: one},
		{in: three, where: ", written and followed at the one that serves"},
		{in: three, where: ", written there, followed at another", follow: 1},
		{in: three, where: ", written at another, followed at the third", write: 1, follow: 2},
	} {
		s.marked, s.number = forFew(r.Size), len(out)
		out = append(out, s)
	}
	for _, in := range []*installation{alone, one, three} {
		if err := in.nodes[0].change(ctx, forFew(r.Size).documents); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pushStep is documents created on all connections.
type pushStep struct {
	in      *installation
	where   string
	pushers []device
	first   int // of the numbers of its rounds; no other step of the installation has them
	got     []sample
}

func (s *pushStep) name() string {
	return fmt.Sprintf("push, %d documents a request, to %s: %s", perPush, s.where, s.in.name)
}

func (s *pushStep) measure(ctx context.Context, r *run, round int) error {
	j := r.creations(s.pushers, s.first+round)
	for i := range j.Lanes {
		j.Lanes[i].Address = s.in.balanced(i)
	}
	got, err := measure(ctx, r.Self, s.in.processes(), j)
	if err != nil {
		return err
	}
	s.got = append(s.got, got)
	return s.in.rest(ctx)
}

func (s *pushStep) report(rep *Report) {
	rep.compared = append(rep.compared, &comparison{name: s.name(), ours: s.got})
	rep.add(fmt.Sprintf("documents a second, durable, to %s: %s", s.where, s.in.name), "%.0f", target{},
		each(s.got, func(s sample) float64 { return s.perSecond() * perPush })...)
}

// pullStep is every device asking one of the nodes what is new at the head.
type pullStep struct {
	in    *installation
	where string
	at    int // the node that is asked; the first one serves
	got   []sample
}

func (s *pullStep) name() string { return "pull, nothing new: " + s.in.name + s.where }

func (s *pullStep) measure(ctx context.Context, r *run, _ int) error {
	serving := s.in.nodes[0]
	devices, err := serving.atHead(ctx, serving.Devices)
	if err != nil {
		return err
	}
	j := r.pulls(devices)
	for i := range j.Lanes {
		j.Lanes[i].Address = s.in.nodes[s.at].address
	}
	before, err := s.in.forwarded(ctx)
	if err != nil {
		return err
	}
	got, err := measure(ctx, r.Self, s.in.processes(), j)
	if err != nil {
		return err
	}
	after, err := s.in.forwarded(ctx)
	if want := float64(got.Requests * min(s.at, 1)); err == nil && after-before != want {
		err = fmt.Errorf("%.0f requests were forwarded, and not %.0f", after-before, want)
	}
	s.got = append(s.got, got)
	return err
}

func (s *pullStep) report(rep *Report) {
	rep.compared = append(rep.compared, &comparison{name: s.name(), ours: s.got})
}

// liveStep is every device following while documents are changed.
type liveStep struct {
	in            *installation
	where         string
	write, follow int // the nodes; the first one serves
	marked        marked
	number        int // no other has it
	marks         int // given so far
	got           []followed
}

func (s *liveStep) name() string {
	return fmt.Sprintf("write sent to event read, %d streams: %s%s", len(s.in.nodes[0].Devices), s.in.name, s.where)
}

func (s *liveStep) measure(ctx context.Context, r *run, _ int) error {
	serving := s.in.nodes[0]
	devices, err := serving.atHead(ctx, serving.Devices) // what came before is not of this measurement
	if err != nil {
		return err
	}
	j := s.marked.job(serving, devices, s.number*marksEach+s.marks)
	j.Address, j.Writer, j.Every, j.Folder = s.in.nodes[s.follow].address, s.in.nodes[s.write].address, r.Size.Every, ""
	s.marks += len(j.Writes)
	var saw followed
	if err := work(ctx, r.Self, "follow", j, &saw); err != nil {
		return err
	}
	s.got = append(s.got, saw)
	return s.in.rest(ctx)
}

// marksEach is more than a step gives.
const marksEach = 1_000_000

func (s *liveStep) report(rep *Report) {
	rep.add(s.name()+": p50", "%.2f ms", target{}, each(s.got, func(f followed) float64 { return milliseconds(f.Seen.P50) })...)
	rep.add("the same: p99", "%.2f ms", target{}, each(s.got, func(f followed) float64 { return milliseconds(f.Seen.P99) })...)
}
