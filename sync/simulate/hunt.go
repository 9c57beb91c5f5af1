package simulate

import (
	"context"
	"errors"
	stdsync "sync"

	"golang.org/x/sync/errgroup"
)

// Hunt plays one history after another, until one fails.
type Hunt struct {
	First    uint64 // seed; the others follow
	Seeds    int    // how many; 0: until the context ends
	Workers  int    // histories played at once; 0: one
	Steps    func(seed uint64) int
	Nodes    int // that of Config, as are those that follow
	Store    Store
	Dir      string
	Sabotage Sabotage
	// Tell, if set, is called after each history, by one worker at a time,
	// with how many were played and what they went through together.
	Tell func(played int, total Report)
}

// Run hunts. The error is the first *Violation, if there was one; when ctx
// ends the histories under way are played to their ends.
func (h Hunt) Run(ctx context.Context) (played int, total Report, err error) {
	r := &hunting{Hunt: h, ctx: context.WithoutCancel(ctx), total: newReport()}
	g, ctx := errgroup.WithContext(ctx)
	for range max(1, h.Workers) {
		g.Go(func() error {
			for seed, ok := r.next(); ok && ctx.Err() == nil; seed, ok = r.next() {
				if err := r.play(seed); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return r.played, r.total, err
}

// hunting is a hunt under way.
type hunting struct {
	Hunt
	ctx context.Context // of the histories

	mu     stdsync.Mutex // guards what follows
	begun  int
	played int
	total  Report
}

// next gives the next seed, if there is one.
func (r *hunting) next() (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
	return r.First + uint64(r.begun-1), r.Seeds == 0 || r.begun <= r.Seeds
}

func (r *hunting) play(seed uint64) error {
	got, err := Run(r.ctx, Config{Seed: seed, Steps: Steps(seed, r.Steps(seed), r.Nodes), Nodes: r.Nodes, Store: r.Store, Dir: r.Dir, Sabotage: r.Sabotage})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.played++
	if r.total.Add(got); r.Tell != nil {
		r.Tell(r.played, r.total)
	}
	return err
}

// Explain a failed run: what was violated, and the history that led to it.
func Explain(err error) string {
	v, ok := errors.AsType[*Violation](err)
	if !ok {
		return err.Error()
	}
	text := err.Error()
	for _, line := range v.History {
		text += "\n" + line
	}
	return text
}
