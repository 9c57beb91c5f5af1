// Package archive takes workspaces out of a store and puts them into one: into
// a file and back (Backup, Restore), or straight into another store (Copy).
//
// What is taken is the journal and the notes beside it; all else is read off
// the journal and made anew. What is put goes into a staged history first,
// under a hidden name, and becomes a workspace only when it is whole, so a run
// that ends in the middle has changed nothing, and can be repeated.
package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Errors of what is wrong with a file or a store.
var (
	// ErrNotBackup: the file was not written by Backup.
	ErrNotBackup = errors.New("this is not a backup of Enroute")
	// ErrVersion: another version of the program wrote the file.
	ErrVersion = errors.New("the backup has a format that this program does not know")
	// ErrDamaged: the file is not what Backup wrote, or ends too early.
	ErrDamaged = errors.New("the backup is damaged or not whole")
	// ErrEmpty: the store has no workspace, so there is nothing to take.
	ErrEmpty = errors.New("there is no workspace")
	// ErrMoved: somebody wrote to a workspace that had to stay as it was.
	ErrMoved = errors.New("the workspace was written to meanwhile")
)

// ExistsError refuses to replace workspaces.
type ExistsError struct{ Workspaces []string }

func (e *ExistsError) Error() string {
	return "there already is a workspace " + strings.Join(e.Workspaces, ", ")
}

// Source is what is read of a store.
type Source interface {
	Workspaces(ctx context.Context) ([]string, error)
	Head(ctx context.Context, workspace string) (sync.Head, error)
	Journal(ctx context.Context, workspace string, from, to uint64, yield func(*sync.Commit) error) error
	Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error)
}

// Contents says what a backup holds.
type Contents struct {
	Made       time.Time // by the clock of the machine that made it
	Workspaces []Workspace
}

// Workspace is one of them, as of a head.
type Workspace struct {
	Name string
	Head sync.Head
}

// find the workspace of a name; false if there is none.
func (c *Contents) find(name string) (Workspace, bool) {
	for _, w := range c.Workspaces {
		if w.Name == name {
			return w, true
		}
	}
	return Workspace{}, false
}

// check what the first record of a file claims.
func (c *Contents) check() error {
	seen := map[string]bool{}
	for _, w := range c.Workspaces {
		if !sync.IsWorkspaceName(w.Name) || seen[w.Name] || w.Head.Number == 0 {
			return fmt.Errorf("workspace %q in the list of contents: %w", w.Name, ErrDamaged)
		}
		seen[w.Name] = true
	}
	if len(seen) == 0 {
		return fmt.Errorf("a list of contents without any: %w", ErrDamaged)
	}
	return nil
}
