package sync

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Errors of a Store. Anything else is a failure that may pass.
var (
	// ErrConflict: the head is not the one the append was made for.
	ErrConflict = errors.New("the head has moved")
	// ErrUnknownOutcome: the append may or may not have happened. The caller
	// repeats the same commits until the store knows.
	ErrUnknownOutcome = errors.New("outcome of the append is unknown")
	// ErrMissing: what was asked for is not there.
	ErrMissing = errors.New("not in the store")
)

// StagedPrefix begins the names of staged histories ("~restore/main"). One is a
// journal like any other for every method of a Store, but Workspaces does not
// list it: nobody is served from it, until Promote gives it the name of a
// workspace. Names of workspaces never begin so.
const StagedPrefix = "~"

// IsStaged says whether a name is that of a staged history.
func IsStaged(name string) bool { return strings.HasPrefix(name, StagedPrefix) }

// Head is the newest commit of a workspace; the zero Head is an empty journal.
type Head struct {
	Number uint64
	Hash   Hash
	At     time.Time
}

// OutcomeRef finds a mutation's outcome: the commit that holds it.
type OutcomeRef struct {
	ID     uuid.UUID
	Digest [16]byte
	Commit uint64
}

// Store keeps journals and what is read off them. Every method may be called
// by many goroutines at once; results belong to the caller.
type Store interface {
	// Workspaces lists the names of all workspaces that have a commit, sorted;
	// staged histories are not among them.
	Workspaces(ctx context.Context) ([]string, error)
	// Head gives the newest commit; the zero Head if there is none.
	Head(ctx context.Context, workspace string) (Head, error)
	// Append adds consecutive sealed commits, all or none, and returns when
	// they are durable together with the current documents and outcomes they
	// carry. It is a compare-and-set: commits[0] must follow the head by
	// number and hash, else ErrConflict. If exactly these commits (by hash)
	// stand there already it is a success, so that an append of unknown
	// outcome can be repeated. Encoded they have at most MaxAppendBytes.
	Append(ctx context.Context, workspace string, commits []*Commit) error
	// Journal calls yield for each commit from number from up to and with to
	// (0: the head), in order, with Prev and Hash set as stored. It stops at
	// the first error of yield and returns it.
	Journal(ctx context.Context, workspace string, from, to uint64, yield func(*Commit) error) error
	// Documents gives the current version of each key that has one (deleted
	// ones too), in any order.
	Documents(ctx context.Context, workspace string, keys []Key) ([]Version, error)
	// Outcomes finds those of the given mutations that have an outcome.
	Outcomes(ctx context.Context, workspace string, ids []uuid.UUID) ([]OutcomeRef, error)
	// Revisions lists the numbers of the commits that changed the document,
	// newest first, all below before (0: no bound), at most limit. It is
	// brought to head first.
	Revisions(ctx context.Context, workspace string, head uint64, key Key, before uint64, limit int) ([]uint64, error)
	// List answers a query under at least the given head: projections that
	// lag are brought to it first.
	List(ctx context.Context, workspace string, head uint64, q Query) (Listing, error)
	// SaveCheckpoint replaces the workspace's checkpoint; LoadCheckpoint
	// calls yield with its chunks in order, or returns ErrMissing.
	SaveCheckpoint(ctx context.Context, workspace string, head Head, chunks [][]byte) error
	LoadCheckpoint(ctx context.Context, workspace string) (Head, [][]byte, error)
	// SaveNotes keeps small values beside the journal (what is not worth a
	// commit: last seen, cursors, follower positions); a nil value removes.
	// Notes gives all whose key has the prefix.
	SaveNotes(ctx context.Context, workspace string, notes map[string][]byte) error
	Notes(ctx context.Context, workspace, prefix string) (map[string][]byte, error)
	// Promote gives a staged history the name of a workspace, with its notes
	// and checkpoint, if the workspace's head is still was (the zero Head: it
	// has no commit), else ErrConflict. What had the name before is gone with
	// all that lay beside it, and what is made for its head conflicts; whoever
	// is reading it may get an error. After an error that is neither
	// ErrConflict nor ErrMissing it may or may not have happened, or be half
	// way: the same call again completes it, or gives ErrMissing because the
	// staged history is not there (any more). It has been promoted then if the
	// workspace's head is the one it had.
	Promote(ctx context.Context, staged, workspace string, was Head) error
	// Drop removes a staged history with all that lies beside it. It refuses a
	// workspace, and with ErrConflict one whose promotion is half way; where
	// nothing is, it does nothing.
	Drop(ctx context.Context, staged string) error
	// Close waits for what is under way and releases everything.
	Close() error
}

// Indexer gives what lists need of a document: the entries that filters and
// sorts use, and the folded words of q. Stores call it while projecting;
// Registry implements it.
type Indexer interface {
	// Index of a version's wire form.
	Index(kind string, body []byte) (entries []Entry, words []string, err error)
	// Version changes whenever what Index gives may change: a store whose
	// projection was made under another one makes it anew.
	Version() string
}

// Entry is one value of one field, as filters and sorts use it. A list field
// gives one entry per element.
type Entry struct {
	Field string // path: "name", "custom.color", "assignedEmployeeIds"
	Exact string // the value as text, for equality
	Order string // sort key: folded text; numbers and times in a form that sorts
}

// Query is a list as the store runs it.
type Query struct {
	Kind    string
	Filters []Filter
	Words   []string // folded; each must be a prefix of a word of the document
	Sort    []SortKey
	Limit   int
	After   *ListPlace // nil: from the start
	// Visible, if set, leaves out documents that it refuses.
	Visible func(id string) bool
}

// Filter is a condition on a field.
type Filter struct {
	Field string
	Op    FilterOp
	// Values: Entry values whose Exact (Equal, In) or Order (the others) is
	// compared. Exists has none and Not says which way. Both are set, as
	// EntryFor does: an index may find an Exact by its Order.
	Values []Entry
	Not    bool
}

// FilterOp is how a filter compares.
type FilterOp int

// The comparisons.
const (
	Equal   FilterOp = iota // and one of several: any of Values
	AtLeast                 // Order >= value
	AtMost                  // Order <= value
	Prefix                  // Order starts with value
	Exists                  // any entry of the field; Not: none
)

// SortKey orders a list by a field's least entry; documents without one come
// last. Those that no key tells apart come by id, in the direction of the
// first key.
type SortKey struct {
	Field      string
	Descending bool
}

// ListPlace is a place in a sorted list: the sort values of the last row, in
// the order of Query.Sort ("" and Missing where it had none), and its id.
type ListPlace struct {
	Order   []string
	Missing []bool
	ID      string
}

// Listing is one page of a list.
type Listing struct {
	IDs   []string
	Next  *ListPlace // nil at the end
	Total int        // exact up to 10,000
	More  bool       // Total is a lower bound
}
