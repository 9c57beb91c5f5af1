package mongotest

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/enroute-field/enroute/store/faultnet"
)

// A database that is reached through a proxy is the same one, and is not
// reached around it.
func TestThrough(t *testing.T) {
	t.Parallel()
	p := faultnet.New(t, 1, Primary(t))
	uri := Through(Database(t), p.Address())
	if err := ping(t, uri); err != nil {
		t.Errorf("through the proxy: %v", err)
	}
	p.Set(faultnet.Trouble{Refuse: true})
	if err := ping(t, uri); err == nil {
		t.Error("it answers though the proxy refuses")
	}
}

func TestThroughKeepsTheRest(t *testing.T) {
	t.Parallel()
	got := Through("mongodb://u:p@a.example,b.example:27018/db?authSource=admin&replicaSet=rs0", "127.0.0.1:9")
	if want := "mongodb://u:p@127.0.0.1:9/db?authSource=admin&directConnection=true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func ping(t *testing.T, uri string) error {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) }()
	return client.Ping(t.Context(), nil)
}
