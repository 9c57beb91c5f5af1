package sync

import (
	"time"
)

// Reader is how rules look at other documents: the state on which the change
// lands, earlier changes of the same request included.
type Reader interface {
	// Get a live document; ErrMissing if there is none.
	Get(key Key) (*Document, error)
	// Referrers are the ids of the live documents of a kind whose Edges.Refs
	// name the key, sorted.
	Referrers(key Key, kind string) []string
	// InScope are the keys of the live documents in a scope, sorted.
	InScope(scope string) []Key
	// ByUnique finds the live document that has a unique value; "" if none.
	ByUnique(kind, field, value string) (id string, err error)
	// Principal of an account; the zero Principal if there is none.
	Principal(id string) Principal
	// Principals are the ids of all accounts that are active and have the role, sorted.
	Principals(role Role) []string
	// Now is when the request was received; Day the workspace's date
	// ("2026-11-21"); Zone its time zone.
	Now() time.Time
	Day() string
	Zone() *time.Location
	// Actor of the request, and the role it has.
	Actor() Actor
	Role() Role
}

// Op is what a mutation does.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
)

// Change is one mutation on its way to becoming a version of a document.
type Change struct {
	Op  Op
	Key Key
	// Old is the document before (its Fields may not be changed); nil for a
	// creation. A deleted one here is being revived by an update.
	Old *Document
	// New is the document after, merged; nil for a deletion.
	New *Document
	// Asked are the fields the mutation set, Unset those it removed, as sent
	// and validated.
	Asked Fields
	Unset []string
	// Reason came with the mutation ("reason" in set), for transitions.
	Reason string
	// At is the corrected device time, DeviceAt the device's own clock, both
	// UTC; Received the server's time.
	At, DeviceAt, Received time.Time
	// Base is the rev the person was looking at.
	Base uint64
	// Offline is true when it came by push: what was done cannot be asked
	// again, so rules keep it where they would refuse it from a console.
	Offline bool
	// ByRules is true when another document's rules made this change
	// (Tx.Update, Tx.Create, Tx.Delete), not the actor directly.
	ByRules bool

	conflicts []Conflict
}

// Conflict is one field on which two sides differed.
type Conflict struct {
	Field     string `json:"field"`
	Kept      any    `json:"kept"`
	Discarded any    `json:"discarded"`
	Level     string `json:"-"` // LevelInfo or LevelDecide
	Reason    string `json:"-"` // sameField, illegalState, afterReassignment, duplicate, deletedEdited, refusedPunch
	Other     Mark   `json:"-"` // who made the other change
}

// Levels of a conflict: a rule decided, or a person must.
const (
	LevelInfo   = "info"
	LevelDecide = "decide"
)

// Conflict records that both sides differed about a field. The engine keeps
// it in a conflict document in the scope of the changed one.
func (ch *Change) Conflict(c Conflict) { ch.conflicts = append(ch.conflicts, c) }

// Changed says whether the change gives the field another value.
func (ch *Change) Changed(field string) bool {
	var before, after any
	if ch.Old != nil {
		before = ch.Old.Fields[field]
	}
	if ch.New != nil {
		after = ch.New.Fields[field]
	}
	return !equal(before, after)
}
