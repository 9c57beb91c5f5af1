package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	codes "modernc.org/sqlite/lib"

	"github.com/enroute-field/enroute/sync"
)

// listsPath is the file of the projections that belongs to a data file:
// "enroute.lists.db" beside "enroute.db".
func listsPath(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".lists" + ext
}

// listsFormat is raised when the tables below change: a file of another
// format is made anew.
const listsFormat = 3

// listsSchema is of the second file. All in it can be made anew from the
// journal, so it may be lost.
const listsSchema = `
-- indexer is the version of the indexer that made the lists.
CREATE TABLE made (indexer TEXT NOT NULL);
-- projected is the number of the last commit that the projections show whole.
-- Of those up to target they may show something; hash is that one's hash: what
-- is not of this journal is of no use.
CREATE TABLE progress (
	ws INTEGER PRIMARY KEY,
	projected INTEGER NOT NULL,
	target INTEGER NOT NULL,
	hash BLOB NOT NULL
);
-- lists gives a kind of a workspace its integer, columns a field of a list.
-- size is how many documents are listed, docs how many of them have an entry
-- in the column; many is set when one had several.
CREATE TABLE lists (
	list INTEGER PRIMARY KEY,
	ws INTEGER NOT NULL,
	kind TEXT NOT NULL,
	size INTEGER NOT NULL DEFAULT 0,
	UNIQUE (ws, kind)
);
CREATE TABLE columns (
	col INTEGER PRIMARY KEY,
	list INTEGER NOT NULL,
	field TEXT NOT NULL,
	many INTEGER NOT NULL DEFAULT 0,
	docs INTEGER NOT NULL DEFAULT 0,
	UNIQUE (list, field)
);
-- history has a row for every commit that changed a document.
CREATE TABLE history (
	list INTEGER NOT NULL,
	id TEXT NOT NULL,
	rev INTEGER NOT NULL,
	PRIMARY KEY (list, id, rev)
) WITHOUT ROWID;
-- listed has a row per live document: all its entries and words, packed.
CREATE TABLE listed (
	doc INTEGER PRIMARY KEY,
	list INTEGER NOT NULL,
	id TEXT NOT NULL,
	rev INTEGER NOT NULL,
	facts BLOB NOT NULL,
	UNIQUE (list, id)
);
-- least marks the entry of a document by which the field sorts.
CREATE TABLE entries (
	col INTEGER NOT NULL,
	ord TEXT NOT NULL,
	id TEXT NOT NULL,
	exact TEXT NOT NULL,
	least INTEGER NOT NULL,
	doc INTEGER NOT NULL,
	PRIMARY KEY (col, ord, id, exact)
) WITHOUT ROWID;
-- search finds listed.doc by words, each of which begins with its list in four
-- characters; so the prefixes that are indexed are those of one to three more.
CREATE VIRTUAL TABLE search USING fts5 (
	words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii', prefix = '5 6 7'
);
`

var (
	// errOtherLists: the file is of another version or another journal.
	errOtherLists = errors.New("the lists are not of use")
	// errNoLists: the file is new.
	errNoLists = errors.New("there are none yet")
)

// openLists opens the writing connection to the file of the projections. One
// that is not of use is thrown away, to be made anew.
func openLists(ctx context.Context, path, vfs string, journal *sql.DB, idx sync.Indexer, log *slog.Logger) (*sql.DB, error) {
	db, err := openListsFile(path, vfs)
	if err != nil {
		return nil, err
	}
	err = usable(ctx, db, journal, idx)
	if err == nil {
		return db, nil
	}
	err = errors.Join(err, db.Close())
	if !errors.Is(err, errOtherLists) && !isCode(err, codes.SQLITE_CORRUPT) && !isCode(err, codes.SQLITE_NOTADB) {
		return nil, fmt.Errorf("open the lists: %w", err)
	}
	if !errors.Is(err, errNoLists) {
		log.Info("lists and histories are made anew", "file", path, "because", err)
	}
	if err := discard(path); err != nil {
		return nil, err
	}
	if db, err = openListsFile(path, vfs); err != nil {
		return nil, err
	}
	if err := makeLists(ctx, db, idx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the lists: %w", err), db.Close())
	}
	return db, nil
}

// openListsFile has its commits wait for the disk, though lists may be lost: a
// sync that fails makes the system forget what it was to write, and SQLite
// would build on that. Few commits come, and no append waits for them.
func openListsFile(path, vfs string) (*sql.DB, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	return openDB(path, vfs, 1, "busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
		"wal_autocheckpoint(4000)", "journal_size_limit(33554432)", "cache_size(-4096)")
}

// usable says why not, when the file is not a projection of this journal by
// this indexer.
func usable(ctx context.Context, db, journal *sql.DB, idx sync.Indexer) error {
	var app, format int
	err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version)`).Scan(&app, &format)
	if err != nil {
		return fmt.Errorf("read the format of the lists: %w", err)
	}
	if app == 0 && format == 0 {
		return fmt.Errorf("%w: %w", errNoLists, errOtherLists)
	}
	if app != applicationID || format != listsFormat {
		return fmt.Errorf("format %d: %w", format, errOtherLists)
	}
	var made string
	if err := db.QueryRowContext(ctx, `SELECT indexer FROM made`).Scan(&made); err != nil {
		return fmt.Errorf("read the indexer of the lists: %w", err)
	}
	if made != idx.Version() {
		return fmt.Errorf("made for other fields: %w", errOtherLists)
	}
	return sameJournal(ctx, db, journal)
}

// sameJournal compares the last commit of each workspace of which the lists may
// show something, but those whose history was dropped.
func sameJournal(ctx context.Context, db, journal *sql.DB) error {
	type shown struct {
		place int64
		hash  []byte
	}
	gone, err := droppedOf(ctx, journal)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT ws << 40 | target, hash FROM progress`)
	all, err := collect(rows, err, func(r *sql.Rows) (s shown, err error) { return s, r.Scan(&s.place, &s.hash) })
	if err != nil {
		return fmt.Errorf("read the progress of the lists: %w", err)
	}
	for _, s := range all {
		if slices.Contains(gone, s.place>>numberBits) {
			continue
		}
		var hash []byte
		err := journal.QueryRowContext(ctx, `SELECT hash FROM journal WHERE place = ?`, s.place).Scan(&hash)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !bytes.Equal(hash, s.hash) {
			return fmt.Errorf("of another journal: %w", errOtherLists)
		}
		if err != nil {
			return fmt.Errorf("compare lists and journal: %w", err)
		}
	}
	return nil
}

// discard removes the file and what SQLite keeps beside it.
func discard(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} { // what is beside no file is dropped
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the lists: %w", err)
		}
	}
	return nil
}

func makeLists(ctx context.Context, db *sql.DB, idx sync.Indexer) error {
	return transact(ctx, db, func(ctx context.Context, tx *sql.Tx) error {
		script := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", listsSchema, applicationID, listsFormat)
		if _, err := tx.ExecContext(ctx, script); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO made VALUES (?)`, idx.Version())
		return err
	})
}
