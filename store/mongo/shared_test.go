package mongo

import (
	stdsync "sync"
	"sync/atomic"
	"testing"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/store/storetest"
	"github.com/enroute-field/enroute/sync"
)

// TestShared: two stores over one database, each of which stops now and then
// between any two of its commands.
func TestShared(t *testing.T) {
	t.Parallel()
	var databases stdsync.Map // URI by place
	var opened atomic.Uint64
	storetest.RunShared(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
		t.Helper()
		uri, ok := databases.Load(place)
		if !ok {
			uri = mongotest.Database(t)
			databases.Store(place, uri)
		}
		return openPausing(t, uri.(string), idx, opened.Add(1))
	})
}
