package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	stdsync "sync"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/sync"
)

// Errors of opening a database.
var (
	// ErrNewer: a later version of the program has been here.
	ErrNewer = errors.New("the database was written by a newer version")
	// ErrForeign: the database is one of some other program.
	ErrForeign = errors.New("the database is not one of Enroute")
)

// ErrClosed is the error of whatever is asked of a closed store.
var ErrClosed = errors.New("the store is closed")

// Options of a store; the zero Options are good.
type Options struct {
	Logger *slog.Logger // nil: logs nothing
}

// Store is a database as a sync.Store. Any number of processes may have one
// over the same database.
type Store struct {
	client      *driver.Client
	db          *driver.Database
	names       *names
	journal     *journal
	projections *projections
	log         *slog.Logger
	gate        gate
	close       func() error // closes once
}

// Open connects to the database that the URI names, makes what is missing in
// it and starts projecting with idx. No error tells the URI's password.
func Open(ctx context.Context, uri string, idx sync.Indexer, opts Options) (*Store, error) {
	addr, err := parse(uri)
	if err != nil {
		return nil, err
	}
	return openAt(ctx, addr, idx, opts)
}

func openAt(ctx context.Context, addr *address, idx sync.Indexer, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := driver.Connect(addr.options)
	if err != nil {
		return nil, fmt.Errorf("connect to the database at %s: %w", addr.hosts, err)
	}
	s := &Store{client: client, db: client.Database(addr.database), log: opts.Logger}
	s.gate.closing = make(chan struct{})
	s.close = stdsync.OnceValue(s.release)
	if err := s.start(ctx, idx); err != nil {
		err = fmt.Errorf("open database %s at %s: %w", addr.database, addr.hosts, err)
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, idx sync.Indexer) (err error) {
	if err := prepare(ctx, s.db); err != nil {
		return err
	}
	s.names = newNames(s.db)
	s.journal = newJournal(s.db)
	s.projections, err = newProjections(s.db, idx, s.journal, s.log)
	return err
}

// releaseTimeout is for taking leave of servers that do not answer.
const releaseTimeout = 2 * time.Second

// Close waits for what is under way and releases everything; who waits for
// lists is told that the store is closed. A second Close does nothing.
func (s *Store) Close() error { return s.close() }

func (s *Store) release() error {
	s.gate.shut()
	if s.projections != nil {
		s.projections.close()
	}
	s.gate.under.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("disconnect from the database: %w", err)
	}
	return nil
}

// gate lets calls in until it is shut, and knows which are under way.
type gate struct {
	mu      stdsync.Mutex
	isShut  bool
	under   stdsync.WaitGroup
	closing chan struct{} // closed when shut
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isShut {
		return ErrClosed
	}
	g.under.Add(1)
	return nil
}

func (g *gate) leave() { g.under.Done() }

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isShut = true
	close(g.closing)
}
