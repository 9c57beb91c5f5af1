package tasks_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
	"github.com/enroute-field/enroute/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The people of every world here: dispatcher Denis, technicians Tom and Tim
// with option 11, who may create tasks, and Uma without a profile. Tom and Uma
// are the team north.
var (
	denis      = enginetest.Console("denis")
	denisPhone = enginetest.Phone("denis")
	tom        = enginetest.Phone("tom")
	tim        = enginetest.Phone("tim")
	uma        = enginetest.Phone("uma")
	system     = sync.System("test")
)

func kinds() []*sync.Kind {
	return slices.Concat(company.Kinds(), clients.Kinds(), tasks.Kinds())
}

func seed() []sync.Mutation {
	person := func(id, role, profile string) sync.Mutation {
		f := sync.Fields{"name": id, "email": id + "@example.com", "role": role}
		if profile != "" {
			f["mobileProfileId"] = profile
		}
		return enginetest.Create("employee", id, f)
	}
	return []sync.Mutation{
		enginetest.Create("workspaceSettings", "settings", sync.Fields{}),
		enginetest.Create("mobileProfile", "filtered", sync.Fields{"name": "F", "filterClientsByAssignment": true, "taskCreate": true, "clientCreate": true}),
		person("anne", "admin", ""), person("denis", "dispatcher", ""),
		person("tom", "technician", "filtered"), person("tim", "technician", "filtered"), person("uma", "technician", ""),
		enginetest.Create("team", "north", sync.Fields{"name": "North", "memberIds": []any{"tom", "uma"}}),
		enginetest.Create("client", "dupont", sync.Fields{"name": "Dupont", "phone": "514 555-0123", "address": map[string]any{"city": "Laval"}}),
		enginetest.Create("client", "roy", sync.Fields{"name": "Roy", "currency": "USD", "assignedEmployeeIds": []any{"tom"}}),
		enginetest.Create("contact", "lise", sync.Fields{"clientId": "dupont", "firstName": "Lise"}),
		enginetest.Create("equipment", "furnace", sync.Fields{"clientId": "roy", "name": "Furnace"}),
	}
}

func world(t *testing.T) *enginetest.World {
	t.Helper()
	return enginetest.New(t, enginetest.Options{Kinds: kinds(), Seed: seed()})
}

// withReceipts is a world in which receipts are written.
func withReceipts(t *testing.T) *enginetest.World {
	t.Helper()
	var receipts *tasks.Receipts
	clock := enginetest.NewClock(noon)
	return enginetest.New(t, enginetest.Options{
		Kinds: kinds(), Seed: seed(), Now: noon,
		Engine: sync.Options{Presented: func(workspace string, a sync.Actor, number uint64) {
			receipts.Presented(workspace, a, number)
		}},
		Started: func(e *sync.Engine) func(context.Context) error {
			receipts = tasks.NewReceipts(e, clock.Now, slog.New(slog.NewTextHandler(t.Output(), nil)))
			return receipts.Stop
		},
	})
}

// noon of the day on which worlds stand, in UTC.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// task makes a task t of a client in a state, for these employees.
func task(t *testing.T, w *enginetest.World, state string, employees ...string) {
	t.Helper()
	w.MustWrite(denis, enginetest.Create("task", "t", sync.Fields{
		"clientId": "dupont", "contactId": "lise", "state": "dispatched", "employeeIds": members.List(employees...),
	}))
	way := map[string][]string{
		"scheduled": {"scheduled"}, "enRoute": {"enRoute"}, "inProgress": {"enRoute", "inProgress"},
		"completed": {"enRoute", "inProgress", "completed"}, "incomplete": {"enRoute", "inProgress", "incomplete"},
		"cancelled": {"cancelled"}, "draft": {"cancelled", "draft"},
	}
	for _, s := range way[state] {
		w.MustWrite(denis, step(s, "because"))
	}
	if got := w.Fields("task", "t")["state"]; got != state {
		t.Fatalf("the task is %v, want %s", got, state)
	}
}

// step is the mutation that takes the task to a state.
func step(state, reason string) sync.Mutation {
	f := sync.Fields{"state": state}
	if reason != "" {
		f["reason"] = reason
	}
	return enginetest.Update("task", "t", 0, f)
}

// seen is the mutation as a phone makes it that has looked at everything.
func seen(m sync.Mutation) sync.Mutation {
	m.Base = 1 << 40
	return m
}

func expectCode(t *testing.T, what string, err error, want fault.Code) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && !fault.Is(err, want):
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

func expectRefused(t *testing.T, what string, res sync.Result, want fault.Code) {
	t.Helper()
	switch {
	case want == "" && res.Status == sync.Rejected:
		t.Errorf("%s: %v", what, res.Error)
	case want != "" && (res.Error == nil || res.Error.Code != want):
		t.Errorf("%s: got %s %v, want %s", what, res.Status, res.Error, want)
	}
}

// lastEvent of the task t.
func lastEvent(w *enginetest.World) map[string]any {
	events := members.Objects(w.Fields("task", "t"), "events")
	return events[len(events)-1]
}
