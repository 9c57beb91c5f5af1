package clients

import (
	"slices"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/fold"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

func clientKind() *sync.Kind {
	return &sync.Kind{
		Name: KindClient, Plural: "clients",
		Fields: slices.Concat(identityFields(), reachFields(), workFields(), accountFields()),
		Scope: func(_ sync.Reader, id string, _ sync.Fields) (string, error) {
			return Scope(id), nil
		},
		Edges: clientEdges,
		Unique: []sync.Unique{
			{Field: "name", Fold: fold.Name, Code: string(fault.NameTaken)},
			{Field: "code", Fold: fold.Name, Code: string(fault.ValueTaken)},
			{Field: "userId", Fold: fold.Name, Code: string(fault.ValueTaken)},
			{Field: "cardId", Fold: fold.Name, Code: string(fault.ValueTaken)},
		},
		Access:        access(sync.Access{Create: true, Update: true}),
		Permit:        permitClient,
		Rules:         clientRules,
		DisabledField: "disabled",
	}
}

// identityFields say who the client is.
func identityFields() []sync.Field {
	return []sync.Field{
		{Name: "name", Type: sync.Text, Required: true, Filter: true, Search: true, Max: maxName},
		{Name: "companyName", Type: sync.Text, Search: true},
		{Name: "description", Type: sync.LongText},
		{Name: "code", Type: sync.Text, Filter: true, Search: true},
		{Name: "userId", Type: sync.Text, Filter: true, Search: true},
		{Name: "searchCode", Type: sync.Text, Filter: true, Search: true},
		{Name: "cardId", Type: sync.Text, Filter: true, Search: true},
		{Name: "externalIds", Type: sync.Object, Filter: true, Writers: company.Office()},
		{Name: "isPerson", Type: sync.Boolean, Default: false, Filter: true},
		{Name: "firstName", Type: sync.Text, Search: true},
		{Name: "lastName", Type: sync.Text, Search: true},
		{Name: "language", Type: sync.Language, Filter: true},
		{Name: "parentId", Type: sync.Reference, Refs: KindClient, Filter: true, Writers: company.Office()},
		{Name: "custom", Type: sync.Object, Filter: true},
	}
}

// reachFields say how and where to reach the client.
func reachFields() []sync.Field {
	return []sync.Field{
		{Name: "phone", Type: sync.Phone, Filter: true, Search: true},
		{Name: "phoneE164", Type: sync.Text, ReadOnly: true, Filter: true},
		{Name: "officePhone", Type: sync.Phone, Filter: true, Search: true},
		{Name: "officePhoneE164", Type: sync.Text, ReadOnly: true, Filter: true},
		{Name: "email", Type: sync.Email, Filter: true, Search: true},
		{Name: "website", Type: sync.URL},
		{Name: "address", Type: sync.Object, Members: addressMembers(), Search: true, Filter: true},
		{Name: "shippingAddress", Type: sync.Object, Members: addressMembers()},
		{Name: "billingAddress", Type: sync.Object, Members: addressMembers()},
		{Name: "billingSameAsShipping", Type: sync.Boolean, Default: true},
		{Name: "position", Type: sync.Position, Policy: sync.Pinned},
	}
}

// workFields say how the work for the client is done and by whom.
func workFields() []sync.Field {
	office := company.Office()
	return []sync.Field{
		{Name: "note", Type: sync.LongText, Search: true},
		{Name: "showNote", Type: sync.Boolean, Default: false},
		{Name: "signatureNotRequired", Type: sync.Boolean, Default: false, Writers: office},
		{Name: "disabled", Type: sync.Boolean, Default: false, Filter: true, Writers: office},
		{Name: "assignedEmployeeIds", Type: sync.References, Refs: company.KindEmployee, Filter: true, Writers: office, Policy: sync.Office},
		{Name: "assignedTeamIds", Type: sync.References, Refs: company.KindTeam, Filter: true, Writers: office, Policy: sync.Office},
	}
}

// accountFields say how the client pays and what it sees in the portal.
func accountFields() []sync.Field {
	office := company.Office()
	return []sync.Field{
		{Name: "discountPercent", Type: sync.Number, Min: bound(0), Limit: bound(100), Writers: office},
		{Name: "payerId", Type: sync.Reference, Refs: KindClient, Filter: true, Writers: office},
		{Name: "currency", Type: sync.Text, Max: 3, Filter: true, Writers: office},
		{Name: "creditLimit", Type: sync.Integer, Min: bound(0), Writers: office},
		{Name: "onAccountAllowed", Type: sync.Boolean, Default: false, Writers: office},
		{Name: "portalModules", Type: sync.Choices, Enum: company.PortalModules(), Writers: office},
	}
}

// addressMembers are the parts of a postal address.
func addressMembers() []sync.Field {
	return []sync.Field{
		{Name: "line1", Type: sync.Text},
		{Name: "line2", Type: sync.Text},
		{Name: "city", Type: sync.Text},
		{Name: "region", Type: sync.Text},
		{Name: "postalCode", Type: sync.Text},
		{Name: "country", Type: sync.Text},
	}
}

// clientEdges: a client that is not disabled is open to everybody whose
// profile does not filter, and granted, with its file, to whom it is assigned.
func clientEdges(id string, f sync.Fields) sync.Edges {
	e := sync.Edges{Refs: refs(KindClient, members.Text(f, "parentId"), members.Text(f, "payerId"))}
	if members.Flag(f, "disabled") {
		return e
	}
	e.Open = true
	employees, teams := members.Texts(f, "assignedEmployeeIds"), members.Texts(f, "assignedTeamIds")
	if len(employees)+len(teams) > 0 {
		e.Grants = []sync.Grant{{
			Principals: employees, Groups: teams,
			Scopes: []string{Scope(id), FileScope(id)}, Always: true,
		}}
	}
	return e
}

// permitClient lets technicians create clients if their profile does, and
// edit the fields that it names.
func permitClient(r sync.Reader, ch *sync.Change) error {
	if r.Role() != sync.RoleTechnician || ch.ByRules {
		return nil
	}
	profile, err := company.ProfileOf(r, r.Actor().User)
	if err != nil {
		return err
	}
	if ch.Op == sync.Create {
		if !profile.ClientCreate {
			return fault.New(fault.Forbidden)
		}
		return nil
	}
	for _, name := range touched(ch) {
		if !slices.Contains(profile.ClientFields, name) {
			return fault.New(fault.FieldNotAllowed, "field", name)
		}
	}
	return nil
}

// touched are the names of the fields that a mutation sets or removes, sorted.
func touched(ch *sync.Change) []string {
	names := slices.Clone(ch.Unset)
	for name := range ch.Asked {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
