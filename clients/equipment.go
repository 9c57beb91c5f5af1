package clients

import (
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

func equipmentKind() *sync.Kind {
	return &sync.Kind{
		Name: KindEquipment, Plural: "equipment",
		Fields: []sync.Field{
			{Name: "clientId", Type: sync.Reference, Refs: KindClient, Required: true, Filter: true},
			{Name: "locationId", Type: sync.Reference, Refs: KindLocation, Filter: true},
			{Name: "name", Type: sync.Text, Required: true, Filter: true, Search: true},
			{Name: "type", Type: sync.Text, Filter: true, Search: true},
			{Name: "manufacturer", Type: sync.Text, Filter: true, Search: true},
			{Name: "model", Type: sync.Text, Filter: true, Search: true},
			{Name: "serialNumber", Type: sync.Text, Filter: true, Search: true},
			{Name: "labelCode", Type: sync.Text, Filter: true, Search: true},
			{Name: "installedOn", Type: sync.Date, Filter: true},
			{Name: "warrantyUntil", Type: sync.Date, Filter: true},
			{Name: "externalIds", Type: sync.Object, Filter: true, Writers: company.Office()},
			{Name: "custom", Type: sync.Object, Filter: true},
		},
		Scope: byClient,
		Edges: func(_ string, f sync.Fields) sync.Edges {
			return sync.Edges{Refs: refs(KindLocation, members.Text(f, "locationId"))}
		},
		Access: access(sync.Access{Create: true, Update: true}),
		Rules: func(_ *sync.Tx, ch *sync.Change) error {
			leaveLocation(ch)
			return nil
		},
	}
}
