package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Backup writes all workspaces of a store to w, each as of its head when it
// began, while others may write to them. now is the time to note in the file.
// What it wrote before an error is not a backup, and Restore refuses it.
func Backup(ctx context.Context, from Source, w io.Writer, now time.Time) (*Contents, error) {
	notes, contents, err := survey(ctx, from, now)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	e, err := newEncoder(w)
	if err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	list, err := contents.encode()
	if err != nil {
		return nil, fmt.Errorf("write the list of contents: %w", err)
	}
	err = e.record(kindContents, list)
	for i := 0; i < len(contents.Workspaces) && err == nil; i++ {
		entry := contents.Workspaces[i]
		if err = e.workspace(ctx, from, entry, notes[i]); err != nil {
			err = fmt.Errorf("workspace %s: %w", entry.Name, err)
		}
	}
	if err == nil {
		err = e.finish()
	}
	if err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	return contents, nil
}

// survey reads what each workspace has at this moment. Notes come first: they
// tell how far followers are, which must not be further than the journal.
func survey(ctx context.Context, from Source, now time.Time) ([]map[string][]byte, *Contents, error) {
	names, err := from.Workspaces(ctx)
	if err != nil {
		return nil, nil, err
	}
	var all []map[string][]byte
	contents := &Contents{Made: now}
	for _, name := range names {
		notes, err := from.Notes(ctx, name, "")
		if err != nil {
			return nil, nil, err
		}
		head, err := from.Head(ctx, name)
		if err != nil {
			return nil, nil, fmt.Errorf("read the head of %s: %w", name, err)
		}
		all = append(all, notes)
		contents.Workspaces = append(contents.Workspaces, Workspace{name, head})
	}
	if len(names) == 0 {
		return nil, nil, ErrEmpty
	}
	return all, contents, nil
}

// workspace writes one: notes and the journal up to the head.
func (e *encoder) workspace(ctx context.Context, from Source, w Workspace, notes map[string][]byte) error {
	for _, key := range slices.Sorted(maps.Keys(notes)) {
		if err := e.record(kindNote, encodeNote(key, notes[key])); err != nil {
			return err
		}
	}
	var at sync.Head
	err := from.Journal(ctx, w.Name, 1, w.Head.Number, func(c *sync.Commit) error {
		content := c.Encode()
		if !c.Follows(at) || sync.HashOf(c.Prev, content) != c.Hash {
			return fmt.Errorf("commit %d does not follow from what is before it: %w", c.Number, sync.ErrDamaged)
		}
		at = sync.Head{Number: c.Number, Hash: c.Hash}
		return e.record(kindCommit, content)
	})
	if err != nil {
		return err
	}
	if at.Number != w.Head.Number || at.Hash != w.Head.Hash {
		return fmt.Errorf("the journal ends at commit %d, its head was %d: %w", at.Number, w.Head.Number, sync.ErrDamaged)
	}
	return e.record(kindDone, nil)
}

// BackupFile writes a backup to a new file of its own. The name is taken only
// when all is on the disk; before that, the file stands beside it under a name
// that ends in ".partial", and is removed if something fails.
func BackupFile(ctx context.Context, from Source, path string, now time.Time) (*Contents, error) {
	if err := vacant(path); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial") // for the owner only
	if err != nil {
		return nil, fmt.Errorf("make the backup: %w", err)
	}
	contents, err := writeFile(ctx, from, f, now)
	if err == nil {
		err = vacant(path) // still
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("the backup is written, but its name may be lost if the power fails: %w", err)
	}
	return contents, nil
}

func vacant(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("back up to %s: %w", path, fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("back up: %w", err)
}

// writeFile writes a backup, waits for the disk, and closes.
func writeFile(ctx context.Context, from Source, f *os.File, now time.Time) (*Contents, error) {
	out := bufio.NewWriterSize(f, 1<<18)
	contents, err := Backup(ctx, from, out, now)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return contents, nil
}

// syncFolder waits until the names in a folder are on the disk.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
