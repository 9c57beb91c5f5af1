package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
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

// update is one transaction of the projector. Rows that lie in an index are
// collected, and written by finish in the order of that index.
type update struct {
	ctx    context.Context
	index  sync.Indexer
	c      *catalog
	growth map[int64]int // of lists, in documents
	docs   map[int64]int // the same of columns
	add    []entryRow
	drop   []entryRow
	words  []wordsRow

	list, column, grow, growColumn, setMany     *sql.Stmt
	getListed, addListed, setListed, dropListed *sql.Stmt
	dropEntry, addWords, dropWords, addHistory  *sql.Stmt
	tx                                          *sql.Tx
	entries                                     *bulk
}

// entryRow is a row of the table entries.
type entryRow struct {
	entry
	id    string
	least bool
	doc   int64
}

func (a entryRow) compare(b entryRow) int {
	return cmp.Or(cmp.Compare(a.Column, b.Column), strings.Compare(a.Order, b.Order),
		strings.Compare(a.id, b.id), strings.Compare(a.Exact, b.Exact))
}

// wordsRow is a document's words as they are to be.
type wordsRow struct {
	doc  int64
	was  bool   // the search has words of it
	text string // "": none
}

func (p *projector) begin(ctx context.Context, tx *sql.Tx) *update {
	in := func(s *sql.Stmt) *sql.Stmt { return tx.StmtContext(ctx, s) }
	return &update{
		ctx: ctx, index: p.index, c: p.catalog, growth: map[int64]int{}, docs: map[int64]int{},
		list: in(p.catalog.list), column: in(p.catalog.column),
		grow: in(p.catalog.grow), growColumn: in(p.catalog.growColumn), setMany: in(p.catalog.setMany),
		getListed: in(p.getListed), addListed: in(p.addListed), setListed: in(p.setListed), dropListed: in(p.dropListed),
		dropEntry: in(p.dropEntry), tx: tx, entries: &p.entries,
		addWords: in(p.addWords), dropWords: in(p.dropWords), addHistory: in(p.addHistory),
	}
}

// present is what the file shows of a document; the zero present is nothing.
type present struct {
	doc   int64
	rev   uint64
	facts facts
}

