package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// workspace is the name of the workspace that is measured.
const workspace = "bench"

// clientBytes is about how long a client's body is.
const clientBytes = 900

// filler fills one data folder.
type filler struct {
	size   Size
	engine *sync.Engine
	auth   *auth.Service
	say    func(format string, args ...any)
	before *world // of the folder that was copied
}

// book is the workspace most is measured on: every technician has as many
// clients, and everybody is changed documents behind.
func (f *filler) book(ctx context.Context) (*world, error) {
	return f.assigned(ctx, spread{f.size.Technicians, f.size.Clients}, 1, clientAlone)
}

// grown is a workspace of families, to be compared with one of another size.
func (f *filler) grown(ctx context.Context, documents int) (*world, error) {
	return f.assigned(ctx, spread{f.size.Technicians, documents / family}, family, clientFamily)
}

// assigned fills a workspace with clients that are spread over technicians;
// each is a number of documents that make gives.
func (f *filler) assigned(ctx context.Context, s spread, documents int, make func(i int, assigned []any) []sync.Mutation) (*world, error) {
	w, err := f.found(ctx, workspace, append(named("tech", s.technicians), named("pusher", f.size.Connections)...))
	if err != nil {
		return nil, err
	}
	perCommit := sync.MaxMutations / documents
	for from := 0; from < s.clients; from += perCommit {
		var m []sync.Mutation
		for i := from; i < min(from+perCommit, s.clients); i++ {
			first, second := s.assigned(i)
			m = append(m, make(i, []any{technician(first), technician(second)})...)
		}
		if err := f.write(ctx, w, m); err != nil {
			return nil, fmt.Errorf("create clients from %d: %w", from, err)
		}
		if done := from / perCommit; done > 0 && done%100 == 0 {
			f.say("%d of %d clients", from, s.clients)
		}
	}
	return f.behind(ctx, w, s)
}

// behind gives everybody a device with a cursor changed documents back, and
// one at the head.
func (f *filler) behind(ctx context.Context, w *sync.Workspace, s spread) (*world, error) {
	out, err := f.people(ctx, w, s.technicians)
	if err != nil {
		return nil, err
	}
	for i := range out.Devices {
		if out.Devices[i].Behind, err = head(ctx, w, out.Devices[i]); err != nil {
			return nil, err
		}
	}
	if err := f.write(ctx, w, touches(s.touched())); err != nil {
		return nil, fmt.Errorf("change documents: %w", err)
	}
	for i := range out.Devices {
		d := &out.Devices[i]
		if d.Cursor, err = head(ctx, w, device{User: d.User, Cursor: d.Behind}); err != nil {
			return nil, err
		}
	}
	return out, listed(ctx, w)
}

// touches changes the first clients.
func touches(n int) []sync.Mutation {
	out := make([]sync.Mutation, n)
	for i := range out {
		out[i] = sync.Mutation{Kind: "client", DocID: clientID(i), Op: sync.Update, Set: sync.Fields{"searchCode": "touched"}}
	}
	return out
}

// found makes a workspace with an administrator and technicians who see what
// is assigned to them.
func (f *filler) found(ctx context.Context, name string, technicians []string) (*sync.Workspace, error) {
	first := []sync.Mutation{
		create("workspaceSettings", "settings", sync.Fields{"name": "Bench", "timeZone": "America/Toronto", "region": "CA", "currency": "CAD"}),
		create("mobileProfile", "mobile", sync.Fields{"name": "Mobile", "filterClientsByAssignment": true, "clientCreate": true}),
		create("employee", "admin", employee("admin", "admin")),
	}
	for _, id := range technicians {
		first = append(first, create("employee", id, employee(id, "technician")))
	}
	w, err := f.engine.Create(ctx, name, sync.Write{Cause: sync.Cause{Kind: "system", Ref: "bench"}, Mutations: first})
	if err != nil {
		return nil, fmt.Errorf("create the workspace: %w", err)
	}
	return w, nil
}

func (f *filler) write(ctx context.Context, w *sync.Workspace, m []sync.Mutation) error {
	_, err := w.Write(ctx, sync.System("bench"), sync.Write{Cause: sync.Cause{Kind: "import", Ref: "bench"}, Mutations: m})
	return err
}

// people issues a token to everybody. Tokens are made without passwords: 200
// hashes would measure those.
func (f *filler) people(ctx context.Context, w *sync.Workspace, technicians int) (*world, error) {
	all, err := f.issue(ctx, w, append(named("tech", technicians), append(named("pusher", f.size.Connections), "admin")...))
	if err != nil {
		return nil, err
	}
	last := len(all) - 1
	return &world{Devices: all[:technicians], Pushers: all[technicians:last], Admin: all[last].Token}, nil
}

// issue signs in one device for each of the users, several at once.
func (f *filler) issue(ctx context.Context, w *sync.Workspace, users []string) ([]device, error) {
	out := make([]device, len(users))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, user := range users {
		g.Go(func() error {
			token, err := f.auth.Issue(ctx, w, user, auth.DeviceInput{ID: deviceOf(user), Name: user})
			if err != nil {
				return fmt.Errorf("issue a token for %s: %w", user, err)
			}
			out[i] = device{User: user, Token: token}
			return nil
		})
	}
	return out, g.Wait()
}

func deviceOf(user string) string { return "device-" + user }

// head pulls a device from its cursor to the head, as the wire would.
func head(ctx context.Context, w *sync.Workspace, d device) (string, error) {
	page, err := last(ctx, w, sync.Actor{User: d.User, Device: deviceOf(d.User)}, d.Cursor)
	if err != nil {
		return "", err
	}
	return page.Cursor, nil
}

// last is the last page of a pull from a cursor.
func last(ctx context.Context, w *sync.Workspace, a sync.Actor, cursor string) (*sync.Page, error) {
	for {
		page, err := w.Pull(ctx, a, cursor, sync.MaxLimit)
		if err != nil {
			return nil, fmt.Errorf("pull of %s: %w", a.User, err)
		}
		if !page.More {
			return page, nil
		}
		cursor = page.Cursor
	}
}

// listed waits until lists show everything: a server is to start rested.
func listed(ctx context.Context, w *sync.Workspace) error {
	if _, err := w.List(ctx, sync.System("bench"), sync.ListRequest{Kind: "client", Limit: 1}); err != nil {
		return fmt.Errorf("wait for the lists: %w", err)
	}
	return nil
}

// named gives prefix0, prefix1, and so on.
func named(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

func technician(i int) string { return fmt.Sprint("tech", i) }

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

func clientID(i int) string { return fmt.Sprintf("client-%08d", i) }

// clientAlone is a client of about clientBytes.
func clientAlone(i int, assigned []any) []sync.Mutation {
	f := clientFields(fmt.Sprintf("%08d", i))
	f["assignedEmployeeIds"] = assigned
	return []sync.Mutation{create("client", clientID(i), f)}
}

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
