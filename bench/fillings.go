package bench

import (
	"context"
	"fmt"
	stdsync "sync"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// clientFamily is a client with a location, and a contact and a piece of
// equipment there.
func clientFamily(i int, assigned []any) []sync.Mutation {
	client, location := clientID(i), fmt.Sprintf("location-%08d", i)
	return append(clientAlone(i, assigned),
		create("location", location, sync.Fields{
			"clientId": client, "name": "Shop", "accessNotes": "Ring at the side door.",
			"address": map[string]any{"line1": "12, rue de l'Atelier", "city": "Laval", "region": "QC", "country": "CA"},
		}),
		create("contact", fmt.Sprintf("contact-%08d", i), sync.Fields{
			"clientId": client, "locationId": location, "firstName": "Camille", "lastName": fmt.Sprintf("Roy %08d", i),
			"phone": "514 555-0199", "email": "contact@bench.example",
		}),
		create("equipment", fmt.Sprintf("equipment-%08d", i), sync.Fields{
			"clientId": client, "locationId": location, "name": "Boiler", "manufacturer": "Bench", "model": "B 12",
			"serialNumber": fmt.Sprintf("SN-%08d", i), "installedOn": "2024-05-06",
		}),
	)
}

// views is a workspace of first pulls: the first technician sees BigView
// documents, one for each connection sees View. What everybody sees (his
// colleagues and the like) is counted in.
func (f *filler) views(ctx context.Context) (*world, error) {
	technicians := named("tech", 1+f.size.Connections)
	w, err := f.found(ctx, workspace, technicians)
	if err != nil {
		return nil, err
	}
	out := &world{}
	if out.Devices, err = f.issue(ctx, w, technicians); err != nil {
		return nil, err
	}
	page, err := last(ctx, w, sync.Actor{User: technicians[0], Device: deviceOf(technicians[0])}, "")
	if err != nil {
		return nil, err
	}
	out.Beside = page.Digest.Count
	number := 0
	for i, user := range technicians {
		view := f.size.View
		if i == 0 {
			view = f.size.BigView
		}
		if err := f.own(ctx, w, user, number, number+view-out.Beside); err != nil {
			return nil, err
		}
		number += view - out.Beside
	}
	return out, listed(ctx, w)
}

// own creates the clients from one number to another, for one technician.
func (f *filler) own(ctx context.Context, w *sync.Workspace, user string, from, to int) error {
	for from < to {
		var m []sync.Mutation
		for ; from < to && len(m) < sync.MaxMutations; from++ {
			m = append(m, clientAlone(from, []any{user})...)
		}
		if err := f.write(ctx, w, m); err != nil {
			return fmt.Errorf("create clients of %s: %w", user, err)
		}
	}
	return nil
}

// streams gives every technician as many devices as he is to have streams,
// all of them at the head.
func (f *filler) streams(ctx context.Context) (*world, error) {
	w, err := f.engine.Open(ctx, workspace)
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	out := &world{Admin: f.before.Admin, Devices: make([]device, f.size.Streams)}
	each := f.size.Streams / f.size.Technicians
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range out.Devices {
		g.Go(func() (err error) {
			out.Devices[i], err = f.another(within, w, technician(i/each), fmt.Sprintf("device-%d", i))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, listed(ctx, w)
}

// many makes workspaces with a technician each, who sees all of it.
func (f *filler) many(ctx context.Context) (*world, error) {
	out := &world{Devices: make([]device, f.size.Workspaces)}
	var progress stdsync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range out.Devices {
		g.Go(func() (err error) {
			if out.Devices[i], err = f.one(ctx, fmt.Sprintf("%s-%d", workspace, i)); err != nil {
				return err
			}
			progress.Lock()
			defer progress.Unlock()
			if done++; done%100 == 0 {
				f.say("%d of %d workspaces", done, len(out.Devices))
			}
			return nil
		})
	}
	return out, g.Wait()
}

// nodes is a workspace that technicians follow, and others into which as many
// connections push.
func (f *filler) nodes(ctx context.Context) (*world, error) {
	const each = 10 // clients of a technician
	out, err := f.assigned(ctx, spread{f.size.Technicians, f.size.Technicians * each}, 1, clientAlone)
	if err != nil {
		return nil, err
	}
	out.Others = make([]device, f.size.Connections)
	for i := range f.size.Others {
		var users []string
		for n := i; n < f.size.Connections; n += f.size.Others {
			users = append(users, fmt.Sprint("pusher", n))
		}
		w, err := f.found(ctx, fmt.Sprintf("%s-%d", workspace, i), users)
		if err != nil {
			return nil, err
		}
		devices, err := f.issue(ctx, w, users)
		if err != nil {
			return nil, err
		}
		for n, d := range devices {
			out.Others[i+n*f.size.Others] = d
		}
	}
	return out, nil
}

// one makes a workspace of Each documents.
func (f *filler) one(ctx context.Context, name string) (device, error) {
	user := technician(0)
	w, err := f.found(ctx, name, []string{user})
	if err != nil {
		return device{}, err
	}
	page, err := last(ctx, w, sync.Actor{User: user}, "")
	if err != nil {
		return device{}, err
	}
	if err := f.own(ctx, w, user, 0, f.size.Each-page.Digest.Count); err != nil {
		return device{}, err
	}
	d, err := f.another(ctx, w, user, deviceOf(user))
	if err != nil {
		return device{}, err
	}
	return d, listed(ctx, w)
}

// another signs in a device of that name and pulls it to the head.
func (f *filler) another(ctx context.Context, w *sync.Workspace, user, name string) (device, error) {
	token, err := f.auth.Issue(ctx, w, user, auth.DeviceInput{ID: name, Name: name})
	if err != nil {
		return device{}, fmt.Errorf("issue a token for %s: %w", name, err)
	}
	page, err := last(ctx, w, sync.Actor{User: user, Device: name}, "")
	if err != nil {
		return device{}, err
	}
	return device{User: user, Token: token, Cursor: page.Cursor}, nil
}
