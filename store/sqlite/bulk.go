package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// bulk inserts many rows with few statements: each statement costs as much as
// several rows.
type bulk struct {
	into      string // "INSERT INTO table (columns) VALUES"
	columns   int
	conflict  string // what to do then, "" for nothing
	one, many *sql.Stmt
}

// bulkRows is how many rows a statement writes when there are so many: those of
// one push of ten documents do not fill it, those of a group of pushes do.
const bulkRows = 16

func (b *bulk) statements() []statement {
	return []statement{{&b.one, b.query(1)}, {&b.many, b.query(bulkRows)}}
}

func (b *bulk) query(rows int) string {
	row := "(?" + strings.Repeat(", ?", b.columns-1) + ")"
	return b.into + " " + row + strings.Repeat(", "+row, rows-1) + " " + b.conflict
}

// insert rows whose values stand in args one after another.
func (b *bulk) insert(ctx context.Context, tx *sql.Tx, args []any) error {
	one, many := tx.StmtContext(ctx, b.one), tx.StmtContext(ctx, b.many)
	for part := range slices.Chunk(args, bulkRows*b.columns) {
		if len(part) == bulkRows*b.columns {
			if _, err := many.ExecContext(ctx, part...); err != nil {
				return err
			}
			continue
		}
		for row := range slices.Chunk(part, b.columns) {
			if _, err := one.ExecContext(ctx, row...); err != nil {
				return err
			}
		}
	}
	return nil
}
