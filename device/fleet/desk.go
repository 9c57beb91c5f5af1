package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/enroute-field/enroute/device"
)

// desk is the dispatcher: assigns, takes away, moves and writes notes.
type desk struct {
	client      *device.Client
	rand        *rand.Rand
	technicians []employee
	clients     []string
	tasks       []string
	done        int64
	patient     bool // see Options.Patience
}

type employee struct{ ID, Email string }

// look finds who and what there is to plan.
func (d *desk) look(ctx context.Context) error {
	people, err := list[employee](ctx, d.client, "employees?role=technician&active=true")
	if err != nil {
		return err
	}
	d.technicians = people
	type named struct{ ID string }
	for path, ids := range map[string]*[]string{"clients": &d.clients, "tasks?category=open": &d.tasks} {
		found, err := list[named](ctx, d.client, path)
		if err != nil {
			return err
		}
		for _, f := range found {
			*ids = append(*ids, f.ID)
		}
	}
	if len(d.technicians) == 0 || len(d.clients) == 0 || len(d.tasks) == 0 {
		return errors.New("the workspace needs technicians, clients and open tasks to simulate with")
	}
	return nil
}

// list gets all pages of a list.
func list[T any](ctx context.Context, c *device.Client, path string) ([]T, error) {
	at, err := url.Parse("/v1/" + path)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	q := at.Query()
	q.Set("limit", "500")
	var all []T
	for {
		var page struct {
			Items []T
			Next  *string
		}
		at.RawQuery = q.Encode()
		if err := c.Do(ctx, http.MethodGet, at.String(), nil, &page); err != nil {
			return nil, fmt.Errorf("list %s: %w", path, err)
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			return all, nil
		}
		q.Set("after", *page.Next)
	}
}

func (d *desk) work(ctx context.Context) error {
	for pause(ctx, d.rand, 100*time.Millisecond) {
		path, patch := d.change()
		err := d.client.Do(ctx, http.MethodPatch, path, patch, nil)
		_, refused := errors.AsType[*device.Problem](err)
		switch {
		case err == nil:
			d.done++
		case !refused && !d.patient && ctx.Err() == nil:
			return fmt.Errorf("dispatcher: %w", err)
		}
	}
	return nil
}

func (d *desk) change() (path string, patch device.Fields) {
	client := "/v1/clients/" + d.clients[d.rand.IntN(len(d.clients))]
	switch d.rand.IntN(4) {
	case 0:
		return client, device.Fields{"note": fmt.Sprintf("desk note %d", d.rand.IntN(1_000_000))}
	case 1:
		return "/v1/tasks/" + d.tasks[d.rand.IntN(len(d.tasks))], device.Fields{"employeeIds": []any{d.somebody()}}
	}
	assigned := []any{}
	for range d.rand.IntN(3) {
		assigned = append(assigned, d.somebody())
	}
	return client, device.Fields{"assignedEmployeeIds": unique(assigned)}
}

func (d *desk) somebody() string { return d.technicians[d.rand.IntN(len(d.technicians))].ID }

func unique(list []any) []any {
	out := []any{}
	seen := map[any]bool{}
	for _, v := range list {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
