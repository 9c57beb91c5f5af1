package sync

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// Mutation is one thing a person did, as a device sends it.
type Mutation struct {
	ID    uuid.UUID  `json:"id"`
	Kind  string     `json:"kind"`
	DocID string     `json:"docId"`
	Op    Op         `json:"op"`
	Base  uint64     `json:"base,omitempty"`
	Set   Fields     `json:"set,omitempty"`
	Unset []string   `json:"unset,omitempty"`
	At    *time.Time `json:"at,omitempty"` // device clock; nil: when it was sent
	Group string     `json:"group,omitempty"`
}

// Key of the document it is about.
func (m *Mutation) Key() Key { return Key{m.Kind, m.DocID} }

// PushRequest is a batch of mutations: one commit.
type PushRequest struct {
	SentAt    time.Time // the device's clock when it sent this; zero: as received
	Mutations []Mutation

	digests [][16]byte // of the mutations' contents, once computed
}

// Limits of a push.
const (
	MaxMutations   = 1000
	MaxPushBytes   = 4 << 20
	MaxDocument    = 256 << 10
	MaxCommitBytes = 8 << 20
	// MaxAppendBytes is of all commits of one append: a store may have to put
	// them into one record.
	MaxAppendBytes = 12 << 20
)

// Status of a mutation's result.
type Status string

// The statuses.
const (
	Applied  Status = "applied"
	Merged   Status = "merged"
	Rejected Status = "rejected"
)

// Result is what became of one mutation.
type Result struct {
	ID        uuid.UUID
	Status    Status
	Duplicate bool
	Rev       uint64
	Conflicts []Conflict
	Error     *fault.Error // when rejected
}

// PushResponse answers a push: one result per mutation, in order.
type PushResponse struct {
	Results []Result
	Head    uint64
}

// Write is what a console, an integration or the server itself changes in one
// commit: all of it, or nothing with an error.
type Write struct {
	Cause     Cause
	Mutations []Mutation
	// IfMatch, unless 0, is the rev the first mutation's document must have.
	IfMatch uint64
	// Key is the mutation id that makes a repetition harmless (Idempotency-Key,
	// or derived from a cause); zero: none. The same key with other content is
	// fault KeyReused.
	Key uuid.UUID
	// Admit lets the system set fields that are read-only and kinds that are private.
	Admit bool
}

// Written answers a write.
type Written struct {
	Rev       uint64 // the commit's number, or of the first answer of a repeated key
	Duplicate bool
	Docs      []Version // the documents of the mutations as they are now, in order
}

// Page is one answer of a pull.
type Page struct {
	Cursor string
	More   bool
	Head   uint64
	Reset  bool
	Drop   []string
	Remove []Key
	Put    [][]byte // wire forms
	Digest *Digest  // when More is false
}

// Digest sums up a view: how many documents, and the sum modulo 2^64 of
// FNV-1a-64 over "kind/id@rev" of each.
type Digest struct {
	Count int
	Sum   uint64
}

// ListRequest asks for documents of a kind.
type ListRequest struct {
	Kind    string
	Filters []Filter
	Search  string
	Sort    []SortKey
	Limit   int // 1 to 500; 0: 50
	After   string
}

// ListPage is one page of a list.
type ListPage struct {
	Items [][]byte // wire forms
	Next  string   // "" at the end
	Total int
	More  bool // Total is a lower bound
}

// HistoryEntry is one commit's change of a document.
type HistoryEntry struct {
	Rev        uint64        `json:"rev"`
	At         time.Time     `json:"at"`         // when it was done, corrected device time
	ReceivedAt time.Time     `json:"receivedAt"` // when the server had it
	Actor      HistoryActor  `json:"actor"`
	DeviceID   string        `json:"deviceId,omitempty"`
	Cause      Cause         `json:"cause"`
	Changes    []FieldChange `json:"changes"`
}

// HistoryActor is who made a change.
type HistoryActor struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
}

// FieldChange is one field's old and new value; absent is null.
type FieldChange struct {
	Field string `json:"field"`
	From  any    `json:"from"`
	To    any    `json:"to"`
}

// HistoryPage is a page of a document's history, newest first.
type HistoryPage struct {
	Items []HistoryEntry
	Next  uint64 // rev to continue below; 0 at the end
}

// Explanation tells why a principal sees a document, or that he does not.
type Explanation struct {
	Visible bool     `json:"visible"`
	Because []string `json:"because"` // role, open, assigned, team:<id>, task:<id>, own
}

// MarshalJSON writes the digest as on the wire: the sum as 16 hex digits.
func (d Digest) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"count": d.Count, "sum": hex16(d.Sum)})
}
