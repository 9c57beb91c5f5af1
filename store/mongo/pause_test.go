package mongo

import (
	"context"
	"math/rand/v2"
	"slices"
	stdsync "sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/sync"
)

// watched gives a database whose commands tell before they are sent and after
// they were answered.
func watched(t testing.TB, uri string, before, after func(command string)) *driver.Database {
	t.Helper()
	addr, err := parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	addr.options.SetMonitor(&event.CommandMonitor{
		Started:   func(_ context.Context, e *event.CommandStartedEvent) { before(e.CommandName) },
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) { after(e.CommandName) },
	})
	client, err := driver.Connect(addr.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client.Database(addr.database)
}

func nothing(string) {}

// pauser holds back one in four commands for a while.
type pauser struct {
	mu   stdsync.Mutex
	rng  *rand.Rand
	held []chan struct{}
	off  bool
}

func (p *pauser) before(string) {
	p.mu.Lock()
	if p.off || p.rng.IntN(4) != 0 {
		p.mu.Unlock()
		return
	}
	hold := make(chan struct{})
	p.held = append(p.held, hold)
	p.mu.Unlock()
	<-hold
}

// release some of those that are held, any.
func (p *pauser) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.held) > 0 && p.rng.IntN(3) == 0 {
		i := p.rng.IntN(len(p.held))
		close(p.held[i])
		p.held = slices.Delete(p.held, i, i+1)
	}
}

func (p *pauser) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for _, hold := range p.held {
		close(hold)
	}
	p.held = nil
}

// stir releases what is held, at the pace of the database.
func (p *pauser) stir(t testing.TB, db *driver.Database) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = db.Client().Ping(ctx, nil) // how long it takes is all that matters
			p.release()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		p.stop()
	})
}

// pausing is a store whose projections are interrupted at random.
type pausing struct {
	*Store
	p *pauser
}

func (s *pausing) Close() error {
	s.p.stop()
	return s.Store.Close()
}

func openPausing(t *testing.T, uri string, idx sync.Indexer, seed uint64) sync.Store {
	t.Helper()
	s := open(t, uri, idx)
	s.projections.close()
	p := &pauser{rng: rand.New(rand.NewPCG(seed, 1))}
	p.stir(t, s.db)
	var err error
	s.projections, err = newProjections(watched(t, uri, p.before, nothing), idx, s.journal, s.log)
	if err != nil {
		t.Fatal(err)
	}
	return &pausing{s, p}
}
