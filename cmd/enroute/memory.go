package main

import (
	"context"
	"time"
)

// calm is how long nothing must have been asked before memory is given back:
// longer than the pauses within a busy time, in which it would cost a
// collection each.
const calm = 3 * time.Second

// never is no count of requests: the start leaves something, too.
const never = ^uint64(0)

// giveBackMemory returns to the system what the work of a busy time has left,
// once it is over: the runtime by itself keeps up to twice of what is in use,
// for minutes. free is debug.FreeOSMemory. Until ctx ends.
func giveBackMemory(ctx context.Context, answered func() uint64, free func()) {
	tick := time.NewTicker(calm)
	defer tick.Stop()
	seen, settled := never, never
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := answered()
		if now == seen && now != settled {
			free()
			settled = now
		}
		seen = now
	}
}
