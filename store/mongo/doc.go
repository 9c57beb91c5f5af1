// Package mongo is the store of an installation that has outgrown one machine:
// any number of servers over one MongoDB replica set.
package mongo
