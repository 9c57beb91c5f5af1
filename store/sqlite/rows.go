package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// catalog remembers the integers of lists and columns. Only the projector
// uses it.
type catalog struct {
	lists   map[listName]int64
	columns map[columnName]int64
	many    map[int64]bool // columns where a document had several entries

	list, column, grow, growColumn, setMany *sql.Stmt
}

type listName struct {
	ws   int64
	kind string
}

type columnName struct {
	list  int64
	field string
}

func openCatalog(ctx context.Context, db *sql.DB) (*catalog, error) {
	c := &catalog{lists: map[listName]int64{}, columns: map[columnName]int64{}, many: map[int64]bool{}}
	return c, prepare(ctx, db, []statement{
		{&c.list, `INSERT INTO lists (ws, kind) VALUES (?, ?) ON CONFLICT DO UPDATE SET kind = kind RETURNING list`},
		{&c.column, `INSERT INTO columns (list, field) VALUES (?, ?) ON CONFLICT DO UPDATE SET field = field RETURNING col`},
		{&c.grow, `UPDATE lists SET size = size + ? WHERE list = ?`},
		{&c.growColumn, `UPDATE columns SET docs = docs + ? WHERE col = ?`},
		{&c.setMany, `UPDATE columns SET many = 1 WHERE col = ?`},
	})
}

// forget all: a transaction that gave integers was rolled back.
func (c *catalog) forget() {
	clear(c.lists)
	clear(c.columns)
	clear(c.many)
}

// update is one transaction of the projector.
type update struct {
	ctx    context.Context
	c      *catalog
	growth map[int64]int // of lists, in documents
	docs   map[int64]int // the same of columns

	list, column, grow, growColumn, setMany     *sql.Stmt
	getListed, addListed, setListed, dropListed *sql.Stmt
	addEntry, dropEntry, addWords, dropWords    *sql.Stmt
	addHistory                                  *sql.Stmt
}

func (p *projector) begin(ctx context.Context, tx *sql.Tx) *update {
	in := func(s *sql.Stmt) *sql.Stmt { return tx.StmtContext(ctx, s) }
	return &update{
		ctx: ctx, c: p.catalog, growth: map[int64]int{}, docs: map[int64]int{},
		list: in(p.catalog.list), column: in(p.catalog.column),
		grow: in(p.catalog.grow), growColumn: in(p.catalog.growColumn), setMany: in(p.catalog.setMany),
		getListed: in(p.getListed), addListed: in(p.addListed), setListed: in(p.setListed), dropListed: in(p.dropListed),
		addEntry: in(p.addEntry), dropEntry: in(p.dropEntry), addWords: in(p.addWords), dropWords: in(p.dropWords),
		addHistory: in(p.addHistory),
	}
}

// listing is what the file shows of a document; the zero listing is nothing.
type listing struct {
	doc   int64
	rev   uint64
	facts facts
}

// write projects one document, unless something newer of it is there.
func (u *update) write(r *row) error {
	for _, number := range r.changes {
		if _, err := u.addHistory.ExecContext(u.ctx, r.ws, r.key.Kind, r.key.ID, number); err != nil {
			return err
		}
	}
	list, err := u.listOf(r)
	if err != nil {
		return err
	}
	old, err := u.listed(list, r.key.ID)
	if err != nil || old.rev >= r.rev {
		return err
	}
	now, err := u.factsOf(list, r)
	if err != nil {
		return err
	}
	doc, err := u.put(list, r, old.doc, &now)
	if err != nil || doc == 0 {
		return err
	}
	if err := u.replaceEntries(doc, r.key.ID, &old.facts, &now); err != nil {
		return err
	}
	return u.replaceWords(list, doc, old.facts.words, now.words)
}

func (u *update) listOf(r *row) (int64, error) {
	name := listName{r.ws, r.key.Kind}
	list, ok := u.c.lists[name]
	if ok {
		return list, nil
	}
	if err := u.list.QueryRowContext(u.ctx, r.ws, r.key.Kind).Scan(&list); err != nil {
		return 0, fmt.Errorf("number the list: %w", err)
	}
	u.c.lists[name] = list
	return list, nil
}

