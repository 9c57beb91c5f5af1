package web

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// endpoint is one row of the route table.
type endpoint struct {
	method string
	path   string // as OpenAPI writes it: /v1/clients/{id}
	access access
	handle func(*call) error

	query   []param    // what may stand in the query; everything else is refused
	filters *sync.Kind // set on lists: its filters may stand there too
	headers []param
	limit   int        // bytes of the body; 0: there is none
	tooLong fault.Code // of a longer body; "": TooLarge
	types   []string   // media types of the body; nil: application/json
	always  bool       // answered while the server stops, too
	noTimer bool       // no deadline: a stream goes on for ever, and most pulls take less than setting a timer
	onlyGet bool       // a GET without its HEAD
	cached  bool       // may be kept by the client if it asks again each time
	repeats bool       // its body says by itself what of it was done before
	// workspace that the request is about, where no token tells; "" if it names none.
	workspace func(*call) string

	// For the OpenAPI document.
	id, tag, summary string
	body             schema
	status           int // of success
	answer           schema
	media            string // of the answer; "": application/json
	faults           []fault.Code
}

// param is a parameter in the query or a header.
type param struct {
	name  string
	about string
	shape schema
	must  bool
}

// access is who may call an endpoint.
type access int

const (
	anyone   access = iota
	signedIn        // with a token
	handIn          // with a token, that of a revoked device that may still hand in its work too
	office          // dispatchers and administrators
)

// fiberPath is the path as Fiber writes it.
func (e *endpoint) fiberPath() string {
	return strings.NewReplacer("{", ":", "}", "").Replace(e.path)
}

// param finds the name of a query parameter; "" if there is none.
func (e *endpoint) param(name []byte) string {
	for i := range e.query {
		if e.query[i].name == string(name) {
			return e.query[i].name
		}
	}
	return ""
}

// streams says whether success is a stream that goes on for ever.
func (e *endpoint) streams() bool { return e.media == eventStream }

// takesKey says whether the header Idempotency-Key makes a repetition harmless.
func (e *endpoint) takesKey() bool {
	return slices.ContainsFunc(e.headers, func(p param) bool { return p.name == idempotencyHeader })
}

// mountAll mounts the route table.
func (s *Server) mountAll() error {
	s.endpoints = s.table()
	taken := map[string]bool{}
	for _, e := range s.endpoints {
		key := e.method + " " + e.path
		if taken[key] {
			return fmt.Errorf("two routes for %s", key)
		}
		taken[key] = true
		if e.method == http.MethodGet && !e.onlyGet {
			s.app.Get(e.fiberPath(), s.serve(e))
		} else {
			s.app.Add(e.method, e.fiberPath(), s.serve(e))
		}
	}
	return s.describe()
}

// serve is the way of every request that has a route.
func (s *Server) serve(e *endpoint) fiber.Handler {
	meter := s.metrics.meter(e.method, e.path, e.status)
	return func(f *fiber.Ctx) error {
		c := s.newCall(f, e)
		if err := c.attempt(); err != nil {
			c.refuse(err)
		}
		c.finish(meter)
		return nil
	}
}

// unmatched answers what has no route, and what was no request at all.
func (s *Server) unmatched(f *fiber.Ctx, err error) error {
	c := s.newCall(f, &unknownEndpoint)
	c.refuse(asFault(err))
	c.finish(s.metrics.unmatched)
	return nil
}

// unknownEndpoint stands for the route of requests that have none.
var unknownEndpoint = endpoint{path: "unmatched"}

// attempt answers the request, or says why not.
func (c *call) attempt() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal).Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := c.welcome(); err != nil {
		return err
	}
	if c.server.forwarder != nil {
		if done, err := c.forward(); done || err != nil {
			return err
		}
	}
	if err := c.admit(); err != nil {
		return err
	}
	if !c.endpoint.noTimer {
		ctx, cancel := context.WithTimeoutCause(c.ctx, c.server.o.Limits.Request, errTooSlow)
		defer cancel()
		c.ctx = ctx
	}
	return c.endpoint.handle(c)
}

// welcome refuses what comes while the server stops.
func (c *call) welcome() error {
	if c.server.stopping.Load() && !c.endpoint.always {
		c.http.Context().SetConnectionClose()
		return fault.New(fault.Unavailable).After(stopRetry)
	}
	return nil
}

// admit checks who asks and the shape of the question.
func (c *call) admit() error {
	if err := c.identify(); err != nil {
		return err
	}
	return c.readQuery()
}

// stopRetry is when to come back to a server that stops.
const stopRetry = 5 * time.Second

// identify finds who asks, and whether they may.
func (c *call) identify() (err error) {
	need := c.endpoint.access
	if need == anyone {
		return nil
	}
	c.identity, err = c.server.o.Auth.Identify(c.ctx, c.token())
	switch {
	case err != nil:
		return err
	case c.identity.HandInOnly && need != handIn:
		return fault.New(fault.DeviceRevoked)
	case need == office && !c.identity.Role.Office():
		return fault.New(fault.Forbidden)
	}
	c.server.o.Auth.Seen(c.identity, auth.Seen{})
	return nil
}

// finish settles the connection, counts and logs.
func (c *call) finish(m *meter) {
	c.settleBody()
	if !c.endpoint.always { // probes and scrapes are no work
		c.server.answered.Add(1)
	}
	status := c.http.Response().StatusCode()
	took := c.server.o.Clock().Sub(c.begun)
	m.observe(status, took)
	if log := c.server.o.Logger; log.Enabled(c.ctx, levelAccess) {
		log.Log(c.ctx, levelAccess, "request", "id", c.requestID, "method", c.http.Method(),
			"path", c.http.Path(), "status", status, "took", took)
	}
}
