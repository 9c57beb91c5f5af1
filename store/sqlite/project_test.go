package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// total of the clients listed under head; the error is the list's.
func total(t *testing.T, s *Store, head sync.Head) (int, error) {
	t.Helper()
	list, err := s.List(t.Context(), "w", head.Number, sync.Query{Kind: "client", Limit: 1})
	return list.Total, err
}

// TestProjectionResumes: one large commit takes several transactions. When one
// of them fails and the program ends, the next one projects the rest.
func TestProjectionResumes(t *testing.T) {
	t.Parallel()
	const documents = 3*batchDocuments + 5
	s, path := newStore(t)
	var changes []sync.Version
	for i := range documents {
		changes = append(changes, benchClient(i))
	}
	script(t, s.lists, fmt.Sprintf(`CREATE TRIGGER guard BEFORE INSERT ON listed WHEN new.id = '%s'
		BEGIN SELECT RAISE(ABORT, 'not now'); END`, changes[2*batchDocuments].ID))
	c, head := follow(sync.Head{}, changes...)
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := total(t, s, head); err == nil {
			t.Fatal("a list was answered that cannot be complete")
		}
	}
	script(t, s.lists, "DROP TRIGGER guard")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path, benchRegistry(t))
	defer func() { _ = again.Close() }()
	if got, err := total(t, again, head); err != nil || got != documents {
		t.Fatalf("list has %d documents, %v, want %d", got, err, documents)
	}
}

// TestProjectionRetries: once the cause is gone, the next query succeeds
// without a new start.
func TestProjectionRetries(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	script(t, s.lists, "CREATE TRIGGER guard BEFORE INSERT ON columns BEGIN SELECT RAISE(ABORT, 'not now'); END")
	c, head := follow(sync.Head{}, benchClient(1))
	if err := s.Append(t.Context(), "w", []*sync.Commit{c}); err != nil {
		t.Fatal(err)
	}
	if _, err := total(t, s, head); err == nil {
		t.Fatal("a list was answered that cannot be complete")
	}
	script(t, s.lists, "DROP TRIGGER guard")
	if got, err := total(t, s, head); err != nil || got != 1 {
		t.Fatalf("list has %d documents, %v", got, err)
	}
}

// TestProjectionGuard: an older version never replaces a newer one.
func TestProjectionGuard(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	first, head := follow(sync.Head{}, benchClient(1))
	second, head := follow(head, benchClient(1))
	if err := s.Append(t.Context(), "w", []*sync.Commit{first, second}); err != nil {
		t.Fatal(err)
	}
	if _, err := total(t, s, head); err != nil {
		t.Fatal(err)
	}
	key := benchClient(1).Key
	old := &row{1, &listing.Change{Key: key, Rev: 1, Last: &sync.Version{Key: key, Rev: 1, Deleted: true}}}
	err := s.projector.apply(t.Context(), []*row{old}, func(context.Context, *sql.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := total(t, s, head); err != nil || got != 1 {
		t.Fatalf("list has %d documents, %v", got, err)
	}
}

// TestFailedCheckpoint: of a checkpoint that could not be saved nothing shows,
// and the next one removes what is left of it.
func TestFailedCheckpoint(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	save := func(number uint64, chunks ...string) error {
		var parts [][]byte
		for _, c := range chunks {
			parts = append(parts, []byte(c))
		}
		return s.SaveCheckpoint(t.Context(), "w", sync.Head{Number: number}, parts)
	}
	isSaved := func(number uint64, want string) {
		t.Helper()
		head, chunks, err := s.LoadCheckpoint(t.Context(), "w")
		if err != nil || head.Number != number || fmt.Sprintf("%s", chunks) != want {
			t.Fatalf("checkpoint is %d %s, %v, want %d %s", head.Number, chunks, err, number, want)
		}
	}
	if err := save(1, "a", "b"); err != nil {
		t.Fatal(err)
	}
	script(t, s.writer.db, "CREATE TRIGGER guard BEFORE INSERT ON chunks WHEN new.position = 1 BEGIN SELECT RAISE(ABORT, 'no'); END")
	if err := save(2, "c", "d"); err == nil {
		t.Fatal("the checkpoint was saved")
	}
	isSaved(1, "[a b]")
	script(t, s.writer.db, "DROP TRIGGER guard")
	if err := save(3, "e", "f", "g"); err != nil {
		t.Fatal(err)
	}
	isSaved(3, "[e f g]")
	var rows int
	if err := s.writer.db.QueryRowContext(t.Context(), "SELECT count(*) FROM chunks").Scan(&rows); err != nil || rows != 3 {
		t.Fatalf("%d chunks are kept, %v", rows, err)
	}
}
