package simulate

import (
	"context"
	"slices"
)

// Shrink leaves steps out of a failing case as long as it fails in the same
// way, in large pieces first, until none can be missed. It gives the shortest
// that it found when ctx ended. If the case also fails when nothing happens at
// once, nothing does in the shorter one, so that it repeats exactly.
func Shrink(ctx context.Context, c Case, dir string) (Case, error) {
	s := &shrinking{ctx: context.WithoutCancel(ctx), best: c, dir: dir}
	if _, err := s.fails(oneByOne(c.Steps)); err != nil {
		return c, err
	}
	for size := len(c.Steps); size > 0; {
		shorter, err := s.without(ctx, size)
		if err != nil || ctx.Err() != nil {
			return s.best, err
		}
		if size = min(size, len(s.best.Steps)); !shorter || size > 1 {
			size /= 2
		}
	}
	return s.best, nil
}

// oneByOne are the steps without concurrency.
func oneByOne(steps []Step) []Step {
	out := slices.Clone(steps)
	for i := range out {
		if out[i].Do == atOnce {
			out[i].Do = inTurn
		}
	}
	return out
}

// shrinking is a search for a shorter case.
type shrinking struct {
	ctx  context.Context // of the histories, which are played to their ends
	best Case
	dir  string
}

// without tries to leave out every piece of some steps, from the end, and
// says whether any could be.
func (s *shrinking) without(ctx context.Context, size int) (shorter bool, err error) {
	for to := len(s.best.Steps); to > 0 && ctx.Err() == nil; {
		from := max(0, to-size)
		left := slices.Delete(slices.Clone(s.best.Steps), from, to)
		fails, err := s.fails(left)
		if err != nil {
			return shorter, err
		}
		shorter = shorter || fails
		to = min(from, len(s.best.Steps))
	}
	return shorter, nil
}

// fails plays some steps. If they fail in the same way they are the best case
// so far, up to the one that noticed.
func (s *shrinking) fails(steps []Step) (bool, error) {
	c := s.best
	c.Steps = steps
	v, err := c.Play(s.ctx, s.dir)
	if err != nil || v == nil || v.Property != c.Property {
		return false, err
	}
	c.Steps, c.Detail = v.Taken, v.Detail
	s.best = c
	return true, nil
}
