package mongo

import (
	stdsync "sync"
	"testing"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/store/storetest"
	"github.com/enroute-field/enroute/sync"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	var databases stdsync.Map // URI by place
	storetest.Run(t, func(t *testing.T, place string, idx sync.Indexer) sync.Store {
		t.Helper()
		uri, ok := databases.Load(place)
		if !ok {
			uri = mongotest.Database(t)
			databases.Store(place, uri)
		}
		return open(t, uri.(string), idx)
	})
}

func open(t testing.TB, uri string, idx sync.Indexer) *Store {
	t.Helper()
	s, err := Open(t.Context(), uri, idx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
