package mongo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// Columns are names here.
type (
	facts  = listing.Facts[string]
	source = listing.Source[string]
	yield  = listing.Yield[string]
)

// lists are what answers lists. There are two collections: listed has a row
// per document, deleted ones too, with its rev and all its facts; entries has
// a row for each value and each word of a document, to find it by.
//
// A row of listed is changed whole and at once; that an entry is there or not
// is another step. Several processes may write the same history, one of them
// may stop anywhere, or go on when all others are long past. What holds is:
//
//	(1) While a row of listed has a fact, the entry of the fact is there.
//
// There may be entries beyond that. So whoever reads finds documents by
// entries, and believes only the facts of their rows: what is found is right,
// and nothing is missed. An entry counts for nothing by itself.
//
// Each entry has a rev, the highest under which it was put there. Bringing a
// document from rev a with facts A to rev b with facts B is three steps, each
// begun when the one before is durable:
//
//	put the entries of B that A has not, with rev b at least;
//	change the row from a to b, if it is still at a;
//	remove the entries of A that B has not, if their rev is below b.
//
// Why (1) holds: the row goes through a chain of revs, each step a compare and
// set. Let the row be at rev r, with a fact. Let d be the last step of the
// chain, up to r, that brought the fact. Before that step its entry was put
// there with a rev of at least d. Who removes it afterwards does so after a
// step to some rev b whose facts lack it, and if the entry's rev is below b.
// If b > r, the row has gone on, and (1) says nothing of r any more. If b < d,
// the entry's rev is too high, and it stays. d <= b <= r cannot be: d is the
// last step that brought the fact, and a step that takes it would need one
// after it that brings it back.
//
// The same holds for anyone who has read the row at rev b: entries whose fact
// it lacks may be removed if their rev is below b. So a writer whose compare
// and set failed reads the row again, removes what it had put in vain, and
// goes on from there if the row is still older than what it brings. One that
// stops in the middle leaves entries behind that stand for nothing.
//
// Facts depend on the fields that are declared. Those of one version of them
// are a make, with a token of its own in every _id; another version is another
// make, so programs of different versions do not meddle with one another.
type lists struct {
	listed  *driver.Collection
	entries *driver.Collection
	index   sync.Indexer
}

func newLists(db *driver.Database, idx sync.Indexer) *lists {
	return &lists{db.Collection("listed"), db.Collection("entries"), idx}
}

// listedRow is a row of listed. Columns are those in which the document has an
// entry, sorted.
type listedRow struct {
	ID      listedID `bson:"_id"`
	Rev     int64    `bson:"r"`
	Deleted bool     `bson:"d"`
	Columns []string `bson:"c"`
	Facts   []byte   `bson:"f"`
}

func (r *listedRow) facts() (facts, error) {
	f, err := listing.ReadRow[string](rowName(r.ID, r.Rev), r.Facts)
	if err != nil {
		return f, fmt.Errorf("document %s of kind %s: %w", r.ID.ID, r.ID.Kind, err)
	}
	return f, nil
}

// rowName is what the checksum of the facts covers besides them.
func rowName(id listedID, rev int64) string {
	return fmt.Sprintf("%s/%s/%s/%d", id.Make, id.Kind, id.ID, rev)
}

// term is a place in the index of a kind where a document is to be found: the
// order of an entry, or a word.
type term struct{ column, order string }

// wordColumn is where words are; no field has this name.
const wordColumn = ""

func (t term) compare(o term) int {
	return cmp.Or(strings.Compare(t.column, o.column), strings.Compare(t.order, o.order))
}

// terms of facts, sorted and each once.
func terms(f *facts) []term {
	out := make([]term, 0, len(f.Entries)+len(f.Words))
	for _, w := range f.Words {
		out = append(out, term{wordColumn, w})
	}
	for i := range f.Entries {
		out = append(out, term{f.Entries[i].Column, f.Entries[i].Order})
	}
	slices.SortFunc(out, term.compare)
	return slices.Compact(out)
}

// less gives the terms of a that b has not. Both are sorted.
func less(a, b []term) []term {
	var out []term
	for _, t := range a {
		for len(b) > 0 && b[0].compare(t) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != t {
			out = append(out, t)
		}
	}
	return out
}

// write what the changes left.
func (l *lists) write(ctx context.Context, mk string, changes []*listing.Change) error {
	for part := range slices.Chunk(changes, bulkRows) {
		todo := make([]*transition, len(part))
		for i, c := range part {
			t, err := l.transition(mk, c)
			if err != nil {
				return fmt.Errorf("index %s@%d: %w", c.Key, c.Rev, err)
			}
			todo[i] = t
		}
		for len(todo) > 0 {
			var err error
			if todo, err = l.advance(ctx, todo); err != nil {
				return fmt.Errorf("write lists: %w", err)
			}
		}
	}
	return nil
}
