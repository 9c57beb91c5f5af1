package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/enroute-field/enroute/sync"
)

// otherIndexer is the next version of the program, with other fields to list.
type otherIndexer struct{ sync.Indexer }

func (otherIndexer) Version() string { return "another" }

// TestListsAreMadeAnew: whatever became of the lists' file, the lists are
// those of the journal.
func TestListsAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		idx   func(sync.Indexer) sync.Indexer
		spoil func(t *testing.T, path string)
	}{
		"lost":    {spoil: func(t *testing.T, path string) { must(t, discard(path)) }},
		"empty":   {spoil: func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }},
		"cut":     {spoil: func(t *testing.T, path string) { must(t, os.Truncate(path, 10_000)) }},
		"no file": {spoil: func(t *testing.T, path string) { must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 9000), 0o600)) }},
		"of another journal": {spoil: func(t *testing.T, path string) {
			change(t, path, `UPDATE progress SET hash = x'00'; DELETE FROM listed`)
		}},
		"ahead of the journal": {spoil: func(t *testing.T, path string) {
			change(t, path, `UPDATE progress SET target = 99; DELETE FROM listed`)
		}},
		"of another format": {spoil: func(t *testing.T, path string) {
			change(t, path, `PRAGMA user_version = 77; DROP TABLE progress`)
		}},
		"of other fields": {
			idx:   func(i sync.Indexer) sync.Indexer { return otherIndexer{i} },
			spoil: func(t *testing.T, path string) { change(t, path, `DELETE FROM listed`) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, path := newStore(t)
			c, head := follow(sync.Head{}, benchClient(1), benchClient(2))
			must(t, s.Append(t.Context(), "w", []*sync.Commit{c}))
			listsTwo(t, s, head)
			must(t, s.Close())
			test.spoil(t, listsPath(path))
			idx := sync.Indexer(benchRegistry(t))
			if test.idx != nil {
				idx = test.idx(idx)
			}
			again, err := Open(t.Context(), path, idx, Options{})
			must(t, err)
			defer func() { must(t, again.Close()) }()
			listsTwo(t, again, head)
		})
	}
}

func listsTwo(t *testing.T, s *Store, head sync.Head) {
	t.Helper()
	if n, err := total(t, s, head); n != 2 || err != nil {
		t.Fatalf("%d documents are listed, %v", n, err)
	}
	revs, err := s.Revisions(t.Context(), "w", head.Number, benchClient(1).Key, 0, 10)
	if len(revs) != 1 || err != nil {
		t.Fatalf("revisions %v, %v", revs, err)
	}
}

// TestListsOutOfReach: a file that cannot be opened is left as it is, and told.
func TestListsOutOfReach(t *testing.T) {
	t.Parallel()
	s, path := newStore(t)
	must(t, s.Close())
	must(t, discard(listsPath(path)))
	must(t, os.Mkdir(listsPath(path), 0o700))
	if _, err := Open(t.Context(), path, benchRegistry(t), Options{}); err == nil {
		t.Fatal("a folder was taken for the lists")
	}
	if info, err := os.Stat(listsPath(path)); err != nil || !info.IsDir() {
		t.Fatalf("%v, %v", info, err)
	}
}

// TestAppendsDoNotWaitForLists: while the lists' file is locked by somebody, appends
// go on; lists come when it is free.
func TestAppendsDoNotWaitForLists(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	tx, err := s.lists.BeginTx(t.Context(), nil)
	must(t, err)
	head := sync.Head{}
	for i := range 20 {
		var c *sync.Commit
		c, head = follow(head, benchClient(i))
		must(t, s.Append(t.Context(), "w", []*sync.Commit{c}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.List(ctx, "w", head.Number, sync.Query{Kind: "client", Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a list that cannot be had yet gave %v", err)
	}
	must(t, tx.Rollback())
	if n, err := total(t, s, head); n != 20 || err != nil {
		t.Fatalf("%d documents are listed, %v", n, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// change a file behind the store's back.
func change(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	script(t, db, statements)
}

// TestListsOfAnotherJournalInPart: the program ended between two transactions
// of one large commit, and then the data file was replaced. Nothing of the
// commit that is not in the new journal shows.
func TestListsOfAnotherJournalInPart(t *testing.T) {
	t.Parallel()
	s, path := newStore(t)
	var changes []sync.Version
	for i := range batchDocuments + 5 {
		changes = append(changes, benchClient(i))
	}
	script(t, s.lists, fmt.Sprintf(`CREATE TRIGGER guard BEFORE INSERT ON listed WHEN new.id = '%s'
		BEGIN SELECT RAISE(ABORT, 'not now'); END`, changes[batchDocuments].ID))
	c, head := follow(sync.Head{}, changes...)
	must(t, s.Append(t.Context(), "w", []*sync.Commit{c}))
	if _, err := total(t, s, head); err == nil {
		t.Fatal("a list was answered that cannot be complete")
	}
	must(t, s.Close())
	must(t, discard(path))
	again := openAt(t, path, benchRegistry(t))
	defer func() { must(t, again.Close()) }()
	c, head = follow(sync.Head{}, benchClient(5000))
	must(t, again.Append(t.Context(), "w", []*sync.Commit{c}))
	if n, err := total(t, again, head); n != 1 || err != nil {
		t.Fatalf("%d documents are listed, %v", n, err)
	}
}

// TestWordsOfAReusedRow: a document that comes while the newest one goes gets
// its row, and is found by its words, whatever else changes with it.
func TestWordsOfAReusedRow(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	const others, word = 100, "plomberie" // the word of every fourth client
	var first, second []sync.Version
	for i := range others {
		first = append(first, benchClient(4*i))
		again := benchClient(4 * (others - 1 - i))
		again.Body = bytes.ReplaceAll(again.Body, []byte("Plomberie"), []byte("Plomberie neuve"))
		second = append(second, again)
	}
	newest := benchClient(4 * others)
	c, head := follow(sync.Head{}, append(first, newest)...)
	must(t, s.Append(t.Context(), "w", []*sync.Commit{c}))
	if n, err := total(t, s, head); n != others+1 || err != nil {
		t.Fatalf("%d documents are listed, %v", n, err)
	}
	newest.Deleted = true
	c, head = follow(head, append([]sync.Version{newest, benchClient(4*others + 4)}, second...)...)
	must(t, s.Append(t.Context(), "w", []*sync.Commit{c}))
	list, err := s.List(t.Context(), "w", head.Number, sync.Query{Kind: "client", Words: []string{word}, Limit: 500})
	if err != nil || len(list.IDs) != others+1 || list.Total != others+1 {
		t.Fatalf("%d are found, %d in total, %v", len(list.IDs), list.Total, err)
	}
}
