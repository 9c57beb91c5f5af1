// Package mongotest gives tests the MongoDB, or what speaks like one, that
// runs for them.
package mongotest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// variable names the server in the environment; standard is where
// scripts/mongo-wire starts one.
const (
	variable = "ENROUTE_TEST_MONGO"
	standard = "mongodb://127.0.0.1:27122/"
)

// URI of the server for tests. One must run: `scripts/mongo-wire up` starts it.
func URI() string {
	if uri := os.Getenv(variable); uri != "" {
		return uri
	}
	return standard
}

// Database gives the URI of an empty database of the test's own, which is
// dropped when the test ends. It fails the test when no server is there.
func Database(t testing.TB) string {
	t.Helper()
	uri, drop, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return uri
}

// New gives the URI of an empty database, for the caller to drop.
func New(ctx context.Context) (uri string, drop func(context.Context) error, err error) {
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	client, err := mongo.Connect(options.Client().ApplyURI(URI()).SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		return "", nil, fmt.Errorf("connect to the MongoDB for tests: %w", err)
	}
	if err := client.Ping(ctx, nil); err != nil {
		err = fmt.Errorf("no MongoDB for tests at %s: %w\nscripts/mongo-wire up starts one; %s names another", URI(), err, variable)
		return "", nil, errors.Join(err, client.Disconnect(ctx))
	}
	return Named(URI(), name), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		err := client.Database(name).Drop(ctx)
		if err != nil {
			err = fmt.Errorf("drop the test's database: %w", err)
		}
		return errors.Join(err, client.Disconnect(ctx))
	}, nil
}

// Named is the URI with another database in it.
func Named(uri, database string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri // the driver says what is wrong with it
	}
	u.Path = "/" + database
	return u.String()
}

// Primary gives the address of the server that takes writes, "a.example:27017":
// where a test puts a proxy in front of it.
func Primary(t testing.TB) string {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(URI()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) }() // it was only asked
	var hello struct{ Primary string }
	if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatalf("ask MongoDB for its primary: %v", err)
	}
	if hello.Primary != "" {
		return hello.Primary
	}
	u, err := url.Parse(URI()) // it is no replica set
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// Through is the URI as one that reaches a single server by another address,
// that of a proxy, and does not look for the other members of its replica set.
func Through(uri, address string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri // the driver says what is wrong with it
	}
	q := u.Query()
	q.Del("replicaSet")
	q.Set("directConnection", "true")
	u.Host, u.RawQuery = address, q.Encode()
	return u.String()
}
