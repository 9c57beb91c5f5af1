package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// batchDocuments is how many documents one transaction of the projector
// holds: few, since appends wait for its end.
const batchDocuments = 64

// projector follows the journals of all workspaces and keeps histories and
// lists. What it does twice has no second effect: a row is written only over
// an older one.
type projector struct {
	w        *writer
	r        *reader
	index    sync.Indexer
	log      *slog.Logger
	progress *progress
	catalog  *catalog
	closing  chan struct{}
	done     chan struct{}
	rebuilt  int64 // documents.doc up to which lists are made anew

	addHistory, setProjected, setRebuilt        *sql.Stmt
	getListed, addListed, setListed, dropListed *sql.Stmt
	addEntry, dropEntry, addWords, dropWords    *sql.Stmt
	rebuildWindow                               *sql.Stmt
}

func startProjector(ctx context.Context, w *writer, r *reader, idx sync.Indexer, log *slog.Logger) (*projector, error) {
	p := &projector{
		w: w, r: r, index: idx, log: log, progress: newProgress(),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	if err := prepare(ctx, w.db, p.writes()); err != nil {
		return nil, err
	}
	if err := prepare(ctx, r.db, []statement{{&p.rebuildWindow, `SELECT doc, ws, kind, id, rev, deleted, body
		FROM documents WHERE doc > ? ORDER BY doc LIMIT ?`}}); err != nil {
		return nil, err
	}
	var err error
	if p.catalog, err = openCatalog(ctx, w.db); err != nil {
		return nil, err
	}
	if err := p.resume(ctx); err != nil {
		return nil, fmt.Errorf("resume projections: %w", err)
	}
	go p.run(ctx)
	return p, nil
}

func (p *projector) writes() []statement {
	return []statement{
		{&p.addHistory, `INSERT INTO history (ws, kind, id, rev) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`},
		{&p.setProjected, `UPDATE workspaces SET projected = ? WHERE ws = ?`},
		{&p.setRebuilt, `UPDATE projection SET rebuilt = ?`},
		{&p.getListed, `SELECT doc, rev, facts FROM listed WHERE list = ? AND id = ?`},
		{&p.addListed, `INSERT INTO listed (list, id, rev, facts) VALUES (?, ?, ?, ?)`},
		{&p.setListed, `UPDATE listed SET rev = ?, facts = ? WHERE doc = ?`},
		{&p.dropListed, `DELETE FROM listed WHERE doc = ?`},
		{&p.addEntry, `INSERT INTO entries (col, ord, id, exact, least, doc) VALUES (?, ?, ?, ?, ?, ?)`},
		{&p.dropEntry, `DELETE FROM entries WHERE col = ? AND ord = ? AND id = ? AND exact = ?`},
		{&p.addWords, `INSERT INTO search (rowid, words) VALUES (?, ?)`},
		{&p.dropWords, `DELETE FROM search WHERE rowid = ?`},
	}
}

func (p *projector) stop() {
	p.progress.close()
	close(p.closing)
	<-p.done
}

// moved hears of commits that are durable.
func (p *projector) moved(ws int64, _ string, head uint64) { p.progress.appended(ws, head) }

// resume reads how far the file's projections are. Those of another indexer
// are thrown away, to be made anew from the documents.
func (p *projector) resume(ctx context.Context) error {
	if err := p.w.durable(ctx, p.discardForeign); err != nil {
		return err
	}
	var rebuilt sql.NullInt64
	if err := p.w.db.QueryRowContext(ctx, `SELECT rebuilt FROM projection`).Scan(&rebuilt); err != nil {
		return err
	}
	p.rebuilt, p.progress.rebuilding = rebuilt.Int64, rebuilt.Valid
	rows, err := p.w.db.QueryContext(ctx, `SELECT ws, projected,
		(SELECT max(place) FROM journal WHERE place < (w.ws + 1) << 40) & ((1 << 40) - 1) FROM workspaces AS w`)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var ws int64
		var t track
		err := r.Scan(&ws, &t.projected, &t.head)
		p.progress.of[ws] = &t
		return struct{}{}, err
	})
	return err
}

func (p *projector) discardForeign(ctx context.Context, tx *sql.Tx) error {
	var made string
	if err := tx.QueryRowContext(ctx, `SELECT indexer FROM projection`).Scan(&made); err != nil {
		return err
	}
	if made == p.index.Version() {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM listed; DELETE FROM entries; DELETE FROM lists; DELETE FROM columns;
		INSERT INTO search (search) VALUES ('delete-all')`)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE projection SET indexer = ?, rebuilt = 0`, p.index.Version())
	return err
}

