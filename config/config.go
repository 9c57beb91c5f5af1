// Package config is the one typed configuration of the program. Every setting
// stands in one table (settings.go), from which flags, environment variables,
// the file's keys, the help text and docs/configuration.md follow.
//
// A flag beats the environment, the environment beats the file, the file beats
// the default.
package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is everything that can be set from outside.
type Config struct {
	Listen    string // host:port to serve on
	Data      string // folder of the database
	PublicURL string // address people use; "" is http:// and Listen

	Store     Secret        // address of a MongoDB database (it may hold a password); "": the folder Data
	Advertise string        // URL at which the other nodes over Store reach this one; "" is http:// and Listen
	LeaseTerm time.Duration // within which a node over Store that dies is replaced

	LogLevel  slog.Level
	LogFormat string // text or json

	BodyCache int64         // bytes of document bodies kept in memory
	IdleAfter time.Duration // a workspace unused this long leaves memory; 0: never

	TokenLifetime         time.Duration // of a sign-in
	SignInFailures        int           // allowed per account in a window
	SignInAddressFailures int           // allowed per network address in a window
	SignInFailureWindow   time.Duration
	TrustedProxies        []netip.Prefix // whose X-Forwarded-For is believed
	ShutdownGrace         time.Duration  // time for requests under way to end
	Demo                  bool           // seed and serve the demo workspace
	DemoPassword          Secret         // of its accounts; "" is the published one
}

// Default is the configuration when nothing is said.
func Default() Config {
	return Config{
		Listen:                "127.0.0.1:8080",
		Data:                  "./enroute-data",
		LeaseTerm:             10 * time.Second,
		LogLevel:              slog.LevelInfo,
		LogFormat:             "text",
		BodyCache:             16 << 20,
		IdleAfter:             30 * time.Minute,
		TokenLifetime:         180 * day,
		SignInFailures:        10,
		SignInAddressFailures: 50,
		SignInFailureWindow:   15 * time.Minute,
		ShutdownGrace:         10 * time.Second,
	}
}

const day = 24 * time.Hour
