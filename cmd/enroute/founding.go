package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// founding is what a new workspace starts from.
type founding struct {
	workspace string
	name      string // of the company; "" is the workspace's
	email     string // of the administrator; "" is admin@<workspace>.example
	zone      string // IANA name; "" is the shipped default
}

// founded is how to sign in to a new workspace.
type founded struct{ workspace, email, password string }

// found makes a workspace: its settings, an administrator and a random
// password for it, in one commit. Fault ValueTaken if the workspace exists.
func (b *backend) found(ctx context.Context, f founding) (*founded, error) {
	if f.name == "" {
		f.name = f.workspace
	}
	if f.email == "" {
		f.email = "admin@" + f.workspace + ".example"
	}
	password := rand.Text()
	hash, err := b.auth.Hash(ctx, password)
	if err != nil {
		return nil, fmt.Errorf("hash the password: %w", err)
	}
	admin, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an identifier: %w", err)
	}
	if _, err := b.engine.Create(ctx, f.workspace, f.first(admin.String(), hash)); err != nil {
		return nil, err
	}
	return &founded{workspace: f.workspace, email: f.email, password: password}, nil
}

// create is found in a store that others may be serving.
func (b *backend) create(ctx context.Context, f founding) (*founded, error) {
	there, err := b.exists(ctx, f.workspace)
	if err != nil {
		return nil, fmt.Errorf("look for the workspace: %w", err)
	}
	if there {
		return nil, fault.New(fault.ValueTaken, "field", "workspace", "other", f.workspace)
	}
	if err := b.claim(ctx, f.workspace); err != nil {
		return nil, err
	}
	return b.found(ctx, f)
}

// first is the first commit of the workspace.
func (f *founding) first(admin, hash string) sync.Write {
	settings := sync.Fields{"name": f.name}
	if f.zone != "" {
		settings["timeZone"] = f.zone
	}
	return sync.Write{
		Cause: sync.Cause{Kind: "system", Ref: "setup"},
		Mutations: []sync.Mutation{
			{Kind: company.KindSettings, DocID: company.SettingsID, Op: sync.Create, Set: settings},
			{Kind: company.KindEmployee, DocID: admin, Op: sync.Create, Set: sync.Fields{
				"name": "Administrator", "email": f.email, "role": string(sync.RoleAdmin),
			}},
			auth.Credential(admin, hash),
		},
	}
}
