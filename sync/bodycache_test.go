package sync

import (
	"runtime"
	"testing"
	"weak"
)

// One cached document does not keep the others in memory that were read or
// written together with it: they are not counted.
func TestCacheKeepsOnlyWhatItCounts(t *testing.T) {
	t.Parallel()
	c := newBodyCache(1 << 20)
	rows := make([]Version, 1000)
	for i := range rows {
		rows[i] = Version{Key: Key{"k", "id"}, Rev: 1, Body: make([]byte, 1024)}
	}
	other := weak.Make(&rows[999].Body[0])
	c.put(1, 2, &rows[0])
	rows = nil //nolint:wastedassign // nothing else may hold them
	runtime.GC()
	if other.Value() != nil {
		t.Fatal("the neighbours of a cached document are still there")
	}
	var got [1]*Version
	if n := c.get(1, []wanted{{doc: 2, key: Key{"k", "id"}, rev: 1}}, got[:]); n != 0 || len(got[0].Body) != 1024 {
		t.Fatalf("cached %+v", got)
	}
}

// The cache stays within its limit, gives nothing but what was put last, and
// keeps what is in use while other things come and go.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	const size, room = 1000, 50
	c := newBodyCache(room * (size + 256))
	put := func(doc uint32, rev uint64) { c.put(7, doc, &Version{Rev: rev, Body: make([]byte, size)}) }
	has := func(doc uint32, rev uint64) bool {
		var out [1]*Version
		return c.get(7, []wanted{{doc: doc, rev: rev}}, out[:]) == 0 && out[0].Rev == rev
	}
	put(0, 1)
	put(0, 2)
	put(0, 1)
	if !has(0, 2) || has(0, 1) {
		t.Fatal("an older version has replaced a newer one")
	}
	for doc := range uint32(10 * room) {
		put(1+doc, 1)
		if !has(0, 2) {
			t.Fatalf("what is used all the time is gone after %d others", doc)
		}
		if c.size > c.limit || len(c.at) > room || len(c.slots) > room {
			t.Fatalf("%d bytes in %d entries", c.size, len(c.at))
		}
	}
	put(99, 1)
	c.put(8, 0, &Version{Rev: 1, Body: make([]byte, 2*room*(size+256))})
	if !has(99, 1) {
		t.Fatal("one that is too large for the cache has emptied it")
	}
	c.put(8, 1, &Version{Rev: 1})
	c.forget(7)
	if has(99, 1) || len(c.at) != 1 {
		t.Fatalf("%d entries are left", len(c.at))
	}
}
