package company

import (
	"errors"
	"fmt"
	"slices"

	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

func teamKind() *sync.Kind {
	return &sync.Kind{
		Name: KindTeam, Plural: "teams",
		Fields: []sync.Field{
			{Name: "name", Type: sync.Text, Required: true, Filter: true, Search: true},
			{Name: "memberIds", Type: sync.References, Refs: KindEmployee, Filter: true, Policy: sync.Office},
		},
		Scope: inWorkspace,
		Edges: func(_ string, f sync.Fields) sync.Edges {
			return sync.Edges{Members: members.Texts(f, "memberIds")}
		},
		Access: map[sync.Role]sync.Access{sync.RoleAdmin: full(), sync.RoleDispatcher: full()},
	}
}

// Assigned says whether an employee is among the employees that the document
// names in one field, or a member of a team that it names in another.
func Assigned(r sync.Reader, f sync.Fields, employee, employeesField, teamsField string) (bool, error) {
	if employee == "" {
		return false, nil
	}
	if slices.Contains(members.Texts(f, employeesField), employee) {
		return true, nil
	}
	for _, team := range members.Texts(f, teamsField) {
		doc, err := r.Get(sync.Key{Kind: KindTeam, ID: team})
		if errors.Is(err, sync.ErrMissing) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("read team %s: %w", team, err)
		}
		if slices.Contains(members.Texts(doc.Fields, "memberIds"), employee) {
			return true, nil
		}
	}
	return false, nil
}
