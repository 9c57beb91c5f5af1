package company

import (
	"regexp"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// FoldEmail is the form in which two e-mail addresses are compared.
func FoldEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// OwnScope is the scope of what belongs to one employee alone.
func OwnScope(employee string) string { return "employee:" + employee }

// employeeKind is the kind of accounts. Only administrators change them: a
// role or a profile decides what its holder sees.
func employeeKind() *sync.Kind {
	return &sync.Kind{
		Name: KindEmployee, Plural: "employees",
		Fields: []sync.Field{
			{Name: "name", Type: sync.Text, Required: true, Filter: true, Search: true},
			{Name: "email", Type: sync.Email, Required: true, Filter: true, Search: true},
			{Name: "phone", Type: sync.Phone, Search: true},
			{Name: "phoneE164", Type: sync.Text, ReadOnly: true, Filter: true},
			{Name: "role", Type: sync.Choice, Required: true, Filter: true, Enum: roles()},
			{Name: "active", Type: sync.Boolean, Required: true, Default: true, Filter: true},
			{Name: "mobileProfileId", Type: sync.Reference, Refs: KindProfile, Filter: true},
			{Name: "colour", Type: sync.Text, Max: 7},
			{Name: "skills", Type: sync.Texts, Filter: true, Search: true},
			{Name: "language", Type: sync.Language, Filter: true},
			{Name: "externalIds", Type: sync.Object, Filter: true},
		},
		Scope:  inWorkspace,
		Edges:  employeeEdges,
		Unique: []sync.Unique{{Field: "email", Fold: FoldEmail, Code: string(fault.EmailTaken)}},
		Access: map[sync.Role]sync.Access{sync.RoleAdmin: full()},
		Rules:  employeeRules,
	}
}

func roles() []string {
	return []string{string(sync.RoleAdmin), string(sync.RoleDispatcher), string(sync.RoleTechnician)}
}

// employeeEdges makes the account a principal that holds what everybody and
// what he alone holds.
func employeeEdges(id string, f sync.Fields) sync.Edges {
	p := &sync.Principal{Role: sync.Role(members.Text(f, "role")), Active: members.Flag(f, "active")}
	e := sync.Edges{
		Principal: p,
		Grants: []sync.Grant{{
			Principals: []string{id},
			Scopes:     []string{sync.ScopeWorkspace, OwnScope(id)},
			Always:     true,
		}},
	}
	if profile := members.Text(f, "mobileProfileId"); profile != "" {
		p.Profile = sync.Key{Kind: KindProfile, ID: profile}
		e.Refs = []sync.Key{p.Profile}
	}
	return e
}

func employeeRules(tx *sync.Tx, ch *sync.Change) error {
	if err := keepAnAdmin(tx, ch); err != nil {
		return err
	}
	if ch.New == nil {
		return nil
	}
	if ch.Old != nil && ch.Old.Deleted {
		// Who was removed does not get back in because of a late edit.
		ch.New.Fields["active"] = false
	}
	return firstOf(checkColour(ch.New.Fields), SetE164(tx, ch, "phone"))
}

// keepAnAdmin refuses to take the last active administrator away.
func keepAnAdmin(r sync.Reader, ch *sync.Change) error {
	if !isAdmin(ch.Old) || isAdmin(ch.New) {
		return nil
	}
	for _, id := range r.Principals(sync.RoleAdmin) {
		if id != ch.Key.ID {
			return nil
		}
	}
	return fault.New(fault.LastAdmin)
}

func isAdmin(d *sync.Document) bool {
	return d != nil && !d.Deleted && members.Flag(d.Fields, "active") &&
		members.Text(d.Fields, "role") == string(sync.RoleAdmin)
}

var colourForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func checkColour(f sync.Fields) error {
	if c := members.Text(f, "colour"); c != "" && !colourForm.MatchString(c) {
		return fault.Invalid(fault.At("colour", fault.BadFormat, "type", "#rrggbb"))
	}
	return nil
}
