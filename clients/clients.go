// Package clients has the kinds that describe whom a company works for:
// clients with their contacts, locations and equipment, and their rules.
package clients

import (
	"errors"
	"fmt"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// The names of the kinds.
const (
	KindClient    = "client"
	KindContact   = "contact"
	KindLocation  = "location"
	KindEquipment = "equipment"
)

// Kinds of the clients, to be registered with the engine.
func Kinds() []*sync.Kind {
	return []*sync.Kind{clientKind(), contactKind(), locationKind(), equipmentKind()}
}

// Scope of a client with its contacts, locations and equipment.
func Scope(client string) string { return "client:" + client }

// FileScope is the scope of a client's file: its attachments, comments and messages.
func FileScope(client string) string { return "clientFile:" + client }

// Key of a client.
func Key(id string) sync.Key { return sync.Key{Kind: KindClient, ID: id} }

// AssignedTo says whether a client is assigned to an employee, by himself or
// through a team.
func AssignedTo(r sync.Reader, client sync.Fields, employee string) (bool, error) {
	return company.Assigned(r, client, employee, "assignedEmployeeIds", "assignedTeamIds")
}

// Currency in which work for a client is paid: that of its last payer, else
// the workspace's. The id "" is no client.
func Currency(r sync.Reader, client string) (string, error) {
	for client != "" {
		doc, err := r.Get(Key(client))
		if errors.Is(err, sync.ErrMissing) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read client %s: %w", client, err)
		}
		payer := members.Text(doc.Fields, "payerId")
		if c := members.Text(doc.Fields, "currency"); payer == "" && c != "" {
			return c, nil
		}
		client = payer
	}
	settings, err := company.SettingsOf(r)
	return settings.Currency, err
}

// byClient is the scope of a document that belongs to the client it names.
func byClient(_ sync.Reader, _ string, f sync.Fields) (string, error) {
	return Scope(members.Text(f, "clientId")), nil
}

// refs are the keys of those of the ids that are given.
func refs(kind string, ids ...string) []sync.Key {
	var out []sync.Key
	for _, id := range ids {
		if id != "" {
			out = append(out, sync.Key{Kind: kind, ID: id})
		}
	}
	return out
}

// bound is a limit of a number field.
func bound(n float64) *float64 { return &n }

// access lets the office do everything, and technicians in the field what is given.
func access(technician sync.Access) map[sync.Role]sync.Access {
	all := sync.Access{Create: true, Update: true, Delete: true}
	return map[sync.Role]sync.Access{
		sync.RoleAdmin: all, sync.RoleDispatcher: all, sync.RoleTechnician: technician,
	}
}

// leaveLocation takes a contact or equipment that moves to another client out
// of the location where it was: that one belongs to the old client, and those
// who see the new one may not see it.
func leaveLocation(ch *sync.Change) {
	if ch.New == nil || ch.Old == nil || !ch.Changed("clientId") {
		return
	}
	if _, chosen := ch.Asked["locationId"]; !chosen {
		delete(ch.New.Fields, "locationId")
	}
}
