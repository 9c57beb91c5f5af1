package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Reader reads journals and notes of a data file, and changes nothing. It may
// be open while a server works with the file: then it sees what is durable.
type Reader struct{ *reader }

// OpenReader opens a file that is there and has the present schema.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("find the data file: %w", err)
	}
	db, err := openWith(path, 1, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}})
	if err != nil {
		return nil, err
	}
	r := &reader{db: db, ws: interned{of: map[string]int64{}}}
	if err := isPresent(ctx, r); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &Reader{r}, nil
}

// isPresent checks that the file has the present schema, and prepares to read it.
func isPresent(ctx context.Context, r *reader) error {
	version, err := versionOf(ctx, r.db)
	switch {
	case err != nil:
		return err
	case version > len(migrations):
		return ErrNewer
	case version < len(migrations):
		return ErrOlder
	}
	return prepare(ctx, r.db, r.statements())
}

// Close releases the file.
func (r *Reader) Close() error { return r.db.Close() }
