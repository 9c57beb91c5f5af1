// Package sqlite keeps journals and what is read off them in SQLite. It is the
// store of an installation that runs on one machine and needs no other service.
//
// The data file has one writing connection. Appends of all workspaces that
// wait at the same moment are gathered into one transaction, which SQLite has
// synced to the disk when it returns. That transaction holds the journal, the
// current documents and the outcomes of mutations; what lists and histories
// need is projected afterwards, in the background, and brought up to date by
// the query that needs it. Projections lie in a file of their own, with its own
// writing connection, so that no append waits for them; the file may be lost
// or left out of a backup, since it is made anew from the journal.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	stdsync "sync"

	"github.com/enroute-field/enroute/sync"
)

// Errors of opening a file.
var (
	// ErrInUse: another process serves from this file.
	ErrInUse = errors.New("the data file is in use by another process")
	// ErrNewer: a later version of the program wrote this file.
	ErrNewer = errors.New("the data file was written by a newer version")
	// ErrOlder: an earlier version of the program wrote this file, and opening
	// it to read only does not change it.
	ErrOlder = errors.New("the data file was written by an older version; start the server once, and it is brought up to date")
	// ErrForeign: the file is a database of some other program.
	ErrForeign = errors.New("the data file is not one of Enroute")
)

// ErrClosed is the error of an append to a closed store.
var ErrClosed = errors.New("the store is closed")

var _ sync.Store = (*Store)(nil)

// Options of a store; the zero Options are good.
type Options struct {
	Logger    *slog.Logger // nil: logs nothing
	ReadConns int          // how many queries run at once; 0: 4
	// Failed is called when nothing can be written any more until the process
	// has been started again; nil: nobody is told.
	Failed func(error)
	VFS    string // SQLite's name of what the file is on, for tests with bad disks; "": the system's files
}

// Store is a data file, and the file of its lists, as a sync.Store.
type Store struct {
	lock      io.Closer
	writer    *writer
	lists     *sql.DB // writes the projections
	reader    *reader
	appender  *appender
	projector *projector
	index     sync.Indexer
	saving    chan struct{} // holds one token: who saves a checkpoint takes it
	close     func() error  // closes once
}

// Open opens the file at path, or makes it, brings it to the present schema
// and starts projecting with idx. Nobody else may have it open: ErrInUse.
func Open(ctx context.Context, path string, idx sync.Indexer, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Failed == nil {
		opts.Failed = func(error) {}
	}
	if opts.ReadConns == 0 {
		opts.ReadConns = 4
	}
	lock, err := lockFile(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock, index: idx, saving: make(chan struct{}, 1)}
	s.close = stdsync.OnceValue(s.release)
	if err := s.start(ctx, path, opts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, path string, opts Options) (err error) {
	ctx = context.WithoutCancel(ctx) // what is started here ends by Close
	if s.writer, err = openWriter(ctx, path, opts); err != nil {
		return err
	}
	if s.lists, err = openLists(ctx, listsPath(path), opts.VFS, s.writer.db, s.index, opts.Logger); err != nil {
		return err
	}
	if s.reader, err = openReader(ctx, path, opts.VFS, opts.ReadConns); err != nil {
		return err
	}
	if s.projector, err = startProjector(ctx, s.lists, s.reader, s.index, opts.Logger); err != nil {
		return err
	}
	s.appender = startAppender(ctx, s.writer, s.projector.moved)
	gone, err := droppedOf(ctx, s.writer.db)
	if err != nil {
		return err
	}
	return s.writer.sweep(ctx, gone)
}

// Close waits for the appends under way and releases the file. A second Close
// does nothing.
func (s *Store) Close() error { return s.close() }

func (s *Store) release() error {
	var errs []error
	if s.appender != nil {
		s.appender.stop()
	}
	if s.projector != nil {
		s.projector.stop()
	}
	if s.reader != nil {
		errs = append(errs, s.reader.close())
	}
	if s.lists != nil {
		errs = append(errs, s.lists.Close())
	}
	if s.writer != nil && s.writer.mover.ready() == nil { // closing would move pages, and throw the log away
		errs = append(errs, s.writer.db.Close())
	}
	errs = append(errs, s.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the data file: %w", err)
	}
	return nil
}
