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
			p.Set(faultnet.Trouble{Cut: 0.004})
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

// A store that cannot reach its database says so in time, and goes on when it can.
func TestCutOffAndBack(t *testing.T) {
	t.Parallel()
	p := faultnet.New(t, 1, mongotest.Primary(t))
	s := opened(t, mongotest.Through(mongotest.Database(t), p.Address())+"&timeoutMS=500")
	first, _ := add(t, s, "w", sync.Head{}, 1)
	p.Set(faultnet.Trouble{Refuse: true})
	p.Cut(faultnet.Finish)
	if head, err := s.Head(t.Context(), "w"); err == nil {
		t.Errorf("it knows the head, %d, of a database it does not reach", head.Number)
	}
	p.Heal()
	if head, err := (&stubborn{s}).Head(t.Context(), "w"); err != nil || head != first {
		t.Errorf("when it is back the head is %+v, %v", head, err)
	}
}
