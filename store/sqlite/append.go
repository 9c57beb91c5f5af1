package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// numberBits is how much of a place is the commit's number.
const numberBits = 40

// place of a commit in the journal table.
func place(ws int64, number uint64) int64 { return ws<<numberBits | int64(number) }

func numberAt(place int64) uint64 { return uint64(place) & (1<<numberBits - 1) }

// Limits of what is gathered into one transaction.
const (
	maxGroup      = 256
	maxGroupBytes = 16 << 20
)

// appender gathers the appends that wait and writes them together.
type appender struct {
	w       *writer
	moved   func(ws int64, head uint64) // told what is durable
	queue   chan *request
	alone   chan func(context.Context) // done between appends
	closing chan struct{}
	done    chan struct{}
	heads   map[string]seat // of workspaces seen; emptied when in doubt
}

// seat is what the appender knows of a workspace.
type seat struct {
	ws   int64 // 0: not there yet
	head sync.Head
}

// request is one Append on its way.
type request struct {
	workspace string
	commits   []*sync.Commit
	content   [][]byte
	err       error
	done      chan struct{}
}

func startAppender(ctx context.Context, w *writer, moved func(int64, uint64)) *appender {
	a := &appender{
		w: w, moved: moved, queue: make(chan *request), alone: make(chan func(context.Context)),
		closing: make(chan struct{}), done: make(chan struct{}), heads: map[string]seat{},
	}
	go a.run(ctx)
	return a
}

func (a *appender) stop() {
	close(a.closing)
	<-a.done
}

// Append implements sync.Store.
func (s *Store) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	if err := consecutive(commits); err != nil {
		return fmt.Errorf("append to %s: %w", workspace, err)
	}
	r := &request{workspace: workspace, commits: commits, done: make(chan struct{})}
	for _, c := range commits {
		r.content = append(r.content, c.Encode())
	}
	if err := s.appender.submit(ctx, r); err != nil {
		return fmt.Errorf("append to %s: %w", workspace, err)
	}
	return nil
}

func consecutive(commits []*sync.Commit) error {
	if err := sync.Consecutive(commits); err != nil {
		return err
	}
	if last := commits[len(commits)-1].Number; last >= 1<<numberBits {
		return fmt.Errorf("number %d is too great", last)
	}
	return nil
}

// submit hands r over and waits for its answer. Nobody can call back what has
// been handed over: who stops waiting does not know.
func (a *appender) submit(ctx context.Context, r *request) error {
	select {
	case a.queue <- r:
	case <-a.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return errors.Join(sync.ErrUnknownOutcome, ctx.Err())
	}
}

func (a *appender) run(ctx context.Context) {
	defer close(a.done)
	for {
		select {
		case <-a.closing:
			return
		case r := <-a.queue:
			a.write(ctx, a.gather(r))
		case fn := <-a.alone:
			fn(ctx)
			clear(a.heads)
		}
	}
}

// gather takes whoever waits behind the first.
func (a *appender) gather(first *request) []*request {
	group := []*request{first}
	for size := first.size(); len(group) < maxGroup && size < maxGroupBytes; {
		select {
		case r := <-a.queue:
			group = append(group, r)
			size += r.size()
		default:
			return group
		}
	}
	return group
}

func (r *request) size() int {
	n := 0
	for _, c := range r.content {
		n += len(c)
	}
	return n
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// write a group in one transaction and answer. When the transaction fails for
// one of them, each is tried by itself, so that it does not harm the others.
func (a *appender) write(ctx context.Context, group []*request) {
	verdicts := make([]error, len(group))
	err := a.w.durable(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return a.writeAll(ctx, tx, group, verdicts)
	})
	switch {
	case err == nil:
		a.answer(group, verdicts)
	case errors.Is(err, errCommit):
		clear(a.heads)
		for _, r := range group {
			r.finish(fmt.Errorf("%w: %w", sync.ErrUnknownOutcome, err))
		}
	case len(group) > 1:
		clear(a.heads)
		for _, r := range group {
			a.write(ctx, []*request{r})
		}
	default:
		clear(a.heads)
		group[0].finish(err)
	}
}

// answer each with its verdict, after the projector has heard.
func (a *appender) answer(group []*request, verdicts []error) {
	for i, r := range group {
		if verdicts[i] == nil {
			seat := a.heads[r.workspace]
			a.moved(seat.ws, seat.head.Number)
		}
		r.finish(verdicts[i])
	}
}

