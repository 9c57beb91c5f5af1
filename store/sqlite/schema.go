package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks our files (PRAGMA application_id): "Enrt".
const applicationID = 0x456e7274

// migrations bring a file from version i to i+1 (PRAGMA user_version). One
// that has been released is never changed.
var migrations = []string{`
-- A row exists as soon as the workspace has a commit. projected is the number
-- of the last commit that the projections show.
CREATE TABLE workspaces (
	ws INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	projected INTEGER NOT NULL DEFAULT 0
);
-- place is the workspace's integer in the upper, the commit's number in the
-- lower 40 bits.
CREATE TABLE journal (
	place INTEGER PRIMARY KEY,
	prev BLOB NOT NULL,
	hash BLOB NOT NULL,
	at INTEGER NOT NULL, -- microseconds since 1970, UTC
	content BLOB NOT NULL
);
CREATE TABLE documents (
	doc INTEGER PRIMARY KEY,
	ws INTEGER NOT NULL,
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	rev INTEGER NOT NULL,
	scope TEXT NOT NULL,
	deleted INTEGER NOT NULL,
	body BLOB NOT NULL,
	marks BLOB
);
CREATE UNIQUE INDEX documents_key ON documents (ws, kind, id);
CREATE TABLE outcomes (
	ws INTEGER NOT NULL,
	id BLOB NOT NULL,
	digest BLOB NOT NULL,
	number INTEGER NOT NULL,
	PRIMARY KEY (ws, id)
) WITHOUT ROWID;

-- Projections: all below can be made anew from the tables above.
CREATE TABLE projection (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	indexer TEXT NOT NULL, -- version of the indexer that made it
	rebuilt INTEGER        -- documents.doc up to which it is made anew; NULL: complete
);
INSERT INTO projection VALUES (1, '', NULL);
CREATE TABLE history (
	ws INTEGER NOT NULL,
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	rev INTEGER NOT NULL,
	PRIMARY KEY (ws, kind, id, rev)
) WITHOUT ROWID;
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

-- Beside the journal, by name: these may be there before the first commit.
CREATE TABLE checkpoints (
	workspace TEXT PRIMARY KEY,
	number INTEGER NOT NULL,
	hash BLOB NOT NULL,
	at INTEGER NOT NULL,
	generation INTEGER NOT NULL
) WITHOUT ROWID;
-- Chunks are written one by one; those of the checkpoint's generation count.
CREATE TABLE chunks (
	workspace TEXT NOT NULL,
	generation INTEGER NOT NULL,
	position INTEGER NOT NULL,
	chunk BLOB NOT NULL,
	UNIQUE (workspace, generation, position)
);
CREATE TABLE notes (
	workspace TEXT NOT NULL,
	key TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (workspace, key)
) WITHOUT ROWID;
`}

// migrate brings the file to the present schema, one transaction per version.
func migrate(ctx context.Context, db *sql.DB) error {
	version, err := versionOf(ctx, db)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("file has version %d, this program knows %d: %w", version, len(migrations), ErrNewer)
	}
	for v := version; v < len(migrations); v++ {
		if err := migrateTo(ctx, db, v+1); err != nil {
			return fmt.Errorf("migrate to version %d: %w", v+1, err)
		}
	}
	return nil
}

// versionOf the file; 0 when it is empty.
func versionOf(ctx context.Context, db *sql.DB) (int, error) {
	var app, version, tables int
	err := db.QueryRowContext(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&app, &version, &tables)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the file's version: %w", err)
	case app != applicationID && tables > 0:
		return 0, ErrForeign
	}
	return version, nil
}

func migrateTo(ctx context.Context, db *sql.DB, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	script := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d",
		migrations[version-1], applicationID, version)
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return err
	}
	return tx.Commit()
}
