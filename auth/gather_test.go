package auth

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// saved is what a gatherer stored, call by call.
type saved struct {
	mu    sync.Mutex
	calls []map[string]facts
}

func (s *saved) save(_ context.Context, _ string, gathered map[string]facts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, maps.Clone(gathered))
	return nil
}

func (s *saved) all() []map[string]facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func TestGathererSavesTogetherAndThenRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got saved
		g := newGatherer(10*time.Second, got.save, slog.Default())
		three := 3
		start := time.Now()
		for i := range 100 {
			g.add(sighting{"demo", "phone"}, facts{at: start.Add(time.Duration(i) * time.Millisecond)})
		}
		g.add(sighting{"demo", "phone"}, facts{at: start, version: "1.2", pending: &three})
		g.add(sighting{"demo", "phone"}, facts{at: start.Add(time.Second)})
		g.add(sighting{"demo", "tablet"}, facts{at: start})

		<-time.After(9 * time.Second) // of the bubble
		synctest.Wait()
		if calls := got.all(); len(calls) != 0 {
			t.Fatalf("saved %v before its time", calls)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		calls := got.all()
		if len(calls) != 1 || len(calls[0]) != 2 {
			t.Fatalf("saved %v, want once for two devices", calls)
		}
		f := calls[0]["phone"]
		if f.version != "1.2" || f.pending != &three || !f.at.Equal(start.Add(time.Second)) {
			t.Errorf("saved %+v: what was told is lost", f)
		}
	})
}

func TestGathererSavesOnClose(t *testing.T) {
	t.Parallel()
	var got saved
	g := newGatherer(time.Hour, got.save, slog.Default())
	g.add(sighting{"demo", "phone"}, facts{})
	if err := g.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.add(sighting{"demo", "late"}, facts{})
	if err := g.close(t.Context()); err != nil {
		t.Errorf("a second close gives %v", err)
	}
	if calls := got.all(); len(calls) != 1 || len(calls[0]) != 1 {
		t.Errorf("saved %v, want the phone once", calls)
	}
	if g.timer != nil {
		t.Error("a timer runs after close")
	}
}

func TestGathererDoesNotWaitForEverToClose(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	g := newGatherer(time.Hour, func(context.Context, string, map[string]facts) error {
		<-release
		return errors.New("store is gone")
	}, slog.New(slog.DiscardHandler))
	g.add(sighting{"demo", "phone"}, facts{})
	ctx, cancel := context.WithCancelCause(t.Context())
	stopping := errors.New("time is up")
	cancel(stopping)
	if err := g.close(ctx); !errors.Is(err, stopping) {
		t.Errorf("close gives %v, want %v", err, stopping)
	}
	close(release)
	g.flush(t.Context()) // what was under way has ended when this returns
}
