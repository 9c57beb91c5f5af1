package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// batchDocuments is how many documents one transaction of the projector
// holds. Many, since their index entries are written in the order of the
// index, and neighbours cost little.
const batchDocuments = 1000

// projector follows the journals of all workspaces and keeps histories and
// lists, in a file of its own, so that appends never wait for it. What it does
// twice has no second effect: a row is written only over an older one.
type projector struct {
	db       *sql.DB // the writing connection
	r        *reader
	index    sync.Indexer
	log      *slog.Logger
	progress *progress
	catalog  *catalog
	closing  chan struct{}
	done     chan struct{}

	setProjected                                *sql.Stmt
	addHistory                                  *sql.Stmt
	getListed, addListed, setListed, dropListed *sql.Stmt
	dropEntry                                   *sql.Stmt
	entries                                     bulk
	addWords, dropWords                         *sql.Stmt
}

// startProjector takes over db, the writing connection to the lists.
func startProjector(ctx context.Context, db *sql.DB, r *reader, idx sync.Indexer, log *slog.Logger) (*projector, error) {
	p := &projector{
		db: db, r: r, index: idx, log: log, progress: newProgress(),
		closing: make(chan struct{}), done: make(chan struct{}),
		entries: bulk{into: `INSERT INTO entries (col, ord, id, exact, least, doc) VALUES`, columns: 6},
	}
	if err := prepare(ctx, db, append(p.writes(), p.entries.statements()...)); err != nil {
		return nil, err
	}
	var err error
	if p.catalog, err = openCatalog(ctx, db); err != nil {
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
		{&p.setProjected, `INSERT INTO progress (ws, projected, target, hash) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET projected = excluded.projected, target = excluded.target, hash = excluded.hash`},
		{&p.addHistory, `INSERT INTO history (list, id, rev) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`},
		{&p.getListed, `SELECT doc, rev, facts FROM listed WHERE list = ? AND id = ?`},
		{&p.addListed, `INSERT INTO listed (list, id, rev, facts) VALUES (?, ?, ?, ?)`},
		{&p.setListed, `UPDATE listed SET rev = ?, facts = ? WHERE doc = ?`},
		{&p.dropListed, `DELETE FROM listed WHERE doc = ?`},
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
func (p *projector) moved(ws int64, head uint64) { p.progress.appended(ws, head) }

// resume reads how far the projections are.
func (p *projector) resume(ctx context.Context) error {
	heads, err := p.r.heads(ctx)
	if err != nil {
		return err
	}
	for ws, head := range heads {
		p.progress.of[ws] = &track{head: head}
	}
	rows, err := p.db.QueryContext(ctx, `SELECT ws, max(projected) FROM
		(SELECT ws, projected FROM progress UNION ALL SELECT ws, 0 FROM lists) GROUP BY ws`)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var ws int64
		var projected uint64
		err := r.Scan(&ws, &projected)
		if _, ok := heads[ws]; ok {
			p.progress.track(ws).projected = projected
		} else {
			p.progress.gone[ws] = true
		}
		return struct{}{}, err
	})
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
		begun := time.Now()
		if err := p.work(ctx, job); err != nil {
			p.log.Error("projection failed", "workspace", job.ws, "from", job.from, "error", err)
			p.progress.failed(job.ws, err)
		}
		p.rest(time.Since(begun))
	}
}

// Projecting competes with appends for the processor. So while they come the
// projector rests after each turn, for several times as long as that took; not
// when a query waits for it. With three times a push load wrote 9,800 documents
// a second, with four 10,700; the backlog after three seconds was the same.
const (
	recently  = 100 * time.Millisecond // after an append others are expected
	restShare = 4                      // rests per turn
	restLeast = 50 * time.Millisecond  // so that commits gather
)

func (p *projector) rest(worked time.Duration) {
	if time.Since(p.progress.lastAppend()) > recently {
		return
	}
	end := time.NewTimer(max(restShare*worked, restLeast))
	defer end.Stop()
	for !p.progress.urgent() {
		select {
		case <-p.closing:
			return
		case <-end.C:
			return
		case <-p.progress.wake: // an append, or a query that waits
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

// work does a part of what there is to do. What fails because the history has
// been dropped meanwhile is no failure.
func (p *projector) work(ctx context.Context, j job) error {
	if j.drop {
		return p.dropSome(ctx, j.ws)
	}
	err := p.follow(ctx, j)
	if err != nil && p.progress.isGone(j.ws) {
		return nil
	}
	return err
}

// follow projects the next commits of a workspace.
func (p *projector) follow(ctx context.Context, j job) error {
	commits, err := p.r.window(ctx, j.ws, j.from, j.to)
	if err != nil {
		return err
	}
	rows := rowsOf(j.ws, commits)
	last := commits[len(commits)-1]
	for !p.isClosing() {
		batch := rows[:min(len(rows), batchDocuments)]
		rows = rows[len(batch):]
		err := p.apply(ctx, batch, func(ctx context.Context, tx *sql.Tx) error {
			whole := last.Number
			if len(rows) > 0 {
				whole = j.from - 1
			}
			_, err := tx.StmtContext(ctx, p.setProjected).ExecContext(ctx, j.ws, whole, last.Number, last.Hash[:])
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			p.progress.projected(j.ws, last.Number)
			break
		}
	}
	return nil
}

// row is what is to be projected of one document of a workspace.
type row struct {
	ws int64
	*listing.Change
}

func rowsOf(ws int64, commits []*sync.Commit) []*row {
	changes := listing.Changes(commits)
	rows := make([]*row, len(changes))
	for i, c := range changes {
		rows[i] = &row{ws, c}
	}
	return rows
}

// apply writes rows, and what finish adds, in one transaction.
func (p *projector) apply(ctx context.Context, rows []*row, finish func(context.Context, *sql.Tx) error) error {
	err := transact(ctx, p.db, func(ctx context.Context, tx *sql.Tx) error {
		u := p.begin(ctx, tx)
		for _, r := range rows {
			if err := u.take(r); err != nil {
				return fmt.Errorf("project %s@%d: %w", r.Key, r.Rev, err)
			}
		}
		if err := u.finish(); err != nil {
			return err
		}
		return finish(ctx, tx)
	})
	if err != nil {
		p.catalog.forget()
	}
	return err
}
