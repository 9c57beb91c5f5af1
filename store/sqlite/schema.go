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
-- A row exists as soon as the workspace has a commit.
CREATE TABLE workspaces (
	ws INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
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
	marks BLOB,
	sum INTEGER NOT NULL -- checksum of the other columns but doc
);
CREATE UNIQUE INDEX documents_key ON documents (ws, kind, id);
CREATE TABLE outcomes (
	ws INTEGER NOT NULL,
	id BLOB NOT NULL,
	digest BLOB NOT NULL,
	number INTEGER NOT NULL,
	PRIMARY KEY (ws, id)
) WITHOUT ROWID;

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
`, `
-- A history that was dropped keeps its row, so that integers have no gaps and
-- are never given again. Its name leads nowhere, its other rows go in time.
ALTER TABLE workspaces ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
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
