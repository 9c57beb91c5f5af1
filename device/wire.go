package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Key names a document.
type Key struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

func (k Key) String() string { return k.Kind + "/" + k.ID }

// Fields are decoded members of a document: nil, bool, float64, string, []any
// and map[string]any, as encoding/json decodes them.
type Fields = map[string]any

// Document is the server's copy of one record. Body is its wire form, whole.
type Document struct {
	Key
	Rev   uint64
	Scope string
	Body  json.RawMessage
}

// UnmarshalJSON reads a document's wire form and keeps it.
func (d *Document) UnmarshalJSON(b []byte) error {
	var head struct {
		Key
		Rev   uint64 `json:"rev"`
		Scope string `json:"scope"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	if head.Kind == "" || head.ID == "" || head.Rev == 0 || head.Scope == "" {
		return errors.New("read document: kind, id, rev or scope is missing")
	}
	*d = Document{head.Key, head.Rev, head.Scope, append(json.RawMessage(nil), b...)}
	return nil
}

// MarshalJSON writes the wire form.
func (d Document) MarshalJSON() ([]byte, error) { return d.Body, nil }

// Page is one answer of a pull, or one event of the live stream.
type Page struct {
	Cursor string     `json:"cursor"`
	More   bool       `json:"more"`
	Head   uint64     `json:"head"`
	Reset  bool       `json:"reset,omitempty"`
	Drop   []string   `json:"drop,omitempty"`
	Remove []Key      `json:"remove,omitempty"`
	Put    []Document `json:"put,omitempty"`
	Digest *Digest    `json:"digest,omitempty"` // when More is false
}

// Op is what a mutation does.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
)

// Mutation is one thing a person did, as it is sent. Sent again it must be
// the same to the last field, so a device never changes one it has made.
type Mutation struct {
	ID    uuid.UUID  `json:"id"`
	Kind  string     `json:"kind"`
	DocID string     `json:"docId"`
	Op    Op         `json:"op"`
	Base  uint64     `json:"base,omitempty"`
	Set   Fields     `json:"set,omitempty"`
	Unset []string   `json:"unset,omitempty"`
	At    *time.Time `json:"at,omitempty"`
	Group string     `json:"group,omitempty"`
}

// Key of the document it is about.
func (m *Mutation) Key() Key { return Key{m.Kind, m.DocID} }

// PushRequest is a batch of mutations in the order they were made.
type PushRequest struct {
	SentAt    time.Time  `json:"sentAt"`
	Mutations []Mutation `json:"mutations"`
}

// Status is what became of a mutation.
type Status string

// The statuses of a result.
const (
	Applied  Status = "applied"
	Merged   Status = "merged"
	Rejected Status = "rejected"
)

// Result answers one mutation.
type Result struct {
	ID        uuid.UUID  `json:"id"`
	Status    Status     `json:"status"`
	Duplicate bool       `json:"duplicate,omitempty"`
	Rev       uint64     `json:"rev,omitempty"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
	Error     *Problem   `json:"error,omitempty"` // when rejected
}

// Conflict is a field on which this device and another side differed.
type Conflict struct {
	Field     string `json:"field"`
	Kept      any    `json:"kept"`
	Discarded any    `json:"discarded"`
}

// PushResponse answers a push: one result per mutation, in order.
type PushResponse struct {
	Results []Result `json:"results"`
	Head    uint64   `json:"head"`
}

// Report tells the server that the device's documents were not what the
// digest said, and that it starts over.
type Report struct {
	Kind     string `json:"kind"` // "digest"
	Head     uint64 `json:"head"`
	Expected Digest `json:"expected"`
	Actual   Digest `json:"actual"`
}