func (p *projector) run(ctx context.Context) {
	defer close(p.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for !p.isClosing() {
		job, ok := p.progress.next()
		if !ok {
			select {
			case <-p.closing:
				return
			case <-p.progress.wake:
			}
			continue
		}
		p.rest(job)
		if err := p.do(ctx, job); err != nil {
			p.log.Error("projection failed", "workspace", job.ws, "from", job.from, "error", err)
			p.progress.failed(job.ws, err)
		}
	}
}

// Projecting competes with appends for the file and the processor. So the
// projector rests while they come, but not for longer than longestRest, not
// with more than restBacklog commits to project, and not while a query waits.
const (
	quiet       = 50 * time.Millisecond // without an append ends the rest
	longestRest = 2 * time.Second
	restBacklog = 1000
)

func (p *projector) rest(j job) {
	if j.rebuild || j.to-j.from >= restBacklog {
		return
	}
	end, pause := time.NewTimer(longestRest), time.NewTimer(quiet)
	defer end.Stop()
	defer pause.Stop()
	for !p.progress.urgent() {
		select {
		case <-p.closing:
			return
		case <-end.C:
			return
		case <-pause.C:
			return
		case <-p.progress.wake: // an append, or a query that waits
			pause.Reset(quiet)
		}
	}
}

func (p *projector) isClosing() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

func (p *projector) do(ctx context.Context, j job) error {
	if j.rebuild {
		return p.rebuild(ctx)
	}
	return p.follow(ctx, j)
}

// follow projects the next commits of a workspace.
func (p *projector) follow(ctx context.Context, j job) error {
	commits, err := p.r.window(ctx, j.ws, j.from, j.to)
	if err != nil {
		return err
	}
	rows, err := p.rowsOf(j.ws, commits)
	if err != nil {
		return err
	}
	last := commits[len(commits)-1].Number
	for !p.isClosing() {
		batch := rows[:min(len(rows), batchDocuments)]
		rows = rows[len(batch):]
		err := p.apply(ctx, batch, func(ctx context.Context, tx *sql.Tx) error {
			if len(rows) > 0 {
				return nil
			}
			_, err := tx.StmtContext(ctx, p.setProjected).ExecContext(ctx, last, j.ws)
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			p.progress.projected(j.ws, last)
			break
		}
	}
	return nil
}

// row is what is to be projected of one document.
type row struct {
	ws      int64
	key     sync.Key
	rev     uint64
	deleted bool
	entries []sync.Entry
	words   []string
	changes []uint64 // numbers of the commits that changed it
}

// rowsOf the documents that the commits changed, each as the last one left it.
func (p *projector) rowsOf(ws int64, commits []*sync.Commit) ([]*row, error) {
	var rows []*row
	last := map[sync.Key]*sync.Version{}
	at := map[sync.Key]*row{}
	for _, c := range commits {
		for i := range c.Changes {
			v := &c.Changes[i]
			r := at[v.Key]
			if r == nil {
				r = &row{ws: ws, key: v.Key}
				at[v.Key] = r
				rows = append(rows, r)
			}
			r.rev, r.deleted = c.Number, v.Deleted
			r.changes = append(r.changes, c.Number)
			last[v.Key] = v
		}
	}
	for _, r := range rows {
		if err := p.fill(r, last[r.key].Body); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// fill a row with what the indexer finds in the body of a live document.
func (p *projector) fill(r *row, body []byte) (err error) {
	if r.deleted {
		return nil
	}
	if r.entries, r.words, err = p.index.Index(r.key.Kind, body); err != nil {
		return fmt.Errorf("index %s@%d: %w", r.key, r.rev, err)
	}
	return nil
}

// rebuild lists the next documents anew.
func (p *projector) rebuild(ctx context.Context) error {
	var last int64
	found, err := p.rebuildWindow.QueryContext(ctx, p.rebuilt, batchDocuments)
	rows, err := collect(found, err, func(found *sql.Rows) (*row, error) {
		r := &row{}
		var body []byte
		if err := found.Scan(&last, &r.ws, &r.key.Kind, &r.key.ID, &r.rev, &r.deleted, &body); err != nil {
			return nil, err
		}
		return r, p.fill(r, body)
	})
	if err != nil {
		return err
	}
	position := sql.NullInt64{Int64: last, Valid: len(rows) > 0}
	err = p.apply(ctx, rows, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, p.setRebuilt).ExecContext(ctx, position)
		return err
	})
	if err != nil {
		return err
	}
	if p.rebuilt = last; len(rows) == 0 {
		p.progress.rebuilt()
	}
	return nil
}

// apply writes rows, and what finish adds, in one transaction.
func (p *projector) apply(ctx context.Context, rows []*row, finish func(context.Context, *sql.Tx) error) error {
	err := p.w.behind(ctx, p.progress.urgent(), func(ctx context.Context, tx *sql.Tx) error {
		t := p.begin(ctx, tx)
		for _, r := range rows {
			if err := t.write(r); err != nil {
				return fmt.Errorf("project %s@%d: %w", r.key, r.rev, err)
			}
		}
		if err := t.finish(); err != nil {
			return err
		}
		return finish(ctx, tx)
	})
	if err != nil {
		p.catalog.forget()
	}
	return err
}
