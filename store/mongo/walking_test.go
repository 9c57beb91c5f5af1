package mongo

import (
	stdsync "sync"
	"testing"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/store/storetest"
	"github.com/enroute-field/enroute/sync"
)

// TestConformanceWalking runs the lists' part with a store that walks every
// list in order, as it else does only with large ones.
func TestConformanceWalking(t *testing.T) {
	t.Parallel()
	var databases stdsync.Map // URI by place
	storetest.RunLists(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
		t.Helper()
		uri, ok := databases.Load(place)
		if !ok {
			uri = mongotest.Database(t)
			databases.Store(place, uri)
		}
		s := open(t, uri.(string), idx)
		s.projections.limits = listing.Limits{}
		return s
	})
}