// take projects one document, unless something newer of it is there.
func (u *update) take(r *row) error {
	list, err := u.listOf(r)
	if err != nil {
		return err
	}
	for _, number := range r.Numbers {
		if _, err := u.addHistory.ExecContext(u.ctx, list, r.Key.ID, number); err != nil {
			return err
		}
	}
	old, err := u.listed(list, r.Key.ID)
	if err != nil || old.rev >= r.Rev {
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
	u.replaceEntries(doc, r.Key.ID, &old.facts, &now)
	u.replaceWords(list, doc, old.facts.Words, now.Words)
	return nil
}

func (u *update) listOf(r *row) (int64, error) {
	name := listName{r.ws, r.Key.Kind}
	list, ok := u.c.lists[name]
	if ok {
		return list, nil
	}
	if err := u.list.QueryRowContext(u.ctx, r.ws, r.Key.Kind).Scan(&list); err != nil {
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

func (u *update) listed(list int64, id string) (l present, err error) {
	var packed []byte
	err = u.getListed.QueryRowContext(u.ctx, list, id).Scan(&l.doc, &l.rev, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return present{}, nil
	}
	if err != nil {
		return present{}, err
	}
	l.facts, err = listing.ReadRow[int64](id, packed)
	return l, err
}

// factsOf a live document, by the indexer; a deleted one has none.
func (u *update) factsOf(list int64, r *row) (f facts, err error) {
	if r.Last.Deleted {
		return facts{}, nil
	}
	entries, words, err := u.index.Index(r.Key.Kind, r.Last.Body)
	if err != nil {
		return facts{}, fmt.Errorf("index: %w", err)
	}
	f.Words = words
	for _, e := range entries {
		col, err := u.columnOf(list, e.Field)
		if err != nil {
			return facts{}, err
		}
		f.Entries = append(f.Entries, entry{Column: col, Order: e.Order, Exact: e.Exact})
	}
	f.Tidy()
	return f, u.markMany(&f)
}

// markMany marks the columns in which a document has several entries.
func (u *update) markMany(f *facts) error {
	for i := range f.Entries {
		col := f.Entries[i].Column
		if f.IsLeast(i) || u.c.many[col] {
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
	case r.Last.Deleted && doc == 0:
		return 0, nil
	case r.Last.Deleted:
		u.growth[list]--
		_, err := u.dropListed.ExecContext(u.ctx, doc)
		return doc, err
	case doc != 0:
		_, err := u.setListed.ExecContext(u.ctx, r.Rev, f.Row(r.Key.ID), doc)
		return doc, err
	}
	u.growth[list]++
	res, err := u.addListed.ExecContext(u.ctx, list, r.Key.ID, r.Rev, f.Row(r.Key.ID))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// replaceEntries of the old facts by those of the new, touching only what
// differs. Both are sorted.
func (u *update) replaceEntries(doc int64, id string, old, now *facts) {
	i, j := 0, 0
	for i < len(old.Entries) || j < len(now.Entries) {
		var order int
		switch {
		case i == len(old.Entries):
			order = 1
		case j == len(now.Entries):
			order = -1
		default:
			order = old.Entries[i].Compare(now.Entries[j])
		}
		if order == 0 && old.IsLeast(i) == now.IsLeast(j) {
			i, j = i+1, j+1
			continue
		}
		if order <= 0 {
			u.dropRow(entryRow{old.Entries[i], id, old.IsLeast(i), doc})
			i++
		}
		if order >= 0 {
			u.addRow(entryRow{now.Entries[j], id, now.IsLeast(j), doc})
			j++
		}
	}
}

func (u *update) dropRow(r entryRow) {
	u.drop = append(u.drop, r)
	if r.least {
		u.docs[r.Column]--
	}
}

func (u *update) addRow(r entryRow) {
	u.add = append(u.add, r)
	if r.least {
		u.docs[r.Column]++
	}
}

func (u *update) replaceWords(list, doc int64, old, now []string) {
	if slices.Equal(old, now) {
		return
	}
	w := wordsRow{doc: doc, was: len(old) > 0}
	if len(now) > 0 {
		w.text = searchable(list, now)
	}
	u.words = append(u.words, w)
}

// finish writes what was collected.
func (u *update) finish() error {
	if err := u.writeEntries(); err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	if err := u.writeWords(); err != nil {
		return fmt.Errorf("write words: %w", err)
	}
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

func (u *update) writeEntries() error {
	slices.SortFunc(u.drop, entryRow.compare)
	for _, e := range u.drop {
		if _, err := u.dropEntry.ExecContext(u.ctx, e.Column, e.Order, e.id, e.Exact); err != nil {
			return err
		}
	}
	slices.SortFunc(u.add, entryRow.compare)
	args := make([]any, 0, 6*len(u.add))
	for i := range u.add {
		e := &u.add[i]
		args = append(args, e.Column, e.Order, e.id, e.Exact, e.least, e.doc)
	}
	return u.entries.insert(u.ctx, u.tx, args)
}

// writeWords goes by ascending numbers: FTS5 writes out what it has gathered
// when they do not ascend. A number may come twice, first of a document that is
// gone and then of one that got it after that.
func (u *update) writeWords() error {
	slices.SortStableFunc(u.words, func(a, b wordsRow) int { return cmp.Compare(a.doc, b.doc) })
	for _, w := range u.words {
		if w.was {
			if _, err := u.dropWords.ExecContext(u.ctx, w.doc); err != nil {
				return err
			}
		}
		if w.text == "" {
			continue
		}
		if _, err := u.addWords.ExecContext(u.ctx, w.doc, w.text); err != nil {
			return err
		}
	}
	return nil
}
