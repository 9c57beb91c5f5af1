package mongo

import (
	"context"
	"errors"
	stdsync "sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/store/faultnet"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/store/storetest"
	"github.com/enroute-field/enroute/sync"
)

// TestConformanceOverBadNetwork: with connections that are reset at any
// moment, whoever asks again until there is an answer has a store like any other.
func TestConformanceOverBadNetwork(t *testing.T) {
	t.Parallel()
	primary := mongotest.Primary(t)
	var databases stdsync.Map // URI by place
	var cuts atomic.Int64
	t.Run("core", func(t *testing.T) {
		storetest.RunCore(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
			t.Helper()
			uri, ok := databases.Load(place)
			if !ok {
				uri = mongotest.Database(t)
				databases.Store(place, uri)
			}
			p := faultnet.New(t, 1, primary)
			s := open(t, mongotest.Through(uri.(string), p.Address()), idx)
			p.Set(faultnet.Trouble{Cut: 0.005})
			t.Cleanup(func() { cuts.Add(int64(p.Tally().Cut)) })
			return &stubborn{s}
		})
	})
	if cuts.Load() == 0 {
		t.Error("no connection was cut")
	}
	t.Logf("%d connections were cut", cuts.Load())
}

// stubborn asks again for as long as the network is to blame, as the engine
// and its clients do.
type stubborn struct{ inner *Store }

var _ sync.Store = (*stubborn)(nil)

// again gives the first answer that is one of the database.
func again[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for {
		got, err := ask()
		if err == nil || ctx.Err() != nil || !unanswered(err) {
			return got, err
		}
	}
}

// unanswered errors are those of the network, and those of a driver that has
// just met one on another connection.
func unanswered(err error) bool {
	var cleared interface{ Retryable() bool }
	return errors.Is(err, sync.ErrUnknownOutcome) || driver.IsNetworkError(err) || driver.IsTimeout(err) ||
		errors.As(err, &cleared) && cleared.Retryable()
}

func (s *stubborn) do(ctx context.Context, ask func() error) error {
	_, err := again(ctx, func() (struct{}, error) { return struct{}{}, ask() })
	return err
}

func (s *stubborn) Workspaces(ctx context.Context) ([]string, error) {
	return again(ctx, func() ([]string, error) { return s.inner.Workspaces(ctx) })
}

func (s *stubborn) Head(ctx context.Context, workspace string) (sync.Head, error) {
	return again(ctx, func() (sync.Head, error) { return s.inner.Head(ctx, workspace) })
}

func (s *stubborn) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	return s.do(ctx, func() error { return s.inner.Append(ctx, workspace, commits) })
}

// Journal goes on after the last commit that was yielded.
func (s *stubborn) Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error {
	return s.do(ctx, func() error {
		return s.inner.Journal(ctx, workspace, from, to, func(c *sync.Commit) error {
			from = c.Number + 1
			return yield(c)
		})
	})
}

func (s *stubborn) Documents(ctx context.Context, workspace string, keys []sync.Key) ([]sync.Version, error) {
	return again(ctx, func() ([]sync.Version, error) { return s.inner.Documents(ctx, workspace, keys) })
}

func (s *stubborn) Outcomes(ctx context.Context, workspace string, ids []uuid.UUID) ([]sync.OutcomeRef, error) {
	return again(ctx, func() ([]sync.OutcomeRef, error) { return s.inner.Outcomes(ctx, workspace, ids) })
}

func (s *stubborn) Revisions(ctx context.Context, workspace string, head uint64, key sync.Key, before uint64, limit int) ([]uint64, error) {
	return again(ctx, func() ([]uint64, error) { return s.inner.Revisions(ctx, workspace, head, key, before, limit) })
}

func (s *stubborn) List(ctx context.Context, workspace string, head uint64, q sync.Query) (sync.Listing, error) {
	return again(ctx, func() (sync.Listing, error) { return s.inner.List(ctx, workspace, head, q) })
}

func (s *stubborn) SaveCheckpoint(ctx context.Context, workspace string, head sync.Head, chunks [][]byte) error {
	return s.do(ctx, func() error { return s.inner.SaveCheckpoint(ctx, workspace, head, chunks) })
}

func (s *stubborn) LoadCheckpoint(ctx context.Context, workspace string) (head sync.Head, chunks [][]byte, err error) {
	err = s.do(ctx, func() error {
		head, chunks, err = s.inner.LoadCheckpoint(ctx, workspace)
		return err
	})
	return head, chunks, err
}

func (s *stubborn) SaveNotes(ctx context.Context, workspace string, notes map[string][]byte) error {
	return s.do(ctx, func() error { return s.inner.SaveNotes(ctx, workspace, notes) })
}

func (s *stubborn) Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error) {
	return again(ctx, func() (map[string][]byte, error) { return s.inner.Notes(ctx, workspace, prefix) })
}

