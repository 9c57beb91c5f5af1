// Package tasks has the kind of tasks: what is to be done for a client, by
// whom and when, the states it goes through, and what the field reports of it.
package tasks

import (
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// KindTask is the name of the kind.
const KindTask = "task"

// Where a task was made.
const (
	SourceOffice = "office"
	SourceField  = "field"
)

// Scope of a task.
func Scope(id string) string { return "task:" + id }

// Key of a task.
func Key(id string) sync.Key { return sync.Key{Kind: KindTask, ID: id} }

// Kinds of the tasks, to be registered with the engine.
func Kinds() []*sync.Kind {
	rules := taskRules{workflow: Simple()}
	all := sync.Access{Create: true, Update: true, Delete: true}
	return []*sync.Kind{{
		Name: KindTask, Plural: "tasks",
		Fields: fields(rules.workflow),
		Scope: func(_ sync.Reader, id string, _ sync.Fields) (string, error) {
			return Scope(id), nil
		},
		Edges:  edges,
		Unique: []sync.Unique{{Field: "number", Code: string(fault.ValueTaken)}},
		Access: map[sync.Role]sync.Access{
			sync.RoleAdmin: all, sync.RoleDispatcher: all,
			sync.RoleTechnician: {Create: true, Update: true},
		},
		Permit: permit,
		Rules:  rules.apply,
	}}
}

// edges: a task that has been dispatched is granted to its employees and
// teams with all it needs, for as long as it is unfinished and on its days.
func edges(id string, f sync.Fields) sync.Edges {
	client := members.Text(f, "clientId")
	named := needs(f)
	e := sync.Edges{Refs: named}
	if client != "" {
		e.Refs = append([]sync.Key{clients.Key(client)}, named...)
	}
	employees, teams := members.Texts(f, "employeeIds"), members.Texts(f, "teamIds")
	category := Category(members.Text(f, "category"))
	if category == Planned || len(employees)+len(teams) == 0 {
		return e
	}
	g := sync.Grant{
		Principals: employees, Groups: teams,
		Scopes: []string{Scope(id)}, ScopesOf: named,
		Always: category == Open,
		Start:  members.Time(f, "plannedStart"), End: members.Time(f, "plannedEnd"),
	}
	if client != "" {
		g.Scopes = append(g.Scopes, clients.Scope(client), clients.FileScope(client))
	}
	e.Grants = []sync.Grant{g}
	return e
}

// needs are the documents beside its client that a task names.
func needs(f sync.Fields) []sync.Key {
	var out []sync.Key
	add := func(kind string, ids ...string) {
		for _, id := range ids {
			if id != "" {
				out = append(out, sync.Key{Kind: kind, ID: id})
			}
		}
	}
	add(clients.KindContact, members.Text(f, "contactId"))
	add(clients.KindLocation, members.Text(f, "locationId"))
	add(clients.KindEquipment, members.Texts(f, "equipmentIds")...)
	return out
}

// onTask says whether an employee is among those of a task.
func onTask(r sync.Reader, task sync.Fields, employee string) (bool, error) {
	return company.Assigned(r, task, employee, "employeeIds", "teamIds")
}

// clientOf reads the client of a task; ErrMissing if there is none.
func clientOf(r sync.Reader, task sync.Fields) (*sync.Document, error) {
	id := members.Text(task, "clientId")
	if id == "" {
		return nil, sync.ErrMissing
	}
	doc, err := r.Get(clients.Key(id))
	if err != nil && !errors.Is(err, sync.ErrMissing) {
		return nil, fmt.Errorf("read client %s: %w", id, err)
	}
	return doc, err
}
