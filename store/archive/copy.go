package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/enroute-field/enroute/sync"
)

// migratePrefix begins the names under which copied histories are staged.
const migratePrefix = sync.StagedPrefix + "migrate/"

// Check compares what a store holds under a name with its journal, before it
// becomes a workspace.
type Check func(ctx context.Context, staged string) error

// Copied is what Copy did with a workspace.
type Copied struct {
	Workspace
	Already bool // it was there, and the same
}

// Copy takes all workspaces of a store, which nobody may serve meanwhile, into
// another: journals and notes, so that devices go on with their cursors. Each
// is copied to a staged history, read back and compared, given to check, and
// then takes its place. A run that ended anywhere goes on when it is repeated.
// told hears of each workspace.
//
// It refuses, with *ExistsError, a store that has one of these workspaces with
// another journal, and with ErrMoved a source that somebody writes to.
func Copy(ctx context.Context, from Source, to sync.Store, check Check, told func(Copied)) error {
	c := &copying{from: from, to: to, check: check, told: told}
	names, err := from.Workspaces(ctx)
	if err == nil && len(names) == 0 {
		err = ErrEmpty
	}
	if err == nil {
		err = c.refuse(ctx, names)
	}
	for i := 0; i < len(names) && err == nil; i++ {
		if err = c.workspace(ctx, names[i]); err != nil {
			err = fmt.Errorf("workspace %s: %w", names[i], err)
		}
	}
	if err == nil {
		err = c.unmoved(ctx, names)
	}
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	return nil
}

// copying is one run.
type copying struct {
	from  Source
	to    sync.Store
	check Check
	told  func(Copied)
	heads []sync.Head // that were copied
}

// refuse a target that has something else under one of the names.
func (c *copying) refuse(ctx context.Context, names []string) error {
	exists := &ExistsError{}
	for _, name := range names {
		head, err := c.from.Head(ctx, name)
		if err != nil {
			return err
		}
		there, err := c.to.Head(ctx, name)
		if err != nil {
			return err
		}
		if there.Number != 0 && !sameHead(there, head) {
			exists.Workspaces = append(exists.Workspaces, name)
		}
	}
	if len(exists.Workspaces) > 0 {
		return exists
	}
	return nil
}

func sameHead(a, b sync.Head) bool { return a.Number == b.Number && a.Hash == b.Hash }

func (c *copying) workspace(ctx context.Context, name string) error {
	notes, err := c.from.Notes(ctx, name, "")
	if err != nil {
		return err
	}
	head, err := c.from.Head(ctx, name)
	if err != nil {
		return err
	}
	there, err := c.to.Head(ctx, name)
	if err != nil {
		return err
	}
	s := &stage{store: c.to, name: migratePrefix + name}
	if there.Number != 0 && sameHead(there, head) {
		c.heads = append(c.heads, head)
		c.told(Copied{Workspace{name, head}, true})
		return s.complete(ctx, name, head)
	}
	if err := c.fill(ctx, s, name, head); err != nil {
		return err
	}
	if err := s.saveNotes(ctx, notes); err != nil {
		return err
	}
	if err := c.compare(ctx, s, name, head); err != nil {
		return err
	}
	if now, err := c.from.Head(ctx, name); err != nil || !sameHead(now, head) {
		return cmp.Or(err, ErrMoved)
	}
	if err := s.promote(ctx, name, sync.Head{}); err != nil {
		return err
	}
	c.heads = append(c.heads, head)
	c.told(Copied{Workspace{name, head}, false})
	return nil
}

// fill a stage with the journal up to a head, from where an earlier run ended.
func (c *copying) fill(ctx context.Context, s *stage, name string, head sync.Head) error {
	if err := c.resume(ctx, s, name); err != nil {
		return err
	}
	err := c.from.Journal(ctx, name, s.head.Number+1, head.Number, func(commit *sync.Commit) error { return s.add(ctx, commit) })
	if err == nil {
		err = s.flush(ctx)
	}
	if err == nil && !sameHead(s.head, head) {
		err = ErrMoved
	}
	return err
}

// resume finds out how far an earlier run came. What is staged is of use if
// its head is a commit of this journal, since a hash covers all before it.
func (c *copying) resume(ctx context.Context, s *stage, name string) error {
	head, err := c.to.Head(ctx, s.name)
	if err != nil || head.Number == 0 {
		return err
	}
	ours := false
	err = c.from.Journal(ctx, name, head.Number, head.Number, func(commit *sync.Commit) error {
		ours = commit.Number == head.Number && commit.Hash == head.Hash
		return nil
	})
	if err != nil {
		return err
	}
	if ours {
		s.head = head
		return nil
	}
	return settle(ctx, func() error { return c.to.Drop(ctx, s.name) })
}

// compare what stands in the target with the source: the chain, read back and
// hashed anew, and whatever check compares.
func (c *copying) compare(ctx context.Context, s *stage, name string, head sync.Head) error {
	var at sync.Head
	err := c.to.Journal(ctx, s.name, 1, 0, func(commit *sync.Commit) error {
		if commit.Number != at.Number+1 || sync.HashOf(at.Hash, commit.Encode()) != commit.Hash {
			return fmt.Errorf("commit %d, as it was copied: %w", commit.Number, sync.ErrDamaged)
		}
		at = sync.Head{Number: commit.Number, Hash: commit.Hash}
		return nil
	})
	if err != nil {
		return err
	}
	if !sameHead(at, head) {
		return fmt.Errorf("the copy ends at commit %d, the journal at %d: %w", at.Number, head.Number, sync.ErrDamaged)
	}
	if err := c.check(ctx, s.name); err != nil {
		return fmt.Errorf("the copy of %s: %w", name, err)
	}
	return nil
}

// unmoved sees to it that the source is as it was.
func (c *copying) unmoved(ctx context.Context, names []string) error {
	now, err := c.from.Workspaces(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(now, names) {
		return fmt.Errorf("a workspace has come or gone: %w", ErrMoved)
	}
	for i, name := range names {
		if head, err := c.from.Head(ctx, name); err != nil || !sameHead(head, c.heads[i]) {
			return fmt.Errorf("workspace %s: %w", name, cmp.Or(err, ErrMoved))
		}
	}
	return nil
}
