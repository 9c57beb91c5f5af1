package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/internal/fault"
)

// Cluster tells which node serves a workspace. Its methods are called by many
// goroutines at once.
type Cluster interface {
	// Locate gives the address of the node that serves the workspace, as a URL
	// (http://10.0.0.2:8080), or "" where that is this one. It is asked at each
	// request: what is known costs no more than a look, and the wait for what
	// is not is bounded by Locate itself. An error is answered 503.
	Locate(ctx context.Context, workspace string) (address string, err error)
	// Mislaid says that the workspace is not served at the address that Locate
	// gave, or that nobody can be reached there.
	Mislaid(workspace, address string)
	// Key is the secret by which nodes know what other nodes forward. It is
	// never empty and stays the same.
	Key() string
}

// Headers between nodes. Neither is ever passed on, so no client has a say in
// the one or sees the other.
const (
	keyHeaderName  = "Enroute-Forwarded" // of a request: the key, proof that a node forwards it
	nodeHeaderName = "Enroute-Node"      // of the answer to it: nodeHere or nodeElsewhere
	nodeHere       = "here"
	nodeElsewhere  = "elsewhere" // with status 421: the workspace is not served by this node
)

// Bounds of forwarding.
const (
	forwardTries = 3                      // nodes asked for one request
	forwardPause = 100 * time.Millisecond // before the same node is asked again
	forwardRetry = time.Second            // when a client may come back
)

// isProven says whether the request was forwarded by a node. A wrong key is none.
func (c *call) isProven() bool {
	key := c.http.Request().Header.Peek(keyHeaderName)
	return len(key) > 0 && subtle.ConstantTimeCompare(key, []byte(c.server.o.Cluster.Key())) == 1
}

// forward has the request answered by the node that serves its workspace. It
// is false where that is this one, or where the request is of no workspace:
// then it is answered here.
func (c *call) forward() (done bool, err error) {
	if !c.proven && c.headSize() > maxHead {
		return false, fault.New(fault.BadRequest, "why", "HTTP")
	}
	name, err := c.asksFor()
	if name == "" || err != nil {
		return false, err
	}
	address, err := c.server.o.Cluster.Locate(c.ctx, name)
	switch {
	case err != nil:
		return false, notLocated(name, err)
	case address == "":
		return false, nil
	case c.proven: // by another one, who knows better now
		c.disown()
		return true, nil
	}
	return c.sendTo(name, address)
}

// asksFor is the workspace that the request is about; "" if it names none, or
// one that is not there.
func (c *call) asksFor() (name string, err error) {
	switch {
	case c.endpoint.workspace != nil:
		name = c.endpoint.workspace(c)
	case c.endpoint.access != anyone:
		name = auth.WorkspaceOf(c.token())
	}
	if name == "" {
		return "", nil
	}
	// A name that somebody made up must not take a seat in the cluster.
	_, err = c.server.o.Engine.Open(c.ctx, name)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return name, err
}

// disown tells the node that forwarded the request to look for another one.
func (c *call) disown() {
	r := c.http.Response()
	r.Header.Set(nodeHeaderName, nodeElsewhere)
	r.SetStatusCode(http.StatusMisdirectedRequest)
}

// sendTo has the request answered by the node at the address, or by whichever
// node turns out to serve the workspace meanwhile. It is false if that is
// this one.
func (c *call) sendTo(name, address string) (done bool, err error) {
	if c.endpoint.streams() {
		if err := c.server.streams.full(); err != nil {
			return false, err
		}
	}
	f := c.server.forwarder
	p := parcel{header: c.outgoingHeader()}
	if size := p.headSize(c); size > maxHead+headRoom {
		return false, fault.New(fault.BadRequest, "why", "HTTP")
	}
	release, err := f.take(c, &p)
	if err != nil {
		return false, err
	}
	defer release()
	ctx, cancel := context.WithTimeoutCause(c.ctx, c.server.o.Limits.Request, errTooSlow)
	defer cancel()
	for try := 1; address != ""; try++ {
		if err = f.exchange(ctx, c, address, &p); err == nil {
			return true, nil
		}
		f.cluster.Mislaid(name, address)
		if try == forwardTries || !c.again(err) {
			return false, notForwarded(address, err)
		}
		if address, err = f.another(ctx, name, address, err); err != nil {
			return false, err
		}
	}
	return false, nil
}

// another locates the workspace again after the node at the address failed
// with an error.
func (f *forwarder) another(ctx context.Context, name, address string, failed error) (string, error) {
	next, err := f.cluster.Locate(ctx, name)
	switch {
	case err != nil:
		return "", notLocated(name, err)
	case next != address:
		return next, nil
	case errors.Is(failed, errUnreachable): // and will be in a moment, too
		return "", notForwarded(address, failed)
	}
	// It may be about to take the workspace, or to let go of it.
	pause := time.NewTimer(forwardPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return next, nil
	case <-ctx.Done():
		return "", notForwarded(address, failed)
	}
}

// again says whether the request may be sent once more after the error. If
// nobody acted on it, it may. If the connection broke later than that, somebody
// may have acted on it already, and then a repetition must do no harm: a
// second POST without Idempotency-Key could create a second document, a second
// DELETE would answer 404 for what the first one did.
func (c *call) again(err error) bool {
	return errors.Is(err, errUnreachable) || errors.Is(err, errElsewhere) || c.repeatable()
}

// repeatable says whether the request has one effect and one answer however
// often it is sent.
func (c *call) repeatable() bool {
	switch c.endpoint.method {
	case http.MethodGet:
		return true
	case http.MethodPost, http.MethodPatch, http.MethodDelete:
		return c.endpoint.repeats || c.endpoint.takesKey() && c.http.Get(idempotencyHeader) != ""
	}
	return false
}

func notLocated(name string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.New(fault.Unavailable).After(forwardRetry).Because(fmt.Errorf("find the node of workspace %s: %w", name, err))
}

func notForwarded(address string, err error) error {
	return fault.New(fault.Unavailable).After(forwardRetry).Because(fmt.Errorf("forward to %s: %w", address, err))
}
