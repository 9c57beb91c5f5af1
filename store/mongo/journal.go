package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/enroute-field/enroute/sync"
)

var _ sync.Store = (*Store)(nil)

// in calls f with the history of a workspace, unless it has none.
func (s *Store) in(ctx context.Context, workspace string, f func(history string) error) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	h, err := s.names.find(ctx, workspace)
	if err != nil || h == "" {
		return err
	}
	err = f(h)
	if errors.Is(err, errGone) {
		s.names.forget(workspace)
	}
	return err
}

// Workspaces implements sync.Store.
func (s *Store) Workspaces(ctx context.Context) ([]string, error) {
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	var out []string
	err := s.names.all(ctx, func(rows []named) error {
		begun, err := s.journal.begun(ctx, rows)
		if err != nil {
			return fmt.Errorf("list workspaces: %w", err)
		}
		for _, r := range rows {
			if begun[r.History] && !sync.IsStaged(r.Name) {
				out = append(out, r.Name)
			}
		}
		return nil
	})
	return out, err
}

// begun says which of the histories have a first commit.
func (j *journal) begun(ctx context.Context, rows []named) (map[string]bool, error) {
	firsts := make([]place, len(rows))
	for i, r := range rows {
		firsts[i] = place{r.History, 1}
	}
	found, err := findAll[segment](ctx, j.db, query{
		from: j.segments.Name(), filter: byID(bson.D{{Key: "$in", Value: firsts}}), fields: only("last"),
	})
	begun := make(map[string]bool, len(found))
	for _, s := range found {
		begun[s.ID.History] = s.Last > 0
	}
	return begun, err
}

// Head implements sync.Store. It asks anew which history the name stands for,
// since this is how its users learn that it is another one.
func (s *Store) Head(ctx context.Context, workspace string) (head sync.Head, err error) {
	if err := s.gate.enter(); err != nil {
		return head, err
	}
	defer s.gate.leave()
	h, err := s.names.read(ctx, workspace)
	if err != nil || h == "" {
		return head, err
	}
	if head, err = s.journal.newest(ctx, h); err != nil {
		return head, fmt.Errorf("read head of %s: %w", workspace, err)
	}
	return head, nil
}

// Journal implements sync.Store.
func (s *Store) Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error {
	return s.in(ctx, workspace, func(history string) (err error) {
		if to == 0 {
			if to, err = s.journal.head(ctx, history); err != nil || to == 0 {
				return err
			}
		}
		return s.journal.commits(ctx, history, from, to, func(c *sync.Commit) error {
			select {
			case <-s.gate.closing:
				return ErrClosed
			default:
				return yield(c)
			}
		})
	})
}

// Documents implements sync.Store.
func (s *Store) Documents(ctx context.Context, workspace string, keys []sync.Key) (found []sync.Version, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	err = s.in(ctx, workspace, func(history string) error {
		found, err = s.projections.documents(ctx, history, keys)
		return err
	})
	return found, err
}

// Revisions implements sync.Store.
func (s *Store) Revisions(ctx context.Context, workspace string, head uint64, key sync.Key, before uint64, limit int) (found []uint64, err error) {
	err = s.in(ctx, workspace, func(history string) error {
		found, err = s.projections.revisions(ctx, history, head, key, before, limit)
		return err
	})
	return found, err
}

// List implements sync.Store.
func (s *Store) List(ctx context.Context, workspace string, head uint64, q sync.Query) (listing sync.Listing, err error) {
	err = s.in(ctx, workspace, func(history string) error {
		listing, err = s.projections.list(ctx, history, head, q)
		return err
	})
	return listing, err
}
