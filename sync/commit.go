package sync

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Hash is a link of the chain: SHA-256 over the predecessor's hash and the
// commit's content.
type Hash [sha256.Size]byte

// Link is the short form of a hash that cursors carry.
func (h Hash) Link() uint64 { return binary.BigEndian.Uint64(h[:8]) }

// Commit is one numbered change of a workspace: all that one request did.
type Commit struct {
	Number uint64
	Prev   Hash // hash of the predecessor; zero for number 1
	Hash   Hash // set by Seal
	Nonce  uuid.UUID
	// At is when it was received, UTC, in microseconds; never before its predecessor's.
	At    time.Time
	Actor Actor
	Cause Cause
	// Day is the workspace's date ("2026-11-21") from this commit on; "" keeps it.
	Day      string
	Changes  []Version
	Outcomes []Outcome
}

// Cause tells by which door a commit came.
type Cause struct {
	Kind string `json:"kind"` // push, api, automation, recurrence, geocoder, import, system
	Ref  string `json:"ref,omitempty"`
}

// Version is one document as one commit left it. Of a deleted document Body
// is the last one it had.
type Version struct {
	Key
	Rev     uint64 // the commit's number
	Scope   string
	Deleted bool
	Body    []byte // wire form
	Marks   []byte // JSON of Marks
}

// Outcome is what became of one mutation, kept for as long as the journal.
type Outcome struct {
	ID     uuid.UUID
	User   string
	Digest [16]byte // of the mutation's content
	Result json.RawMessage
}

// Head is the journal's once the commit is its last.
func (c *Commit) Head() Head { return Head{Number: c.Number, Hash: c.Hash, At: c.At} }

// Follows says whether the commit is made for a journal with this head.
func (c *Commit) Follows(h Head) bool { return c.Number == h.Number+1 && c.Prev == h.Hash }

// Consecutive says what is wrong, if not each commit follows the one before.
func Consecutive(commits []*Commit) error {
	for i := 1; i < len(commits); i++ {
		if before := commits[i-1].Head(); !commits[i].Follows(before) {
			return fmt.Errorf("commit %d does not follow commit %d", commits[i].Number, before.Number)
		}
	}
	return nil
}

// Seal computes Hash from Prev and the content.
func (c *Commit) Seal() { c.Hash = HashOf(c.Prev, c.Encode()) }

// HashOf is the hash of the commit with this content (see Encode) after prev.
func HashOf(prev Hash, content []byte) (hash Hash) {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(content)
	h.Sum(hash[:0])
	return hash
}

// Encode gives the content of the commit as stored and hashed: all but Prev
// and Hash, in a length-prefixed binary form that starts with its version.
func (c *Commit) Encode() []byte {
	w := writer{buf: make([]byte, 0, c.size())}
	w.uvarint(commitFormat)
	w.uvarint(c.Number)
	w.raw(c.Nonce[:])
	w.uvarint(uint64(c.At.UnixMicro()))
	w.text(c.Actor.User)
	w.text(c.Actor.Device)
	w.text(c.Actor.Name)
	w.text(c.Cause.Kind)
	w.text(c.Cause.Ref)
	w.text(c.Day)
	w.uvarint(uint64(len(c.Changes)))
	for i := range c.Changes {
		v := &c.Changes[i]
		w.text(v.Kind)
		w.text(v.ID)
		w.text(v.Scope)
		w.flag(v.Deleted)
		w.bytes(v.Body)
		w.bytes(v.Marks)
	}
	w.uvarint(uint64(len(c.Outcomes)))
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		w.raw(o.ID[:])
		w.text(o.User)
		w.raw(o.Digest[:])
		w.bytes(o.Result)
	}
	return w.buf
}

const commitFormat = 1

// size is an upper bound of the encoded length.
func (c *Commit) size() int {
	n := 256 + len(c.Actor.User) + len(c.Actor.Device) + len(c.Actor.Name) + len(c.Cause.Kind) + len(c.Cause.Ref)
	for i := range c.Changes {
		v := &c.Changes[i]
		n += 32 + len(v.Kind) + len(v.ID) + len(v.Scope) + len(v.Body) + len(v.Marks)
	}
	for i := range c.Outcomes {
		n += 64 + len(c.Outcomes[i].User) + len(c.Outcomes[i].Result)
	}
	return n
}

// ErrDamaged is the error of stored bytes that are not what was written.
var ErrDamaged = errors.New("stored data is damaged")

// DecodeCommit reads what Encode wrote. Prev and Hash are the caller's to set.
func DecodeCommit(b []byte) (*Commit, error) {
	r := reader{buf: b}
	if f := r.uvarint(); f != commitFormat {
		return nil, fmt.Errorf("commit format %d: %w", f, ErrDamaged)
	}
	c := &Commit{Number: r.uvarint()}
	copy(c.Nonce[:], r.raw(len(c.Nonce)))
	c.At = time.UnixMicro(int64(r.uvarint())).UTC()
	c.Actor = Actor{User: r.text(), Device: r.text(), Name: r.text()}
	c.Cause = Cause{Kind: r.text(), Ref: r.text()}
	c.Day = r.text()
	c.Changes = make([]Version, r.count())
	for i := range c.Changes {
		c.Changes[i] = Version{
			Key: Key{Kind: r.text(), ID: r.text()}, Rev: c.Number, Scope: r.text(),
			Deleted: r.flag(), Body: r.bytes(), Marks: r.bytes(),
		}
	}
	c.Outcomes = make([]Outcome, r.count())
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		copy(o.ID[:], r.raw(len(o.ID)))
		o.User = r.text()
		copy(o.Digest[:], r.raw(len(o.Digest)))
		o.Result = r.bytes()
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode commit: %w", err)
	}
	return c, nil
}
