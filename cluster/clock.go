package cluster

import "time"

// instant is a moment by two clocks: the monotonic one, which a machine that
// sleeps may stop, and the one on the wall, which somebody may set.
type instant struct{ steady, wall time.Time }

func now() instant {
	t := time.Now()
	return instant{steady: t, wall: t.Round(0)}
}

// atLeast is how long it was from then to i: no clock says less.
func (i instant) atLeast(then instant) time.Duration { return i.steady.Sub(then.steady) }

// atMost is how long it can have been: a wall clock that is ahead may have
// gone on while the other stood.
func (i instant) atMost(then instant) time.Duration {
	return max(i.steady.Sub(then.steady), i.wall.Sub(then.wall))
}
