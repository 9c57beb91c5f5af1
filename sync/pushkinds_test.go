package sync

import (
	"fmt"
	"strings"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// testKinds is a small domain that uses everything a kind can declare.
func testKinds() []*Kind {
	return []*Kind{
		testSettings(), testProfile(), testEmployee(), testTeam(),
		testClient(), testPlace(), testPhoto(), testTask(), testSecret(),
	}
}

func anyone() map[Role]Access {
	all := Access{Create: true, Update: true, Delete: true}
	return map[Role]Access{RoleAdmin: all, RoleDispatcher: all, RoleTechnician: all}
}

func officeOnly() map[Role]Access {
	a := anyone()
	delete(a, RoleTechnician)
	return a
}

func fixed(scope string) func(Reader, string, Fields) (string, error) {
	return func(Reader, string, Fields) (string, error) { return scope, nil }
}

func textOf(f Fields, name string) string {
	s, _ := f[name].(string)
	return s
}

func textsOf(f Fields, name string) []string {
	var out []string
	list, _ := f[name].([]any)
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

func testSettings() *Kind {
	return &Kind{
		Name: "settings", Scope: fixed(ScopeWorkspace), Access: officeOnly(),
		Fields: []Field{{Name: "zone", Type: TimeZone, Required: true}, {Name: "motto", Type: Text}},
		Edges:  func(_ string, f Fields) Edges { return Edges{Zone: textOf(f, "zone")} },
	}
}

func testProfile() *Kind {
	return &Kind{
		Name: "profile", Scope: fixed(ScopeWorkspace), Access: officeOnly(),
		Fields: []Field{{Name: "open", Type: Boolean}, {Name: "days", Type: Integer}},
		Edges: func(_ string, f Fields) Edges {
			open, _ := f["open"].(bool)
			days, _ := f["days"].(float64)
			return Edges{Profile: &Profile{Open: open, Past: int32(days), Future: int32(days)}}
		},
	}
}

func testEmployee() *Kind {
	return &Kind{
		Name: "employee", Scope: fixed(ScopeWorkspace), Access: officeOnly(),
		Fields: []Field{
			{Name: "name", Type: Text, Required: true},
			{Name: "role", Type: Choice, Required: true, Enum: []string{"admin", "dispatcher", "technician"}},
			{Name: "active", Type: Boolean, Default: true},
			{Name: "profileId", Type: Reference, Refs: "profile"},
		},
		Edges: func(id string, f Fields) Edges {
			active, _ := f["active"].(bool)
			return Edges{
				Principal: &Principal{Role: Role(textOf(f, "role")), Active: active, Profile: Key{"profile", textOf(f, "profileId")}},
				Grants:    []Grant{{Principals: []string{id}, Scopes: []string{ScopeWorkspace, "employee:" + id}, Always: true}},
			}
		},
		Rules: lastAdmin,
	}
}

// lastAdmin keeps one active administrator.
func lastAdmin(tx *Tx, ch *Change) error {
	if ch.Old == nil || tx.Role() == RoleSystem {
		return nil
	}
	stays := ch.New != nil && textOf(ch.New.Fields, "role") == "admin" && ch.New.Fields["active"] == true
	admins := tx.Principals(RoleAdmin)
	if !stays && len(admins) == 1 && admins[0] == ch.Key.ID {
		return fault.New(fault.LastAdmin)
	}
	return nil
}

func testTeam() *Kind {
	return &Kind{
		Name: "team", Scope: fixed(ScopeWorkspace), Access: officeOnly(),
		Fields: []Field{{Name: "memberIds", Type: References, Refs: "employee"}},
		Edges:  func(_ string, f Fields) Edges { return Edges{Members: textsOf(f, "memberIds")} },
	}
}

func testClient() *Kind {
	most := 100.0
	least := 0.0
	return &Kind{
		Name: "client", Plural: "clients", Access: anyone(), DisabledField: "disabled",
		Fields: []Field{
			{Name: "name", Type: Text, Required: true},
			{Name: "code", Type: Text},
			{Name: "note", Type: LongText},
			{Name: "discount", Type: Number, Min: &least, Limit: &most, Writers: []Role{RoleAdmin, RoleDispatcher}},
			{Name: "address", Type: Object, Members: []Field{{Name: "line", Type: Text}, {Name: "city", Type: Text}}},
			{Name: "custom", Type: Object},
			{Name: "position", Type: Position, Policy: Pinned},
			{Name: "visit", Type: Text, Policy: Office},
			{Name: "tags", Type: Choices, Enum: []string{"vip", "late", "new"}},
			{Name: "disabled", Type: Boolean, Default: false},
			{Name: "folded", Type: Text, ReadOnly: true},
			{Name: "parentId", Type: Reference, Refs: "client"},
			{Name: "assignedIds", Type: References, Refs: "employee", Writers: []Role{RoleAdmin, RoleDispatcher}},
			{Name: "teamIds", Type: References, Refs: "team", Writers: []Role{RoleAdmin, RoleDispatcher}},
			{Name: "items", Type: Elements, Policy: Appended, Members: []Field{
				{Name: "text", Type: Text}, {Name: "count", Type: Integer}, {Name: "more", Type: Object}}},
		},
		Scope: func(_ Reader, id string, _ Fields) (string, error) { return "client:" + id, nil },
		Edges: clientEdges,
		Unique: []Unique{
			{Field: "name", Fold: strings.ToLower, Code: string(fault.NameTaken)},
			{Field: "code", Code: string(fault.ValueTaken)},
		},
		Permit: func(_ Reader, ch *Change) error {
			if ch.Op == Update && ch.Changed("code") {
				return fault.New(fault.FieldNotAllowed, "field", "code")
			}
			return nil
		},
		Rules: clientRules,
	}
}

func clientEdges(id string, f Fields) Edges {
	var e Edges
	if parent := textOf(f, "parentId"); parent != "" {
		e.Refs = []Key{{"client", parent}}
	}
	if f["disabled"] == true {
		return e
	}
	e.Open = true
	e.Grants = []Grant{{
		Principals: textsOf(f, "assignedIds"), Groups: textsOf(f, "teamIds"),
		Scopes: []string{"client:" + id}, Always: true,
	}}
	return e
}

// clientRules numbers a name that a phone could not know was taken, keeps the
// folded name, gives what a technician makes to him, and cascades deletions.
func clientRules(tx *Tx, ch *Change) error {
	if ch.Op == Delete {
		for _, key := range tx.InScope("client:" + ch.Key.ID) {
			if key == ch.Key {
				continue
			}
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	}
	name := textOf(ch.New.Fields, "name")
	if name == "refuse me" {
		return fault.New(fault.ClientDisabled)
	}
	for n := 2; ch.Offline; n++ {
		other, err := tx.ByUnique("client", "name", textOf(ch.New.Fields, "name"))
		if err != nil {
			return err
		}
		if other == "" || other == ch.Key.ID {
			break
		}
		ch.New.Fields["name"] = fmt.Sprintf("%s (%d)", name, n)
	}
	if got := textOf(ch.New.Fields, "name"); got != name {
		ch.Conflict(Conflict{Field: "name", Kept: got, Discarded: name, Level: LevelDecide, Reason: "duplicate"})
	}
	ch.New.Fields["folded"] = strings.ToLower(textOf(ch.New.Fields, "name"))
	if ch.Old == nil && tx.Role() == RoleTechnician {
		ch.New.Fields["assignedIds"] = []any{tx.Actor().User}
	}
	return nil
}

func testPlace() *Kind {
	return &Kind{
		Name: "place", Plural: "places", Access: anyone(),
		Fields: []Field{
			{Name: "name", Type: Text, Required: true},
			{Name: "clientId", Type: Reference, Refs: "client"},
			{Name: "main", Type: Boolean},
			{Name: "hidden", Type: Boolean},
		},
		Scope: func(_ Reader, _ string, f Fields) (string, error) {
			if f["hidden"] == true {
				return ScopeOffice, nil
			}
			if c := textOf(f, "clientId"); c != "" {
				return "client:" + c, nil
			}
			return ScopeWorkspace, nil
		},
		Edges: func(_ string, f Fields) Edges {
			if c := textOf(f, "clientId"); c != "" {
				return Edges{Refs: []Key{{"client", c}}}
			}
			return Edges{}
		},
		Rules: onlyOneMain,
	}
}

// onlyOneMain moves the mark of the main place of a client to the one it was
// last given.
func onlyOneMain(tx *Tx, ch *Change) error {
	if ch.New == nil || ch.New.Fields["main"] != true || !ch.Changed("main") {
		return nil
	}
	for _, id := range tx.Referrers(Key{"client", textOf(ch.New.Fields, "clientId")}, "place") {
		key := Key{"place", id}
		d, err := tx.Get(key)
		if err != nil {
			return err
		}
		if key != ch.Key && d.Fields["main"] == true {
			if err := tx.Update(key, Fields{"main": false}); err != nil {
				return err
			}
		}
	}
	if textOf(ch.New.Fields, "name") == "too late" {
		return fault.New(fault.ClientDisabled)
	}
	return nil
}

// testPhoto lives where its place lives.
func testPhoto() *Kind {
	return &Kind{
		Name: "photo", Access: anyone(),
		Fields: []Field{{Name: "placeId", Type: Reference, Refs: "place", Required: true}, {Name: "caption", Type: Text}},
		Scope: func(r Reader, _ string, f Fields) (string, error) {
			d, err := r.Get(Key{"place", textOf(f, "placeId")})
			if err != nil {
				return "", err
			}
			return d.Scope, nil
		},
		Edges: func(_ string, f Fields) Edges { return Edges{Follows: []Key{{"place", textOf(f, "placeId")}}} },
	}
}

func testTask() *Kind {
	return &Kind{
		Name: "task", Plural: "tasks", Access: anyone(),
		Fields: []Field{
			{Name: "state", Type: Choice, Enum: []string{"open", "done", "late"}, Policy: ByRules, Default: "open"},
			{Name: "clientId", Type: Reference, Refs: "client"},
			{Name: "employeeIds", Type: References, Refs: "employee", Writers: []Role{RoleAdmin, RoleDispatcher}},
			{Name: "start", Type: DateTime},
			{Name: "lastReason", Type: Text, ReadOnly: true},
		},
		Scope: func(_ Reader, id string, _ Fields) (string, error) { return "task:" + id, nil },
		Edges: func(id string, f Fields) Edges {
			g := Grant{Principals: textsOf(f, "employeeIds"), Scopes: []string{"task:" + id}, Always: textOf(f, "state") == "open"}
			if c := textOf(f, "clientId"); c != "" {
				g.ScopesOf = []Key{{"client", c}}
			}
			g.Start, _ = time.Parse(time.RFC3339, textOf(f, "start"))
			return Edges{Grants: []Grant{g}, Refs: g.ScopesOf}
		},
		Rules: taskRules,
	}
}

// taskRules lets a task go from open to done only, and gives what a technician
// makes to him.
func taskRules(tx *Tx, ch *Change) error {
	if ch.New == nil {
		return nil
	}
	if ch.Old == nil && tx.Role() == RoleTechnician {
		ch.New.Fields["employeeIds"] = []any{tx.Actor().User}
	}
	to, asked := ch.Asked["state"].(string)
	if !asked {
		return nil
	}
	from := textOf(ch.New.Fields, "state")
	switch {
	case from == "open" && to != "open":
		ch.New.Fields["state"], ch.New.Fields["lastReason"] = to, ch.Reason
	case from != to && ch.Offline:
		ch.Conflict(Conflict{Field: "state", Kept: from, Discarded: to, Level: LevelDecide, Reason: "illegalState"})
	case from != to:
		return fault.New(fault.IllegalTransition, "from", from, "to", to)
	}
	return nil
}

func testSecret() *Kind {
	return &Kind{
		Name: "secret", Scope: fixed(ScopePrivate), Access: map[Role]Access{RoleAdmin: {Create: true, Update: true}},
		Fields: []Field{{Name: "hash", Type: Text}},
	}
}
