package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// RestoreOptions say what to restore, and over what.
type RestoreOptions struct {
	Only    string    // the one workspace to restore; "": all
	Replace bool      // also workspaces that exist; what they hold is gone then
	Now     time.Time // of the commit that tells of the restore
}

// restorePrefix begins the names under which restored histories are staged.
const restorePrefix = sync.StagedPrefix + "restore/"

// Restored is what Restore did.
type Restored struct {
	Made       time.Time // the backup
	Workspaces []RestoredWorkspace
}

// RestoredWorkspace is one of them.
type RestoredWorkspace struct {
	Workspace           // as of the backup
	Was       sync.Head // what it replaced; the zero Head: nothing
	Already   bool      // an earlier run had restored it, and nothing has come since
}

// errCompleted: an earlier run with another backup had ended half way.
var errCompleted = errors.New("an earlier restore that had been broken off was completed; run this again to replace what it restored")

// Restore puts the workspaces of a backup into a store. Each gets a further
// commit that begins a new epoch, so that devices notice. Nobody may serve
// these workspaces meanwhile. Nothing is changed until the whole backup has
// been read and found good; then the workspaces take their places one by one.
// A run that ended anywhere can be repeated: what it had completed is left as
// it is.
//
// Errors are ErrNotBackup, ErrVersion, ErrDamaged, ErrMoved, ErrEmpty for a
// workspace that is not in the backup, *ExistsError, and those of the store.
func Restore(ctx context.Context, store sync.Store, r io.Reader, o RestoreOptions) (*Restored, error) {
	rs := &restoring{store: store, o: o, out: &Restored{}}
	_, err := read(ctx, r, func(c *Contents) (sink, error) { return rs, rs.plan(ctx, c) })
	if err == nil {
		err = rs.promote(ctx)
	} else {
		err = errors.Join(err, rs.giveUp(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return rs.out, nil
}

// restoring is one run.
type restoring struct {
	store  sync.Store
	o      RestoreOptions
	out    *Restored
	stages []*restage // of out.Workspaces
	now    *restage   // the one that is filled; nil: it is passed over
}

// restage is a staged history that becomes a workspace.
type restage struct {
	stage
	workspace *RestoredWorkspace
	whole     bool // an earlier run has filled it
}

// plan what to do with each workspace, and refuse what must not be done.
func (rs *restoring) plan(ctx context.Context, c *Contents) error {
	wanted := c.Workspaces
	if rs.o.Only != "" {
		w, ok := c.find(rs.o.Only)
		if !ok {
			return fmt.Errorf("workspace %s is not in the backup: %w", rs.o.Only, ErrEmpty)
		}
		wanted = []Workspace{w}
	}
	rs.out.Made = c.Made
	exists := &ExistsError{}
	for _, w := range wanted {
		next := RestoredWorkspace{Workspace: w}
		var err error
		if next.Was, err = rs.store.Head(ctx, w.Name); err != nil {
			return err
		}
		if next.Already, err = rs.restores(ctx, w, w.Name, next.Was); err != nil {
			return err
		}
		if next.Was.Number > 0 && !next.Already && !rs.o.Replace {
			exists.Workspaces = append(exists.Workspaces, w.Name)
		}
		rs.out.Workspaces = append(rs.out.Workspaces, next)
	}
	if len(exists.Workspaces) > 0 {
		return exists
	}
	return rs.prepare(ctx)
}

// restores says whether a history, whose head is this, is what restoring the
// workspace makes: the journal of the backup, and the commit of a restore.
func (rs *restoring) restores(ctx context.Context, w Workspace, name string, head sync.Head) (is bool, err error) {
	if head.Number != w.Head.Number+1 {
		return false, nil
	}
	err = rs.store.Journal(ctx, name, head.Number, head.Number, func(c *sync.Commit) error {
		is = c.Prev == w.Head.Hash && c.BeginsEpoch()
		return nil
	})
	return is, err
}

// prepare the stages: what an earlier run has filled is of use if it is whole.
func (rs *restoring) prepare(ctx context.Context) error {
	for i := range rs.out.Workspaces {
		w := &rs.out.Workspaces[i]
		s := &restage{stage: stage{store: rs.store, name: restorePrefix + w.Name}, workspace: w}
		if w.Already {
			if err := s.complete(ctx, w.Name, w.Was); err != nil {
				return err
			}
			continue
		}
		head, err := rs.store.Head(ctx, s.name)
		if err != nil {
			return err
		}
		if s.whole, err = rs.restores(ctx, w.Workspace, s.name, head); err != nil {
			return err
		}
		if s.whole {
			s.head = head
		} else if err := rs.clear(ctx, s); err != nil {
			return err
		}
		rs.stages = append(rs.stages, s)
	}
	return nil
}

// clear removes what an earlier run has staged of another backup, or in part.
func (rs *restoring) clear(ctx context.Context, s *restage) error {
	err := settle(ctx, func() error { return rs.store.Drop(ctx, s.name) })
	if !errors.Is(err, sync.ErrConflict) {
		return err
	}
	if err := settle(ctx, func() error { return rs.store.Promote(ctx, s.name, s.workspace.Name, s.workspace.Was) }); err != nil {
		return err
	}
	return errCompleted
}

func (rs *restoring) begin(_ context.Context, w Workspace) error {
	rs.now = nil
	for _, s := range rs.stages {
		if s.workspace.Name == w.Name && !s.whole {
			rs.now = s
			s.notes = map[string][]byte{}
		}
	}
	return nil
}

func (rs *restoring) note(_ context.Context, key string, value []byte) error {
	if rs.now != nil {
		rs.now.notes[key] = value
	}
	return nil
}

func (rs *restoring) commit(ctx context.Context, c *sync.Commit) error {
	if rs.now == nil {
		return nil
	}
	return rs.now.add(ctx, c)
}

// done comes last to the commit that tells of the restore: a history that ends
// with it is whole, and has its notes.
func (rs *restoring) done(ctx context.Context) error {
	s := rs.now
	if s == nil {
		return nil
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	if err := s.saveNotes(ctx, s.notes); err != nil {
		return err
	}
	if err := s.add(ctx, sync.RestoredCommit(s.head, rs.o.Now)); err != nil {
		return err
	}
	return s.flush(ctx)
}

// promote all. What an error leaves staged is whole, and the next run goes on
// with it; it must not be dropped, since its promotion may be half way.
func (rs *restoring) promote(ctx context.Context) error {
	for _, s := range rs.stages {
		if err := s.promote(ctx, s.workspace.Name, s.workspace.Was); err != nil {
			return err
		}
	}
	return nil
}

// cleanupTime is for removing what was staged when ctx is done already.
const cleanupTime = time.Minute

// giveUp removes what is staged. What cannot be removed the next run removes.
func (rs *restoring) giveUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var errs []error
	for _, s := range rs.stages {
		if !s.whole {
			errs = append(errs, rs.store.Drop(ctx, s.name))
		}
	}
	return errors.Join(errs...)
}
