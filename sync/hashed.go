package sync

import (
	"hash/maphash"
	"strings"
)

// hashed finds numbers by a 64-bit hash of what they stand for. Nearly always
// one number has a hash, so one costs 12 bytes; whoever looks checks that it
// is the right one.
type hashed struct {
	first map[uint64]uint32
	more  map[uint64][]uint32 // further numbers with the same hash
}

func newHashed(room int) hashed {
	return hashed{first: make(map[uint64]uint32, room), more: map[uint64][]uint32{}}
}

func (h *hashed) add(hash uint64, n uint32) {
	if _, taken := h.first[hash]; taken {
		h.more[hash] = append(h.more[hash], n)
		return
	}
	h.first[hash] = n
}

func (h *hashed) remove(hash uint64, n uint32) {
	more := h.more[hash]
	switch first, ok := h.first[hash]; {
	case !ok:
		return
	case first != n:
		more = without(more, n)
	case len(more) == 0:
		delete(h.first, hash)
		return
	default:
		h.first[hash], more = more[0], more[1:]
	}
	if len(more) == 0 {
		delete(h.more, hash)
	} else {
		h.more[hash] = more
	}
}

// find the number with the hash that is the right one.
func (h *hashed) find(hash uint64, right func(uint32) bool) (uint32, bool) {
	n, ok := h.first[hash]
	if !ok || right(n) {
		return n, ok
	}
	for _, n := range h.more[hash] {
		if right(n) {
			return n, true
		}
	}
	return 0, false
}

// all numbers with the hash, in the order in which they came.
func (h *hashed) all(hash uint64) []uint32 {
	n, ok := h.first[hash]
	if !ok {
		return nil
	}
	return append([]uint32{n}, h.more[hash]...)
}

// names hashes texts. Its seed is secret, so that nobody can send ids that
// collide.
type names struct{ seed maphash.Seed }

func newNames() names { return names{maphash.MakeSeed()} }

func (h names) of(text string) uint64 { return maphash.String(h.seed, text) }

func (h names) ofKey(k Key) uint64 {
	return maphash.String(h.seed, k.ID) ^ maphash.String(h.seed, k.Kind)*fnvPrime
}

// texts keeps many short texts that live as long as it does, side by side:
// each by itself would take a third more.
type texts struct{ block strings.Builder }

const textBlock = 16 << 10

func (t *texts) keep(s string) string {
	if t.block.Cap()-t.block.Len() < len(s) {
		t.block.Reset()
		t.block.Grow(max(textBlock, len(s)))
	}
	from := t.block.Len()
	t.block.WriteString(s)
	return t.block.String()[from:]
}
