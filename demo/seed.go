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
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
// is. A seeding that was broken off is finished; until it is, nobody can sign
// in. All accounts share one password hash, salt included, since fourteen of
// them would take longer than everything else; real accounts never do.
func Seed(ctx context.Context, engine *sync.Engine, a *auth.Service, o Options) (created bool, err error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	w, begun, err := state(ctx, engine, o.Clock())
	if err != nil || begun.IsZero() {
		return false, err
	}
	c, err := newCompany(o.Seed, begun)
	if err != nil {
		return false, fmt.Errorf("make the demo company: %w", err)
	}
	w, err = c.write(ctx, engine, w)
	if fault.Is(err, fault.IDExists) {
		return false, nil // somebody made a workspace of this name himself
	}
	if err != nil {
		return false, fmt.Errorf("seed the demo: %w", err)
	}
	if err := open(ctx, w, a, cmp.Or(o.Password, Password)); err != nil {
		return false, fmt.Errorf("open the demo accounts: %w", err)
	}
	return true, nil
}

// Seeded says whether there is nothing for Seed to do.
func Seeded(ctx context.Context, engine *sync.Engine) (bool, error) {
	_, begun, err := state(ctx, engine, time.Unix(1, 0))
	return err == nil && begun.IsZero(), err
}

// state finds the workspace (nil if there is none) and when its seeding began,
// by which the same company is made again. The zero time means that there is
// nothing to do: the accounts, which come last, are there.
func state(ctx context.Context, engine *sync.Engine, now time.Time) (*sync.Workspace, time.Time, error) {
	w, err := engine.Open(ctx, Workspace)
	if fault.Is(err, fault.NotFound) {
		return nil, now, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	last := auth.Credential(adminID, "")
	if rev, err := w.Rev(ctx, last.Key()); err != nil || rev != 0 {
		return w, time.Time{}, err
	}
	settings, err := w.Document(ctx, sync.Key{Kind: "workspaceSettings", ID: "settings"})
	if errors.Is(err, sync.ErrMissing) {
		return w, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the settings: %w", err)
	}
	return w, settings.CreatedAt, nil
}

// write commits what the office made, in as few commits as will hold it, and
// lets each technician's phone push what was done in the field. Keys and
// mutation ids follow from the content, so that it can be repeated.
func (c *company) write(ctx context.Context, engine *sync.Engine, w *sync.Workspace) (*sync.Workspace, error) {
	for batch := range slices.Chunk(c.creates, sync.MaxMutations) {
		req := sync.Write{Cause: cause, Mutations: batch, Key: mutationID("batch", batch[0].DocID), Admit: true}
		var err error
		if w == nil {
			w, err = engine.Create(ctx, Workspace, req)
		} else {
			_, err = w.Write(ctx, sync.System("setup"), req)
		}
		if err != nil {
			return w, err
		}
	}
	for i, done := range c.field {
		if err := push(ctx, w, technicianID(i), technicianName(i), done); err != nil {
			return w, fmt.Errorf("push the work of %s: %w", technicianID(i), err)
		}
	}
	return w, nil
}

var cause = sync.Cause{Kind: "system", Ref: "demo"}

// open gives every account its password, and so ends the seeding.
func open(ctx context.Context, w *sync.Workspace, a *auth.Service, password string) error {
	hash, err := a.Hash(ctx, password)
	if err != nil {
		return fmt.Errorf("hash the demo password: %w", err)
	}
	req := sync.Write{Cause: cause, Admit: true}
	for _, id := range accounts() {
		req.Mutations = append(req.Mutations, auth.Credential(id, hash))
	}
	_, err = w.Write(ctx, sync.System("setup"), req)
	return err
}

func push(ctx context.Context, w *sync.Workspace, technician, name string, done []sync.Mutation) error {
	if len(done) == 0 {
		return nil
	}
	actor := sync.Actor{User: technician, Device: "demo-phone-" + technician, Name: name}
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
