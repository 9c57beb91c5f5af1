package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	_ "modernc.org/sqlite" // the driver the server's store uses too
)

// rawSQLite inserts rows of the given size, perPush at a time from as many
// producers as there are connections, grouped into durable transactions by
// one writer. It gives rows a second: what the disk and SQLite allow.
func rawSQLite(ctx context.Context, dir string, s Size, rowBytes int) (float64, error) {
	db, err := openRaw(ctx, filepath.Join(dir, "raw.db"))
	if err != nil {
		return 0, fmt.Errorf("open the raw database: %w", err)
	}
	w := rawWriter{db: db, queue: make(chan chan error, s.Connections), row: make([]byte, rowBytes)}
	end := time.Now().Add(s.Duration)
	start := time.Now()
	written := make(chan error, 1)
	go func() { written <- w.run(ctx) }()
	var g errgroup.Group
	for range s.Connections {
		g.Go(func() error { return w.produce(end) })
	}
	err = g.Wait()
	elapsed := time.Since(start)
	close(w.queue)
	err = errors.Join(err, <-written, db.Close())
	return float64(w.rows) / elapsed.Seconds(), err
}

func openRaw(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
	return db, err
}

// rawWriter is the one writer: it takes what waits into one transaction.
type rawWriter struct {
	db    *sql.DB
	queue chan chan error // each asks for perPush rows
	row   []byte
	rows  int
}

func (w *rawWriter) produce(end time.Time) error {
	answer := make(chan error, 1)
	for time.Now().Before(end) {
		w.queue <- answer
		if err := <-answer; err != nil {
			return err
		}
	}
	return nil
}

func (w *rawWriter) run(ctx context.Context) error {
	insert, err := w.db.PrepareContext(ctx, "INSERT INTO rows (body) VALUES (?)")
	for first := range w.queue {
		waiting := []chan error{first}
		for more := true; more; {
			select {
			case next, ok := <-w.queue:
				if more = ok; ok {
					waiting = append(waiting, next)
				}
			default:
				more = false
			}
		}
		if err == nil {
			err = w.commit(ctx, insert, len(waiting)*perPush)
		}
		for _, answer := range waiting {
			answer <- err
		}
	}
	if insert != nil {
		err = errors.Join(err, insert.Close())
	}
	return err
}

func (w *rawWriter) commit(ctx context.Context, insert *sql.Stmt, rows int) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	stmt := tx.StmtContext(ctx, insert)
	for range rows {
		if _, err := stmt.ExecContext(ctx, w.row); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	w.rows += rows
	return tx.Commit()
}
