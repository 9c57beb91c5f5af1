package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// ErrUnkept says that the disk failed to sync the data file. Nothing more is
// written; the next start of the process sees to it that all is there.
var ErrUnkept = errors.New("the disk did not keep what was written; the server must be started again")

// mover moves pages from the write-ahead log into the data file, which SQLite
// calls a checkpoint. SQLite would do so by itself, but tell nobody when it
// fails. And when a sync of the data file fails it must not be tried again in
// this process: the system has forgotten what it was to write, and SQLite,
// which may have moved some of it in an earlier turn, would not write that
// again, but would reuse the log that still has it. A start reads the log from
// its beginning and moves all of it anew.
type mover struct {
	look, move *sql.Stmt
	log        *slog.Logger
	failed     func(error)

	unkept atomic.Bool // whoever begins a transaction asks, and must not wait for a turn

	mu    sync.Mutex // held while pages are moved: they must not be once a turn has failed
	full  int        // pages in the log from which on they are moved
	every int        // transactions after which to look
	since int        // transactions since the last look
}

func newMover(log *slog.Logger, failed func(error)) *mover {
	return &mover{log: log, failed: failed, full: 8000, every: 16}
}

func (m *mover) statements() []statement {
	return []statement{
		{&m.look, `PRAGMA wal_checkpoint(NOOP)`},
		{&m.move, `PRAGMA wal_checkpoint(PASSIVE)`},
	}
}

// ready says whether more may be written.
func (m *mover) ready() error {
	if m.unkept.Load() {
		return ErrUnkept
	}
	return nil
}

// turn moves pages when there are many. What fails, fails no transaction: they
// are in the log.
func (m *mover) turn(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since++; m.since < m.every || m.unkept.Load() {
		return
	}
	m.since = 0
	if err := m.moveFull(context.WithoutCancel(ctx)); err != nil {
		m.log.Error("pages cannot be moved into the data file", "error", err)
		if isSync(err) {
			m.unkept.Store(true)
			m.failed(fmt.Errorf("%w: %w", ErrUnkept, err))
		}
	}
}

func (m *mover) moveFull(ctx context.Context) error {
	var busy, pages, moved int
	if err := m.look.QueryRowContext(ctx).Scan(&busy, &pages, &moved); err != nil || pages-moved < m.full {
		return err
	}
	return m.move.QueryRowContext(ctx).Scan(&busy, &pages, &moved)
}

// isSync says whether err is that of a sync.
func isSync(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code() == codes.SQLITE_IOERR_FSYNC
}
