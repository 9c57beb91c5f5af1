package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// openDB opens a pool of connections that all run the pragmas first. vfs is
// the name of one of SQLite's; "" is the system's files.
func openDB(path, vfs string, conns int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	if vfs != "" {
		q.Set("vfs", vfs)
	}
	return openWith(path, conns, q)
}

// openWith opens a pool with the parameters of SQLite's URIs.
func openWith(path string, conns int, q url.Values) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if conns > 1 {
		db.SetConnMaxIdleTime(idleReader)
	}
	return db, nil
}

// idleReader is how long a reading connection that nobody uses keeps its
// cache of pages. A new one costs some milliseconds.
const idleReader = 5 * time.Second

// private makes the file, if there is none, so that only its owner may read
// it; SQLite gives the files beside it the same permissions.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the data file: %w", err)
	}
	return f.Close()
}

// lockFile holds an exclusive lock on a file beside the data, so that only
// one process serves from it; closing gives it back, and so does the end of
// the process. It is SQLite's own locking, since that works alike everywhere.
func lockFile(ctx context.Context, path string) (io.Closer, error) {
	db, err := openDB(path+".lock", "", 1, "locking_mode(exclusive)")
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "BEGIN EXCLUSIVE")
	if err == nil {
		return db, nil
	}
	if isCode(err, codes.SQLITE_BUSY) {
		err = ErrInUse
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), db.Close())
}

// isCode says whether err is SQLite's with this primary result code.
func isCode(err error, code int) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == code
}

// statement is a text to be prepared into a field.
type statement struct {
	into **sql.Stmt
	text string
}

// prepare the statements for all connections of the pool.
func prepare(ctx context.Context, db *sql.DB, all []statement) error {
	for _, s := range all {
		stmt, err := db.PrepareContext(ctx, s.text)
		if err != nil {
			return fmt.Errorf("prepare %q: %w", s.text, err)
		}
		*s.into = stmt
	}
	return nil
}
