package mongo

import (
	"context"
	"errors"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/enroute-field/enroute/store/faultnet"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

func TestAddressRefused(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"":                                                       "is not of the form mongodb://",
		"enroute.db":                                             "is not of the form mongodb://",
		"mongodb://u:geheim%zz@127.0.0.1/":                       "is not of the form mongodb://",
		"mongodb://u:geheim@127.0.0.1:abc/":                      "is not of the form mongodb://",
		"mongodb://u:geheim@127.0.0.1/?w=1":                      "says w=1",
		"mongodb://u:geheim@127.0.0.1/?w=0":                      "says w=0",
		"mongodb://u:geheim@127.0.0.1/?w=near":                   "says w=near",
		"mongodb://u:geheim@127.0.0.1/?journal=false":            "says journal=false",
		"mongodb://u:geheim@127.0.0.1/?readConcernLevel=local":   "says readConcernLevel=local",
		"mongodb://u:geheim@127.0.0.1/?readPreference=secondary": "says readPreference=secondary",
	} {
		_, err := Open(t.Context(), uri, kinds(t), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q gave: %v", uri, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	proxy := faultnet.New(t, 1)
	address := proxy.Address()
	proxy.Close()
	uri := "mongodb://u:geheim@" + address + "/enroute?serverSelectionTimeoutMS=500"
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := Open(ctx, uri, kinds(t), Options{})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a server that is not there gave: %v (%v)", err, ctx.Err())
	}
}

func TestOtherSchema(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	s := opened(t, uri)
	_, err := s.db.Collection("meta").UpdateOne(t.Context(), byID("schema"), bson.D{{Key: "$inc", Value: bson.D{{Key: "version", Value: 1}}}})
	must(t, err)
	if _, err := Open(t.Context(), uri, kinds(t), Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer schema gave %v", err)
	}
}

func TestForeignDatabase(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	addr, err := parse(uri)
	must(t, err)
	other := opened(t, mongotest.Named(uri, addr.database+"_2"))
	_, err = other.client.Database(addr.database).Collection("orders").InsertOne(t.Context(), byID(1))
	must(t, err)
	if _, err := Open(t.Context(), uri, kinds(t), Options{}); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "orders") {
		t.Errorf("another program's database gave %v", err)
	}
	must(t, other.db.Drop(t.Context()))
}

// TestStartBrokenOff: a process ends after it has claimed the database.
func TestStartBrokenOff(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	s := opened(t, mongotest.Named(uri, "test_other_"+uuid.NewString()[:8]))
	addr, err := parse(uri)
	must(t, err)
	db := s.client.Database(addr.database)
	must(t, claim(t.Context(), db))
	opened(t, uri)
	if found, err := readSchema(t.Context(), db); err != nil || !found.Ready {
		t.Errorf("the schema is %v, %v", found, err)
	}
	indexes, err := db.Collection("segments").Indexes().ListSpecifications(t.Context())
	if err != nil || len(indexes) != 2 {
		t.Errorf("segments have %d indexes, %v", len(indexes), err)
	}
	must(t, s.db.Drop(t.Context()))
}

// TestOpenedAtOnce: nodes that start together on an empty database.
func TestOpenedAtOnce(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	var g stdsync.WaitGroup
	for range 3 {
		g.Go(func() {
			s, err := Open(t.Context(), uri, kinds(t), Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
}

// TestEveryCommandIsBound: whatever is sent has a time limit that the server
// knows, writes ask for a majority's disks, reads for what a majority has.
func TestEveryCommandIsBound(t *testing.T) {
	t.Parallel()
	addr, err := parse(mongotest.Database(t) + "?timeoutMS=0&maxPoolSize=0&w=majority&readPreference=primary")
	must(t, err)
	var mu stdsync.Mutex
	seen := map[string]bool{}
	addr.options.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.CommandName] = true
		if why := unbound(e.CommandName, e.Command); why != "" {
			t.Errorf("%s: %s", e.CommandName, why)
		}
	}})
	if pool := addr.options.MaxPoolSize; pool == nil || *pool != maxPool {
		t.Error("the pool has no limit")
	}
	s, err := openAt(t.Context(), addr, kinds(t), Options{})
	must(t, err)
	useAll(t, s)
	must(t, s.Close())
	for _, name := range []string{"insert", "update", "delete", "find", "findAndModify", "createIndexes"} {
		if !seen[name] {
			t.Errorf("no %s was sent", name)
		}
	}
}

// unbound says what a command lacks.
func unbound(name string, command bson.Raw) string {
	majority := func(concern, key string) bool {
		level, ok := command.Lookup(concern, key).StringValueOK()
		return ok && level == "majority"
	}
	if limit, ok := command.Lookup("maxTimeMS").AsInt64OK(); name != "endSessions" && (!ok || limit <= 0 || limit > opTimeout.Milliseconds()) {
		return "no time limit"
	}
	switch name {
	case "insert", "update", "delete", "findAndModify":
		if journaled, ok := command.Lookup("writeConcern", "j").BooleanOK(); !majority("writeConcern", "w") || !ok || !journaled {
			return "not durable"
		}
	case "find":
		if !majority("readConcern", "level") {
			return "may read what is rolled back"
		}
	}
	return ""
}

// useAll calls every method there is.
func useAll(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	head, _ := add(t, s, "w", sync.Head{}, 2)
	add(t, s, staged, sync.Head{}, 2)
	hashes(t, s, "w")
	must(t, s.SaveNotes(ctx, "w", map[string][]byte{"a": []byte("1"), "b": nil}))
	must(t, s.SaveCheckpoint(ctx, "w", head, [][]byte{[]byte("a")}))
	_, err := s.Notes(ctx, "w", "")
	must(t, err)
	_, _, err = s.LoadCheckpoint(ctx, "w")
	must(t, err)
	_, err = s.Outcomes(ctx, "w", []uuid.UUID{uuid.New()})
	must(t, err)
	_, err = s.Documents(ctx, "w", []sync.Key{{Kind: "client", ID: "c1"}})
	must(t, err)
	_, err = s.Revisions(ctx, "w", 2, sync.Key{Kind: "client", ID: "c1"}, 0, 10)
	must(t, err)
	_, err = s.Workspaces(ctx)
	must(t, err)
	must(t, s.Promote(ctx, staged, "w", head))
	must(t, s.Drop(ctx, staged))
}
