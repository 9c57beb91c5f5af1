package tasks

import (
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// permit refines what may be changed: an employee's receipts are his own,
// technicians make tasks only if their profile says so, and of a task that is
// there they change what the field reports, not what it is about.
func permit(r sync.Reader, ch *sync.Change) error {
	if r.Role() == sync.RoleSystem || ch.ByRules {
		return nil
	}
	if err := permitReceipts(r.Actor().User, ch); err != nil {
		return err
	}
	if r.Role() != sync.RoleTechnician {
		return nil
	}
	if err := permitItems(ch); err != nil {
		return err
	}
	if ch.Op == sync.Create {
		return permitCreation(r, ch)
	}
	return permitEdit(ch)
}

// permitReceipts: who opened a task says so of himself.
func permitReceipts(self string, ch *sync.Change) error {
	for employee, receipt := range members.Object(ch.Asked, "receipts") {
		r, ok := receipt.(map[string]any)
		_, opened := r["openedAt"].(string)
		if employee != self || !ok || !opened || len(r) != 1 {
			return fault.New(fault.FieldNotAllowed, "field", "receipts."+employee)
		}
	}
	return nil
}

// permitItems: prices are the office's.
func permitItems(ch *sync.Change) error {
	for _, item := range members.Objects(ch.Asked, "items") {
		for _, name := range []string{"unitPrice", "discountPercent"} {
			if _, ok := item[name]; ok {
				return fault.New(fault.FieldNotAllowed, "field", "items."+name)
			}
		}
	}
	return nil
}

func permitCreation(r sync.Reader, ch *sync.Change) error {
	profile, err := company.ProfileOf(r, r.Actor().User)
	if err != nil {
		return err
	}
	if !profile.TaskCreate {
		return fault.New(fault.Forbidden)
	}
	if state := members.Text(ch.Asked, "state"); state != "" && state != StateDispatched {
		return fault.New(fault.FieldNotAllowed, "field", "state")
	}
	return nil
}

func permitEdit(ch *sync.Change) error {
	for name := range ch.Asked {
		if !fieldMayEdit(name) {
			return fault.New(fault.FieldNotAllowed, "field", name)
		}
	}
	for _, name := range ch.Unset {
		if !fieldMayEdit(name) || name == "state" {
			return fault.New(fault.FieldNotAllowed, "field", name)
		}
	}
	return nil
}

// fieldMayEdit says whether technicians change a field of a task that is there.
func fieldMayEdit(name string) bool {
	switch name {
	case "state", "position", "items", "signature", "receipts", "custom",
		"summary", "description", "equipmentIds",
		"priority", "plannedStart", "plannedEnd":
		return true
	}
	return false
}