// Promote may find that it had happened when it was not answered.
func (s *stubborn) Promote(ctx context.Context, name, workspace string, was sync.Head) error {
	promised, err := s.Head(ctx, name)
	if err != nil {
		return err
	}
	tries := 0
	return s.do(ctx, func() error {
		tries++
		err := s.inner.Promote(ctx, name, workspace, was)
		if tries == 1 || !errors.Is(err, sync.ErrMissing) {
			return err
		}
		if head, unread := s.inner.Head(ctx, workspace); unread != nil || head == promised {
			return unread
		}
		return err
	})
}

func (s *stubborn) Drop(ctx context.Context, name string) error {
	return s.do(ctx, func() error { return s.inner.Drop(ctx, name) })
}

func (s *stubborn) Close() error { return s.inner.Close() }

// shortly has every call of a store given up after a moment.
const shortly = "&timeoutMS=500"

// doubtful opens a store over a proxy, with a first commit, and lets it append
// a second one in a trouble in which nobody can know whether it is there.
func doubtful(t *testing.T, trouble faultnet.Trouble) (p *faultnet.Proxy, uri string, s *Store, second *sync.Commit) {
	t.Helper()
	p = faultnet.New(t, 1, mongotest.Primary(t))
	uri = mongotest.Database(t)
	s = open(t, mongotest.Through(uri, p.Address())+shortly, noKinds(t))
	t.Cleanup(func() { closes(t, s) })
	first := following(sync.Head{})
	appends(t, s, first)
	second = following(sync.Head{Number: 1, Hash: first.Hash})
	p.Set(trouble)
	if err := s.Append(t.Context(), "w", []*sync.Commit{second}); !errors.Is(err, sync.ErrUnknownOutcome) {
		t.Fatalf("an append without an answer gives %v", err)
	}
	return p, uri, s, second
}

// An append whose answer was lost has happened; one whose request was lost has
// not. Repeated when the network is back, either is there once.
func TestAppendUnanswered(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]faultnet.Trouble{
		"request lost": {Requests: faultnet.Lose},
		"answer lost":  {Answers: faultnet.Lose},
		"request late": {Requests: faultnet.Hold},
		"answer late":  {Answers: faultnet.Hold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, uri, s, second := doubtful(t, trouble)
			p.Heal()
			steady := &stubborn{s}
			appends(t, steady, second)
			appends(t, steady, following(sync.Head{Number: 2, Hash: second.Hash}))
			isJournal(t, uri, 3)
		})
	}
}

// An append that comes late, when another process has gone on, changes nothing.
func TestAppendTooLate(t *testing.T) {
	t.Parallel()
	p, uri, s, late := doubtful(t, faultnet.Trouble{Requests: faultnet.Hold})
	other := open(t, uri, noKinds(t))
	defer closes(t, other)
	rival := following(sync.Head{Number: 1, Hash: late.Prev})
	appends(t, other, rival)
	p.Heal()
	if err := (&stubborn{s}).Append(t.Context(), "w", []*sync.Commit{late}); !errors.Is(err, sync.ErrConflict) {
		t.Errorf("the late append gives %v", err)
	}
	appends(t, other, following(sync.Head{Number: 2, Hash: rival.Hash}))
	isJournal(t, uri, 3)
}

// A store that cannot reach its database says so in time, and goes on when it can.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	p := faultnet.New(t, 1, mongotest.Primary(t))
	s := open(t, mongotest.Through(mongotest.Database(t), p.Address())+shortly, noKinds(t))
	defer closes(t, s)
	first := following(sync.Head{})
	appends(t, s, first)
	p.Set(faultnet.Trouble{Refuse: true})
	p.Cut(faultnet.Finish)
	if head, err := s.Head(t.Context(), "w"); err == nil {
		t.Errorf("it knows the head, %d, of a database it does not reach", head.Number)
	}
	p.Heal()
	if head, err := (&stubborn{s}).Head(t.Context(), "w"); err != nil || head.Hash != first.Hash {
		t.Errorf("when it is back the head is %+v, %v", head, err)
	}
}

func noKinds(t *testing.T) *sync.Registry {
	t.Helper()
	r, err := sync.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func following(head sync.Head) *sync.Commit {
	c := &sync.Commit{Number: head.Number + 1, Prev: head.Hash, Nonce: uuid.New()}
	c.Seal()
	return c
}

func appends(t *testing.T, s sync.Store, c *sync.Commit) {
	t.Helper()
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatalf("append commit %d: %v", c.Number, err)
	}
}

func closes(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// isJournal expects so many commits, as a process reads them that has not
// been there before. Journal sees to it that they follow one another.
func isJournal(t *testing.T, uri string, commits uint64) {
	t.Helper()
	s := open(t, uri, noKinds(t))
	defer closes(t, s)
	read := uint64(0)
	err := s.Journal(t.Context(), "w", 1, 0, func(c *sync.Commit) error {
		read++
		return nil
	})
	if err != nil || read != commits {
		t.Errorf("%d commits are read, %v", read, err)
	}
}
