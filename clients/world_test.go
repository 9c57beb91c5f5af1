package clients_test

import (
	"slices"
	"testing"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// The people of every world here: dispatcher Denis, and technicians Tom, with
// option 11, and Uma, without a profile.
var (
	denis      = enginetest.Console("denis")
	denisPhone = enginetest.Phone("denis")
	tom        = enginetest.Phone("tom")
	uma        = enginetest.Phone("uma")
)

// taskKind stands in for the tasks of the package above.
func taskKind() *sync.Kind {
	return &sync.Kind{
		Name: "task", Plural: "tasks",
		Fields: []sync.Field{
			{Name: "clientId", Type: sync.Reference, Refs: "client"},
			{Name: "category", Type: sync.Text},
			{Name: "number", Type: sync.Integer},
		},
		Scope: func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "task:" + id, nil },
		Edges: func(_ string, f sync.Fields) sync.Edges {
			id, _ := f["clientId"].(string)
			return sync.Edges{Refs: []sync.Key{clients.Key(id)}}
		},
		Access: map[sync.Role]sync.Access{sync.RoleDispatcher: {Create: true, Update: true, Delete: true}},
	}
}

func world(t *testing.T) *enginetest.World {
	t.Helper()
	person := func(id, role string) sync.Mutation {
		f := sync.Fields{"name": id, "email": id + "@example.com", "role": role}
		if id == "tom" {
			f["mobileProfileId"] = "filtered"
		}
		return enginetest.Create("employee", id, f)
	}
	return enginetest.New(t, enginetest.Options{
		Kinds: slices.Concat(company.Kinds(), clients.Kinds(), []*sync.Kind{taskKind()}),
		Seed: []sync.Mutation{
			enginetest.Create("workspaceSettings", "settings", sync.Fields{"contactPermissions": []any{"invoices", "support"}}),
			enginetest.Create("mobileProfile", "filtered", sync.Fields{"name": "F", "filterClientsByAssignment": true, "clientCreate": true}),
			person("anne", "admin"), person("denis", "dispatcher"), person("tom", "technician"), person("uma", "technician"),
			enginetest.Create("team", "north", sync.Fields{"name": "North", "memberIds": []any{"tom"}}),
			enginetest.Create("client", "dupont", sync.Fields{"name": "Dupont", "code": "D-1", "assignedEmployeeIds": []any{"tom"}}),
			enginetest.Create("client", "roy", sync.Fields{"name": "Roy"}),
		},
	})
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

// expect some fields of a document.
func expect(t *testing.T, w *enginetest.World, kind, id string, want sync.Fields) {
	t.Helper()
	got := w.Fields(kind, id)
	for name, v := range want {
		if !same(got[name], v) {
			t.Errorf("%s/%s: %s is %v, want %v", kind, id, name, got[name], v)
		}
	}
}

func same(a, b any) bool {
	x, isList := a.([]any)
	y, _ := b.([]any)
	if isList {
		return slices.Equal(x, y)
	}
	return a == b
}
