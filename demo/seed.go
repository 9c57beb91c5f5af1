// Package demo makes the workspace "demo": a heating and plumbing company of
// 300 clients, twelve technicians and two weeks of tasks around today, to try
// the product on.
//
// Towns and postal prefixes are real (docs/data-licences.md). People,
// companies, streets, makes and the rest of a postal code are invented;
// telephone numbers are of the range kept free for fiction, e-mail addresses
// of the domain "example" (RFC 2606). Every such document carries
// externalIds.demo.
package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// Workspace is the name of the workspace that Seed makes.
const Workspace = "demo"

// Password is what the demo accounts have unless Options say otherwise.
const Password = "enroute-demo"

// Options of Seed.
type Options struct {
	Password string           // of every account; "": Password
	Clock    func() time.Time // nil: time.Now
	Seed     uint64           // another seed gives another company of the same kind
}

// Seed makes the workspace unless it is there already: then it is left as it
// is. All accounts share one password hash, salt included, since fourteen of
// them would take longer than everything else; real accounts never do.
func Seed(ctx context.Context, engine *sync.Engine, a *auth.Service, o Options) (created bool, err error) {
	if _, err := engine.Open(ctx, Workspace); !fault.Is(err, fault.NotFound) {
		return false, err
	}
	if o.Password == "" {
		o.Password = Password
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	hash, err := a.Hash(ctx, o.Password)
	if err != nil {
		return false, fmt.Errorf("hash the demo password: %w", err)
	}
	c, err := newCompany(o.Seed, o.Clock())
	if err != nil {
		return false, fmt.Errorf("make the demo company: %w", err)
	}
	return true, c.write(ctx, engine, hash)
}

// write creates everything in one commit, so that there is no half a demo,
// and then lets each technician's phone push what was done in the field.
func (c *company) write(ctx context.Context, engine *sync.Engine, hash string) error {
	mutations := c.creates
	for _, id := range c.accounts() {
		mutations = append(mutations, auth.Credential(id, hash))
	}
	w, err := engine.Create(ctx, Workspace, sync.Write{
		Cause: sync.Cause{Kind: "system", Ref: "demo"}, Mutations: mutations, Admit: true,
	})
	if err != nil {
		return fmt.Errorf("create workspace %s: %w", Workspace, err)
	}
	for i, done := range c.field {
		if err := push(ctx, w, technicianID(i), done); err != nil {
			return fmt.Errorf("push the work of %s: %w", technicianID(i), err)
		}
	}
	return nil
}

func push(ctx context.Context, w *sync.Workspace, technician string, done []sync.Mutation) error {
	if len(done) == 0 {
		return nil
	}
	actor := sync.Actor{User: technician, Device: "demo-phone-" + technician}
	answer, err := w.Push(ctx, actor, sync.PushRequest{Mutations: done})
	if err != nil {
		return err
	}
	for i, r := range answer.Results {
		if r.Status == sync.Rejected {
			return fmt.Errorf("%s: %w", done[i].Key(), r.Error)
		}
	}
	return nil
}

// accounts are the ids of everybody who can sign in, as <id>@demo.example.
func (c *company) accounts() []string {
	ids := []string{adminID, dispatcherID}
	for i := range technicianCount {
		ids = append(ids, technicianID(i))
	}
	return ids
}
