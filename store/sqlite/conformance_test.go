package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/store/storetest"
	"github.com/enroute-field/enroute/sync"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
		t.Helper()
		return openAt(t, filepath.Join(place, "enroute.db"), idx)
	})
}

// TestConformanceWalking runs the lists' part with a store that walks every
// list in order, as it else does only with large ones.
func TestConformanceWalking(t *testing.T) {
	t.Parallel()
	storetest.RunLists(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
		t.Helper()
		s := openAt(t, filepath.Join(place, "enroute.db"), idx)
		s.reader.gathers = listing.Limits{}
		return s
	})
}

func openAt(t testing.TB, path string, idx sync.Indexer) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, idx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
