package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/device"
)

// lists are where each kind of document is found by REST.
var lists = map[string]string{
	"workspaceSettings": "workspace-settings", "employee": "employees", "team": "teams", "mobileProfile": "mobile-profiles",
	"client": "clients?disabled=true,false", "contact": "contacts", "location": "locations", "equipment": "equipment",
	"task": "tasks", "conflict": "conflicts",
}

const checksAtOnce = 8

// verify brings every device to rest and compares.
func verify(ctx context.Context, office *device.Client, members []*member, r *Report) error {
	g, checking := errgroup.WithContext(ctx)
	g.SetLimit(checksAtOnce)
	counts := make([]int, len(members))
	for i, m := range members {
		m.net.steady.Store(true)
		g.Go(func() (err error) {
			if counts[i], err = m.compare(checking); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, m := range members {
		r.Documents += counts[i]
		r.Syncs, r.Streams = r.Syncs+m.syncs, r.Streams+m.lives
		r.Lost, r.Repeated = r.Lost+m.net.lost.Load(), r.Repeated+m.net.repeated.Load()
		if err := m.countMutations(ctx, office, r); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// compare brings the device to rest and compares it with what its user sees
// by REST. Receipts that the server writes in between make both move, and
// servers that failed may need a moment; so it is tried again for a while.
func (m *member) compare(ctx context.Context) (documents int, err error) {
	const tries = 20
	for range tries {
		documents, err = m.compareOnce(ctx)
		if err == nil {
			return documents, m.startedOver()
		}
		if !errors.Is(err, errDiffers) && !m.passes(err) {
			break
		}
		pause(ctx, m.rand, time.Second)
	}
	return 0, err
}

// errDiffers says that a device does not hold what its user sees.
var errDiffers = errors.New("the device differs")

func (m *member) compareOnce(ctx context.Context) (documents int, err error) {
	if err := m.dev.Sync(ctx); err != nil {
		return 0, err
	}
	has := map[device.Key]uint64{}
	for _, d := range m.dev.Received() {
		has[d.Key] = d.Rev
	}
	sees, err := m.sees(ctx)
	if err != nil {
		return 0, err
	}
	if !maps.Equal(has, sees) {
		return 0, fmt.Errorf("%w: %w", errDiffers, differ(has, sees))
	}
	return len(has), nil
}

// sees is what the device's user sees by REST.
func (m *member) sees(ctx context.Context) (map[device.Key]uint64, error) {
	all := map[device.Key]uint64{}
	for kind, path := range lists {
		docs, err := list[struct {
			ID  string
			Rev uint64
		}](ctx, m.client, path)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			all[device.Key{Kind: kind, ID: d.ID}] = d.Rev
		}
	}
	return all, nil
}

func differ(has, sees map[device.Key]uint64) error {
	var errs []error
	for k, rev := range sees {
		if has[k] != rev {
			errs = append(errs, fmt.Errorf("%s is at %d on the device, at %d on the server", k, has[k], rev))
		}
	}
	for k := range has {
		if _, ok := sees[k]; !ok {
			errs = append(errs, fmt.Errorf("%s is on the device, and its user does not see it", k))
		}
	}
	return errors.Join(errs...)
}

// startedOver fails if the device's digest was once not the server's, or if
// the server did not go on from its cursor.
func (m *member) startedOver() error {
	if n := m.net.resets.Load(); n > 0 {
		return fmt.Errorf("was told %d times to start over, with a cursor of this server", n)
	}
	if at := m.dev.Condition().StartedOver; !at.IsZero() {
		return fmt.Errorf("started over at %s because its digest was another one", at)
	}
	return nil
}

// countMutations sees to it that each has its answer, and that what was added
// to tasks is there once.
func (m *member) countMutations(ctx context.Context, office *device.Client, r *Report) error {
	acknowledged := map[string]bool{}
	for _, e := range m.dev.Entries() {
		switch e.Phase {
		case device.Waiting:
			return fmt.Errorf("mutation %s has no answer", e.Mutation.ID)
		case device.Acknowledged:
			r.Acknowledged++
			acknowledged[e.Mutation.ID.String()] = true
			r.Revs[e.Mutation.ID] = e.Rev
		case device.Refused:
			r.Refused++
		}
	}
	for _, it := range m.items {
		if !acknowledged[it.mutation.String()] {
			continue
		}
		if err := it.standsOnce(ctx, office); err != nil {
			return err
		}
		r.Items++
	}
	return nil
}

func (it item) standsOnce(ctx context.Context, office *device.Client) error {
	var task struct{ Items []struct{ ID string } }
	if err := office.Do(ctx, http.MethodGet, "/v1/tasks/"+it.task, nil, &task); err != nil {
		return fmt.Errorf("task %s: %w", it.task, err)
	}
	found := 0
	for _, i := range task.Items {
		if i.ID == it.id {
			found++
		}
	}
	if found != 1 {
		return fmt.Errorf("item %s of task %s was acknowledged and is there %d times", it.id, it.task, found)
	}
	return nil
}
