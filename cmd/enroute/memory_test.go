package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Memory is given back once after the start and once after each busy time,
// however long the calm is, and never while requests come.
func TestMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answered, freed atomic.Uint64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go giveBackMemory(ctx, answered.Load, func() { freed.Add(1) })
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		given := func(want uint64, after string) {
			t.Helper()
			if got := freed.Load(); got != want {
				t.Fatalf("after %s memory was given back %d times, want %d", after, got, want)
			}
		}
		wait(time.Minute)
		given(1, "the start")
		for range 30 {
			answered.Add(1)
			wait(calm / 2)
		}
		given(1, "a busy time")
		wait(time.Minute)
		given(2, "the calm behind it")
	})
}
