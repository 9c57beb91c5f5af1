package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// Workspace is the name of the workspace that is measured.
const Workspace = "bench"

// tokens of the devices, made without passwords: 200 hashes would measure
// those.
type tokens struct {
	admin       string
	technicians []string
	pushers     []string // one per connection, beside the technicians
}

// clientBytes is about how long a client's body is.
const clientBytes = 900

// population makes the workspace.
type population struct {
	size   Size
	engine *sync.Engine
	auth   *auth.Service
}

func (p population) populate(ctx context.Context) (*tokens, error) {
	w, err := p.engine.Create(ctx, Workspace, sync.Write{
		Cause: sync.Cause{Kind: "system", Ref: "bench"}, Mutations: p.company(),
	})
	if err != nil {
		return nil, fmt.Errorf("create the workspace: %w", err)
	}
	for from := 0; from < p.size.Clients; from += sync.MaxMutations {
		to := min(from+sync.MaxMutations, p.size.Clients)
		if _, err := w.Write(ctx, sync.System("bench"), p.clients(from, to)); err != nil {
			return nil, fmt.Errorf("create clients %d to %d: %w", from, to, err)
		}
	}
	return p.tokens(ctx, w)
}

// company is everything but the clients.
func (p population) company() []sync.Mutation {
	out := []sync.Mutation{
		create("workspaceSettings", "settings", sync.Fields{"name": "Bench", "timeZone": "America/Toronto", "region": "CA", "currency": "CAD"}),
		create("mobileProfile", "mobile", sync.Fields{"name": "Mobile", "filterClientsByAssignment": true, "clientCreate": true}),
		create("employee", "admin", employee("admin", "admin")),
	}
	for i := range p.size.Technicians {
		out = append(out, create("employee", technician(i), employee(technician(i), "technician")))
	}
	for i := range p.size.Connections {
		out = append(out, create("employee", pusher(i), employee(pusher(i), "technician")))
	}
	return out
}

func technician(i int) string { return fmt.Sprintf("tech%d", i) }
func pusher(i int) string     { return fmt.Sprintf("pusher%d", i) }

func create(kind, id string, f sync.Fields) sync.Mutation {
	return sync.Mutation{Kind: kind, DocID: id, Op: sync.Create, Set: f}
}

func employee(id, role string) sync.Fields {
	f := sync.Fields{"name": id, "email": id + "@bench.example", "role": role}
	if role == "technician" {
		f["mobileProfileId"] = "mobile"
	}
	return f
}

func (p population) clients(from, to int) sync.Write {
	w := sync.Write{Cause: sync.Cause{Kind: "import", Ref: "bench"}}
	for i := from; i < to; i++ {
		first, second := p.size.assigned(i)
		f := clientFields(fmt.Sprintf("%08d", i))
		f["assignedEmployeeIds"] = []any{technician(first), technician(second)}
		w.Mutations = append(w.Mutations, create("client", clientID(i), f))
	}
	return w
}

func clientID(i int) string { return fmt.Sprintf("client-%08d", i) }

// clientFields are those of a client whose body is about clientBytes long;
// number makes its name unique.
func clientFields(number string) sync.Fields {
	f := sync.Fields{
		"name": "Client " + number, "language": "fr", "phone": "514 555-0123", "email": "client@bench.example",
		"description": "Synthetic client of a measurement.",
		"address": map[string]any{
			"line1": "1234, rue du Banc-d'Essai", "city": "Laval", "region": "QC", "postalCode": "H7N 1A1", "country": "CA",
		},
		"position": map[string]any{"lat": 45.5699, "lng": -73.692},
	}
	const added = 420         // what the server adds: reserved members, defaults, derived numbers
	raw, _ := json.Marshal(f) // strings and numbers always encode
	f["note"] = strings.Repeat("x", max(clientBytes-added-len(raw), 0))
	return f
}

func (p population) tokens(ctx context.Context, w *sync.Workspace) (*tokens, error) {
	issue := func(id string) (string, error) {
		token, err := p.auth.Issue(ctx, w, id, auth.DeviceInput{ID: "device-" + id, Name: id})
		if err != nil {
			return "", fmt.Errorf("issue a token for %s: %w", id, err)
		}
		return token, nil
	}
	var out tokens
	var err error
	if out.admin, err = issue("admin"); err != nil {
		return nil, err
	}
	if out.technicians, err = each(p.size.Technicians, technician, issue); err != nil {
		return nil, err
	}
	out.pushers, err = each(p.size.Connections, pusher, issue)
	return &out, err
}

func each(n int, id func(int) string, issue func(string) (string, error)) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		var err error
		if out[i], err = issue(id(i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
