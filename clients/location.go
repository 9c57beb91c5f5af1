package clients

import (
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

func locationKind() *sync.Kind {
	return &sync.Kind{
		Name: KindLocation, Plural: "locations",
		Fields: []sync.Field{
			{Name: "clientId", Type: sync.Reference, Refs: KindClient, Filter: true},
			{Name: "name", Type: sync.Text, Required: true, Filter: true, Search: true},
			{Name: "address", Type: sync.Object, Members: addressMembers(), Search: true, Filter: true},
			{Name: "position", Type: sync.Position, Policy: sync.Pinned},
			{Name: "timeZone", Type: sync.TimeZone},
			{Name: "accessNotes", Type: sync.LongText},
			{Name: "externalIds", Type: sync.Object, Filter: true, Writers: company.Office()},
		},
		Scope:  locationScope,
		Access: access(sync.Access{Create: true, Update: true}),
		Permit: permitLocation,
		Rules:  locationRules,
	}
}

// locationScope: a location without a client is everybody's.
func locationScope(_ sync.Reader, _ string, f sync.Fields) (string, error) {
	if client := members.Text(f, "clientId"); client != "" {
		return Scope(client), nil
	}
	return sync.ScopeWorkspace, nil
}

// permitLocation keeps technicians to the locations of clients: one without a
// client would reach every phone.
func permitLocation(r sync.Reader, ch *sync.Change) error {
	if r.Role() != sync.RoleTechnician || ch.ByRules {
		return nil
	}
	if ch.Op == sync.Create && members.Text(ch.Asked, "clientId") == "" {
		return fault.New(fault.Forbidden)
	}
	if ch.Op == sync.Update && ch.Old != nil && ch.Old.Scope == sync.ScopeWorkspace {
		return fault.New(fault.Forbidden)
	}
	for _, name := range ch.Unset {
		if name == "clientId" {
			return fault.New(fault.FieldNotAllowed, "field", name)
		}
	}
	return nil
}

// locationRules takes a deleted location out of the contacts and equipment
// that were there.
func locationRules(tx *sync.Tx, ch *sync.Change) error {
	if ch.New != nil || ch.ByRules {
		return nil
	}
	for _, kind := range []string{KindContact, KindEquipment} {
		for _, id := range tx.Referrers(ch.Key, kind) {
			if err := forget(tx, sync.Key{Kind: kind, ID: id}, ch.Key.ID, "locationId"); err != nil {
				return err
			}
		}
	}
	return nil
}
