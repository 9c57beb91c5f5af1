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
	if n := c.get(1, []wanted{{doc: 2, rev: 1}}, got[:]); n != 0 || len(got[0].Body) != 1024 {
		t.Fatalf("cached %+v", got)
	}
}
