// Package mongo is the store of an installation that has outgrown one machine:
// any number of servers over one MongoDB replica set.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// Limits of the connections to the servers, unless the URI says otherwise.
const (
	maxPool   = 100
	opTimeout = 10 * time.Second
)

// defaultDatabase is used where the URI names none.
const defaultDatabase = "enroute"

// database is a connection to one database.
type database struct {
	client *driver.Client
	db     *driver.Database
}

// connect to the database that the URI names.
func connect(uri string) (*database, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, errors.New("the address of the database is not one of MongoDB") // err may tell the password
	}
	o := options.Client().
		SetMaxPoolSize(maxPool).SetTimeout(opTimeout).
		SetWriteConcern(writeconcern.Majority()).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).
		SetRetryWrites(false).
		ApplyURI(uri)
	client, err := driver.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	name := cs.Database
	if name == "" {
		name = defaultDatabase
	}
	return &database{client, client.Database(name)}, nil
}

func (d *database) close(ctx context.Context) error { return d.client.Disconnect(ctx) }
