// Package auth knows who is asking: accounts and their passwords, the tokens
// of devices and consoles, and what may end a session.
//
// Accounts are employee documents. Passwords (kind "credential") and sessions
// (kind "device") are documents of the private scope in the same journal, so
// they are as durable as everything else and no view ever shows them. A
// session is valid while three documents say so: the device carries the hash
// of its token, the employee is active, and the password is still the one it
// was opened under (or was changed from this very session). Their revs are in
// the engine's memory, so each of the three counts from the next request on
// without a read of the store.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// Options of a Service. Only Engine is needed.
type Options struct {
	Engine *sync.Engine
	Clock  func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
	// Lifetime of a session from its sign-in; 0: 180 days.
	Lifetime time.Duration
	// HandIn is how long a revoked device may still push, where the
	// administrator allows it; 0: 24 hours.
	HandIn time.Duration
	// SeenEvery is how long what devices tell about themselves is gathered
	// before it is stored; 0: 10 seconds.
	SeenEvery time.Duration
	Limits    Limits
	// Params of argon2id for new passwords; nil: 19 MiB, 2 passes, 1 lane, the
	// least that OWASP's Password Storage Cheat Sheet advises.
	Params *argon2id.Params
}

// Limits of what strangers may cost. A zero field has its default.
type Limits struct {
	AccountFailures int           // failed sign-ins of an account within Window; 10
	AddressFailures int           // failed sign-ins from an address within Window; 50
	Window          time.Duration // 15 minutes
	Tracked         int           // accounts, and addresses, remembered; 65,536
	Hashing         int           // passwords hashed at once; 2
	Waiting         int           // passwords waiting to be hashed; 64
	Sessions        int           // sessions kept in memory; 65,536
}

// Service signs people in and tells who a token belongs to. Its methods may
// be called by many goroutines at once.
type Service struct {
	engine   *sync.Engine
	clock    func() time.Time
	log      *slog.Logger
	lifetime time.Duration
	handIn   time.Duration

	hasher    *hasher
	accounts  *limiter
	addresses *limiter
	sessions  *sessions
	seen      *gatherer
}

// New makes a Service. Close it before the engine.
func New(o Options) *Service {
	o = o.withDefaults()
	s := &Service{
		engine: o.Engine, clock: o.Clock, log: o.Logger, lifetime: o.Lifetime, handIn: o.HandIn,
		hasher:    newHasher(o.Params, o.Limits.Hashing, o.Limits.Waiting),
		accounts:  newLimiter(o.Limits.AccountFailures, o.Limits.Window, o.Limits.Tracked),
		addresses: newLimiter(o.Limits.AddressFailures, o.Limits.Window, o.Limits.Tracked),
		sessions:  newSessions(o.Limits.Sessions),
	}
	s.seen = newGatherer(o.SeenEvery, s.saveNotes, o.Logger)
	return s
}

// Close stores what devices told about themselves and waits for it.
func (s *Service) Close(ctx context.Context) error {
	if err := s.seen.close(ctx); err != nil {
		return fmt.Errorf("close auth: %w", err)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Params == nil {
		o.Params = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	orElse(&o.Lifetime, 180*24*time.Hour)
	orElse(&o.HandIn, 24*time.Hour)
	orElse(&o.SeenEvery, 10*time.Second)
	l := &o.Limits
	orElse(&l.AccountFailures, 10)
	orElse(&l.AddressFailures, 50)
	orElse(&l.Window, 15*time.Minute)
	orElse(&l.Tracked, 1<<16)
	orElse(&l.Hashing, 2)
	orElse(&l.Waiting, 64)
	orElse(&l.Sessions, 1<<16)
	return o
}

// orElse gives a zero value its default.
func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// write changes private documents as the server itself: nobody holds their scope.
func write(ctx context.Context, ws *sync.Workspace, ifMatch uint64, ms ...sync.Mutation) error {
	_, err := ws.Write(ctx, sync.System("auth"), sync.Write{
		Cause:     sync.Cause{Kind: "system", Ref: "auth"},
		Mutations: ms,
		IfMatch:   ifMatch,
		Admit:     true,
	})
	return err
}

// document reads a live document; nil if there is none.
func document(ctx context.Context, ws *sync.Workspace, key sync.Key) (*sync.Document, error) {
	d, err := ws.Document(ctx, key)
	if errors.Is(err, sync.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return d, nil
}

// lookup finds a live document by a unique value; nil if there is none.
func lookup(ctx context.Context, ws *sync.Workspace, kind, field, value string) (*sync.Document, error) {
	d, err := ws.Lookup(ctx, kind, field, value)
	if errors.Is(err, sync.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s by %s: %w", kind, field, err)
	}
	return d, nil
}

// workspace opens one by name; nil if there is none.
func (s *Service) workspace(ctx context.Context, name string) (*sync.Workspace, error) {
	ws, err := s.engine.Open(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open workspace: %w", err)
	}
	return ws, nil
}