func (u *update) columnOf(list int64, field string) (int64, error) {
	name := columnName{list, field}
	col, ok := u.c.columns[name]
	if ok {
		return col, nil
	}
	if err := u.column.QueryRowContext(u.ctx, list, field).Scan(&col); err != nil {
		return 0, fmt.Errorf("number the column %s: %w", field, err)
	}
	u.c.columns[name] = col
	return col, nil
}

func (u *update) listed(list int64, id string) (l listing, err error) {
	var packed []byte
	err = u.getListed.QueryRowContext(u.ctx, list, id).Scan(&l.doc, &l.rev, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return listing{}, nil
	}
	if err != nil {
		return listing{}, err
	}
	l.facts, err = unpack(packed)
	return l, err
}

func (u *update) factsOf(list int64, r *row) (facts, error) {
	f := facts{words: r.words}
	for _, e := range r.entries {
		col, err := u.columnOf(list, e.Field)
		if err != nil {
			return facts{}, err
		}
		f.entries = append(f.entries, entry{col, e.Order, e.Exact})
	}
	f.tidy()
	return f, u.markMany(&f)
}

// markMany marks the columns in which a document has several entries.
func (u *update) markMany(f *facts) error {
	for i := 1; i < len(f.entries); i++ {
		col := f.entries[i].col
		if f.entries[i-1].col != col || u.c.many[col] {
			continue
		}
		if _, err := u.setMany.ExecContext(u.ctx, col); err != nil {
			return fmt.Errorf("mark the column: %w", err)
		}
		u.c.many[col] = true
	}
	return nil
}

// put the row of a document, or remove it. It gives the row's integer; 0 when
// there neither was nor is one.
func (u *update) put(list int64, r *row, doc int64, f *facts) (int64, error) {
	switch {
	case r.deleted && doc == 0:
		return 0, nil
	case r.deleted:
		u.growth[list]--
		_, err := u.dropListed.ExecContext(u.ctx, doc)
		return doc, err
	case doc != 0:
		_, err := u.setListed.ExecContext(u.ctx, r.rev, f.pack(), doc)
		return doc, err
	}
	u.growth[list]++
	res, err := u.addListed.ExecContext(u.ctx, list, r.key.ID, r.rev, f.pack())
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// replaceEntries of the old facts by those of the new, touching only what
// differs.
func (u *update) replaceEntries(doc int64, id string, old, now *facts) error {
	before, after := old.marked(), now.marked()
	for e := range before {
		if e.least {
			u.docs[e.col]--
		}
		if _, stays := after[e]; stays {
			continue
		}
		if _, err := u.dropEntry.ExecContext(u.ctx, e.col, e.ord, id, e.exact); err != nil {
			return err
		}
	}
	for e := range after {
		if e.least {
			u.docs[e.col]++
		}
		if _, was := before[e]; was {
			continue
		}
		if _, err := u.addEntry.ExecContext(u.ctx, e.col, e.ord, id, e.exact, e.least, doc); err != nil {
			return err
		}
	}
	return nil
}

func (u *update) replaceWords(list, doc int64, old, now []string) error {
	if slices.Equal(old, now) {
		return nil
	}
	if len(old) > 0 {
		if _, err := u.dropWords.ExecContext(u.ctx, doc); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := u.addWords.ExecContext(u.ctx, doc, searchable(list, now))
	return err
}

// finish writes what was added up.
func (u *update) finish() error {
	for list, n := range u.growth {
		if _, err := u.grow.ExecContext(u.ctx, n, list); err != nil {
			return fmt.Errorf("size of the list: %w", err)
		}
	}
	for col, n := range u.docs {
		if n == 0 {
			continue
		}
		if _, err := u.growColumn.ExecContext(u.ctx, n, col); err != nil {
			return fmt.Errorf("size of the column: %w", err)
		}
	}
	return nil
}
