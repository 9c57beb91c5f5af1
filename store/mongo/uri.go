package mongo

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// Limits of the connections to the servers, unless the URI says otherwise.
const (
	maxPool       = 100
	opTimeout     = 10 * time.Second // of one call, on the server too
	selectTimeout = 5 * time.Second  // until a server is found that answers
)

// defaultDatabase is used where the URI names none.
const defaultDatabase = "enroute"

// errURI tells what an address looks like. It does not tell what is wrong with
// the one given, since that could tell its password.
var errURI = errors.New("the address of the database is not of the form " +
	"mongodb://user:password@host,host/database?options (special characters of user and password as %XX)")

// address is what the URI says, and what the store makes of it.
type address struct {
	options  *options.ClientOptions
	database string
	hosts    string // to be named in errors
}

// parse a URI. What would take durability or the order of reads away is
// refused, so that nobody is left to believe that it holds.
func parse(uri string) (*address, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, fmt.Errorf("find the servers of the database: %w", dns)
	}
	if err != nil {
		return nil, errURI
	}
	if err := refuseWeaker(cs); err != nil {
		return nil, err
	}
	a := &address{database: cs.Database, hosts: strings.Join(cs.Hosts, ",")}
	if a.database == "" {
		a.database = defaultDatabase
	}
	durable := writeconcern.Majority()
	journal := true
	durable.Journal = &journal
	a.options = options.Client().
		SetMaxPoolSize(maxPool).SetTimeout(opTimeout).SetServerSelectionTimeout(selectTimeout).SetConnectTimeout(selectTimeout).
		ApplyURI(uri).
		SetWriteConcern(durable).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).
		SetRetryWrites(false) // who repeats an append must know that it does
	if cs.TimeoutSet && cs.Timeout <= 0 {
		a.options.SetTimeout(opTimeout)
	}
	if cs.MaxPoolSizeSet && cs.MaxPoolSize == 0 {
		a.options.SetMaxPoolSize(maxPool)
	}
	return a, nil
}

func refuseWeaker(cs *connstring.ConnString) error {
	refuse := func(option, value, need string) error {
		return fmt.Errorf("the address of the database says %s=%s; the store needs %s: leave it out", option, value, need)
	}
	switch {
	case cs.WNumberSet:
		return refuse("w", fmt.Sprint(cs.WNumber), "majority")
	case cs.WString != "" && cs.WString != "majority":
		return refuse("w", cs.WString, "majority")
	case cs.JSet && !cs.J:
		return refuse("journal", "false", "true")
	case cs.ReadConcernLevel != "" && cs.ReadConcernLevel != "majority":
		return refuse("readConcernLevel", cs.ReadConcernLevel, "majority")
	case cs.ReadPreference != "" && !strings.EqualFold(cs.ReadPreference, "primary"):
		return refuse("readPreference", cs.ReadPreference, "primary")
	}
	return nil
}