// writeAll writes what may be written. Refusals are verdicts; an error is the
// transaction's.
func (a *appender) writeAll(ctx context.Context, tx *sql.Tx, group []*request, verdicts []error) error {
	ins := &inserts{ctx: ctx, w: a.w, tx: tx, commit: tx.StmtContext(ctx, a.w.addCommit)}
	for i, r := range group {
		at, err := a.seat(ctx, tx, r.workspace)
		if err != nil {
			return err
		}
		if !r.commits[0].Follows(at.head) {
			if verdicts[i], err = a.standing(ctx, tx, at, r.commits); err != nil {
				return err
			}
			if at.ws != 0 {
				a.heads[r.workspace] = at // for answer, and the next
			}
			continue
		}
		if a.heads[r.workspace], err = a.add(ctx, tx, ins, at, r); err != nil {
			return err
		}
	}
	return ins.finish()
}

// seat of a workspace as this transaction sees it.
func (a *appender) seat(ctx context.Context, tx *sql.Tx, workspace string) (seat, error) {
	if s, ok := a.heads[workspace]; ok {
		return s, nil
	}
	return a.stored(ctx, tx, workspace)
}

// stored is the seat as the file has it.
func (a *appender) stored(ctx context.Context, tx *sql.Tx, workspace string) (seat, error) {
	var s seat
	err := tx.StmtContext(ctx, a.w.findWorkspace).QueryRowContext(ctx, workspace).Scan(&s.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("find workspace: %w", err)
	}
	s.head, err = scanHead(tx.StmtContext(ctx, a.w.head).QueryRowContext(ctx, place(s.ws, 0), place(s.ws+1, 0)))
	return s, err
}

// standing is nil when exactly these commits stand in the journal already,
// else ErrConflict. A hash covers all before it, so the last one tells.
func (a *appender) standing(ctx context.Context, tx *sql.Tx, at seat, commits []*sync.Commit) (verdict, err error) {
	last := commits[len(commits)-1]
	if last.Number > at.head.Number || last.Number == 0 {
		return sync.ErrConflict, nil
	}
	var hash []byte
	err = tx.StmtContext(ctx, a.w.hashAt).QueryRowContext(ctx, place(at.ws, last.Number)).Scan(&hash)
	if err != nil {
		return nil, fmt.Errorf("read hash of commit %d: %w", last.Number, err)
	}
	if sync.Hash(hash) != last.Hash {
		return sync.ErrConflict, nil
	}
	return nil, nil
}

// add the commits of a request that follow the head.
func (a *appender) add(ctx context.Context, tx *sql.Tx, ins *inserts, at seat, r *request) (seat, error) {
	if at.ws == 0 {
		res, err := tx.StmtContext(ctx, a.w.addWorkspace).ExecContext(ctx, r.workspace)
		if err != nil {
			return at, fmt.Errorf("add workspace: %w", err)
		}
		if at.ws, err = res.LastInsertId(); err != nil {
			return at, fmt.Errorf("add workspace: %w", err)
		}
	}
	for i, c := range r.commits {
		if err := ins.add(at.ws, c, r.content[i]); err != nil {
			return at, fmt.Errorf("write commit %d: %w", c.Number, err)
		}
		at.head = sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
	}
	return at, nil
}

// inserts are the rows of one transaction: commits are written as they come,
// documents and outcomes of all of them together.
type inserts struct {
	ctx                 context.Context
	w                   *writer
	tx                  *sql.Tx
	commit              *sql.Stmt
	documents, outcomes []any
}

// add one commit with its documents and outcomes.
func (in *inserts) add(ws int64, c *sync.Commit, content []byte) error {
	if _, err := in.commit.ExecContext(in.ctx, place(ws, c.Number), c.Prev[:], c.Hash[:], c.At.UnixMicro(), content); err != nil {
		return err
	}
	for i := range c.Changes {
		v := c.Changes[i]
		v.Rev = c.Number
		in.documents = append(in.documents, ws, v.Kind, v.ID, c.Number, v.Scope, v.Deleted, v.Body, v.Marks, checksum(ws, &v))
	}
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		in.outcomes = append(in.outcomes, ws, o.ID[:], o.Digest[:], c.Number)
	}
	return nil
}

func (in *inserts) finish() error {
	if err := in.w.documents.insert(in.ctx, in.tx, in.documents); err != nil {
		return fmt.Errorf("write documents: %w", err)
	}
	if err := in.w.outcomes.insert(in.ctx, in.tx, in.outcomes); err != nil {
		return fmt.Errorf("write outcomes: %w", err)
	}
	return nil
}

// headQuery finds the newest commit between two places.
const headQuery = `SELECT place, hash, at FROM journal WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1`

func scanHead(row *sql.Row) (sync.Head, error) {
	var at, micros int64
	var hash []byte
	err := row.Scan(&at, &hash, &micros)
	if errors.Is(err, sql.ErrNoRows) {
		return sync.Head{}, nil
	}
	if err != nil {
		return sync.Head{}, fmt.Errorf("read head: %w", err)
	}
	return sync.Head{Number: numberAt(at), Hash: sync.Hash(hash), At: time.UnixMicro(micros).UTC()}, nil
}
