// Package faultdisk is a disk for SQLite files that goes wrong. It stands
// between SQLite and the system's files as a VFS: it makes writes and syncs
// fail as a test tells it, and it keeps a log of what was written and synced,
// from which Replay makes the files that a power cut at any moment could have
// left.
package faultdisk

import (
	"fmt"
	"os"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// Kind of an operation.
type Kind int

// The kinds. Open and Read are only put to the Fault: they leave no trace.
const (
	Found      Kind = iota // a file that was there before; Data is its content
	Create                 // a new, empty file
	Write                  // Data at Offset
	Truncate               // to Offset bytes
	Sync                   // of the file
	SyncFailed             // of the file; what it was to bring to the disk is in doubt
	SyncFolder             // that the file is in
	Delete
	Open
	Read
)

// Op is one operation on a file.
type Op struct {
	Kind   Kind
	Path   string
	Offset int64
	Data   []byte
}

// Result codes that a Fault gives.
const (
	OK       = sqlite3.SQLITE_OK
	Full     = sqlite3.SQLITE_FULL        // no space is left; half of a write is made
	NoWrite  = sqlite3.SQLITE_IOERR_WRITE // input/output error
	NoSync   = sqlite3.SQLITE_IOERR_FSYNC
	NoRead   = sqlite3.SQLITE_IOERR_READ
	ReadOnly = sqlite3.SQLITE_READONLY // the file system was remounted
	NoOpen   = sqlite3.SQLITE_CANTOPEN
)

// Fault decides about an operation before it is made: OK, or the code with
// which it fails. Calls come from many goroutines, one at a time.
type Fault func(Op) int32

// Disk is a VFS of its own name. Files opened through it are the system's.
type Disk struct {
	name string
	vfs  *shim

	mu    sync.Mutex
	fault Fault
	files map[uintptr]*file // open ones, by SQLite's handle
	known map[string]bool   // paths that the log has as existing
	log   []Op
	plain bool // keeps no log
}

// file is an open file.
type file struct {
	path string
	// folder is set while the first sync will sync the folder too, as SQLite
	// does for journals that it has made.
	folder bool
}

// New registers a disk. Give its Name to what opens a file, and Close it
// after the last file is closed.
func New() (*Disk, error) { return register(false) }

// NewDefault registers a disk through which the process opens every file that
// names no other, for programs that are run whole. It keeps no log. The
// caller holds on to it (runtime.KeepAlive): SQLite's tables do not.
func NewDefault(f Fault) (*Disk, error) {
	d, err := register(true)
	if err == nil {
		d.Fail(f)
	}
	return d, err
}

func register(asDefault bool) (*Disk, error) {
	d := &Disk{files: map[uintptr]*file{}, known: map[string]bool{}, plain: asDefault}
	d.name = fmt.Sprintf("faultdisk-%p", d)
	var err error
	if d.vfs, err = newShim(d, asDefault); err != nil {
		return nil, fmt.Errorf("register the disk: %w", err)
	}
	return d, nil
}

// Name of the VFS.
func (d *Disk) Name() string { return d.name }

// Close takes the disk away again.
func (d *Disk) Close() error {
	d.mu.Lock()
	open := len(d.files)
	d.mu.Unlock()
	if open > 0 {
		return fmt.Errorf("close the disk: %d files are open", open)
	}
	d.vfs.close()
	return nil
}

// Fail sets what fails from now on; nil: nothing.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Now is how many operations have been made: what is true now is true of
// every replay up to this number or further.
func (d *Disk) Now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// Log gives the operations so far.
func (d *Disk) Log() []Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log[:len(d.log):len(d.log)]
}

// verdict of the fault on an operation; the caller holds mu.
func (d *Disk) verdict(op Op) int32 {
	if d.fault == nil {
		return OK
	}
	return d.fault(op)
}

// note an operation that was made; the caller holds mu.
func (d *Disk) note(op Op) {
	if !d.plain {
		d.log = append(d.log, op)
	}
}

// wantOpen asks the fault, and tells whether the file is there already.
func (d *Disk) wantOpen(path string) (exists bool, code int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := os.Lstat(path)
	return err == nil, d.verdict(Op{Kind: Open, Path: path})
}

// opened hears of a file. The system's own view of one that is not known yet
// is read before SQLite holds locks on it, which closing it would drop.
func (d *Disk) opened(handle uintptr, path string, existed, journal bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[handle] = &file{path: path, folder: journal && !existed}
	if d.known[path] || d.plain {
		return
	}
	d.known[path] = true
	content, err := os.ReadFile(path)
	if existed && err == nil && len(content) > 0 {
		d.note(Op{Kind: Found, Path: path, Data: content})
		return
	}
	d.note(Op{Kind: Create, Path: path})
}

func (d *Disk) closed(handle uintptr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, handle)
}

// read asks the fault.
func (d *Disk) read(handle uintptr, offset int64) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == nil {
		return OK
	}
	return d.fault(Op{Kind: Read, Path: d.files[handle].path, Offset: offset})
}

// write makes a write, or half of one when the disk is full.
func (d *Disk) write(handle uintptr, data []byte, offset int64, do func(n int) int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	op := Op{Kind: Write, Path: d.files[handle].path, Offset: offset, Data: data}
	code := d.verdict(op)
	switch code {
	case OK:
	case Full:
		op.Data = data[:len(data)/2]
	default:
		return code
	}
	if made := do(len(op.Data)); made != OK {
		return made
	}
	op.Data = append([]byte(nil), op.Data...)
	d.note(op)
	return code
}

// change makes an operation that has no data.
func (d *Disk) change(handle uintptr, kind Kind, offset int64, do func() int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[handle]
	op := Op{Kind: kind, Path: f.path, Offset: offset}
	if code := d.verdict(op); code != OK {
		if kind == Sync {
			d.note(Op{Kind: SyncFailed, Path: f.path})
		}
		return code
	}
	code := do()
	if code != OK {
		return code
	}
	d.note(op)
	if kind == Sync && f.folder {
		f.folder = false
		d.note(Op{Kind: SyncFolder, Path: f.path})
	}
	return code
}

// remove a file.
func (d *Disk) remove(path string, folder bool, do func() int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if code := d.verdict(Op{Kind: Delete, Path: path}); code != OK {
		return code
	}
	code := do()
	if code != OK || !d.known[path] {
		return code
	}
	delete(d.known, path)
	d.note(Op{Kind: Delete, Path: path})
	if folder {
		d.note(Op{Kind: SyncFolder, Path: path})
	}
	return code
}
