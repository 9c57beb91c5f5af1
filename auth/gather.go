package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// gatherer collects what devices tell and saves it together, some time after
// the first of it came in. With nothing to save it does nothing.
type gatherer struct {
	every time.Duration
	save  func(ctx context.Context, workspace string, gathered map[string]facts) error
	log   *slog.Logger

	saving sync.Mutex // held while saving, so that flush means: all is stored

	mu      sync.Mutex
	waiting map[sighting]facts
	timer   *time.Timer // runs while something waits
	closed  bool
}

// sighting is which device of which workspace was seen.
type sighting struct{ workspace, device string }

// facts are what is known of a sighting.
type facts struct {
	at      time.Time
	version string // "": not told
	pending *int   // nil: not told
}

func newGatherer(every time.Duration, save func(context.Context, string, map[string]facts) error, log *slog.Logger) *gatherer {
	return &gatherer{every: every, save: save, log: log, waiting: map[sighting]facts{}}
}

// add takes in what was told; what was told before and not again stays.
func (g *gatherer) add(who sighting, f facts) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if before, ok := g.waiting[who]; ok {
		f = f.over(before)
	}
	g.waiting[who] = f
	if g.timer == nil {
		g.timer = time.AfterFunc(g.every, func() { g.flush(context.Background()) })
	}
}

// over gives the facts with those of before where they tell nothing.
func (f facts) over(before facts) facts {
	if f.version == "" {
		f.version = before.version
	}
	if f.pending == nil {
		f.pending = before.pending
	}
	return f
}

// flush saves what waits, after what is being saved already. What cannot be
// saved is lost: the device will tell again.
func (g *gatherer) flush(ctx context.Context) {
	g.saving.Lock()
	defer g.saving.Unlock()
	for workspace, gathered := range g.take() {
		if err := g.save(ctx, workspace, gathered); err != nil {
			g.log.WarnContext(ctx, "what devices told is lost", "workspace", workspace, "error", err)
		}
	}
}

// take out what waits, by workspace.
func (g *gatherer) take() map[string]map[string]facts {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	out := map[string]map[string]facts{}
	for who, f := range g.waiting {
		if out[who.workspace] == nil {
			out[who.workspace] = map[string]facts{}
		}
		out[who.workspace][who.device] = f
	}
	clear(g.waiting)
	return out
}

// close saves what waits and takes in no more; once it has returned nothing
// is being saved.
func (g *gatherer) close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.flush(ctx)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
