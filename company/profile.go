package company

import (
	"errors"
	"fmt"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// Profile is what a mobile profile lets its technicians do.
type Profile struct {
	FilterClients bool     // option 11: only clients that are assigned are theirs
	ClientCreate  bool     // may create clients
	ClientFields  []string // the fields of a client they may edit
	TaskCreate    bool     // may create tasks for themselves
	SkipEnRoute   bool     // may begin work without having been en route
}

// ProfileOf reads the profile of an employee. Who has none has option 11 off
// and may create nothing.
func ProfileOf(r sync.Reader, employee string) (Profile, error) {
	none := Profile{ClientFields: editableFields()}
	key := r.Principal(employee).Profile
	if key == (sync.Key{}) {
		return none, nil
	}
	doc, err := r.Get(key)
	if errors.Is(err, sync.ErrMissing) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("read %s: %w", key, err)
	}
	return Profile{
		FilterClients: members.Flag(doc.Fields, "filterClientsByAssignment"),
		ClientCreate:  members.Flag(doc.Fields, "clientCreate"),
		ClientFields:  members.Texts(doc.Fields, "clientEditableFields"),
		TaskCreate:    members.Flag(doc.Fields, "taskCreate"),
		SkipEnRoute:   members.Flag(doc.Fields, "skipEnRoute"),
	}, nil
}

// editableFields are the fields of a client that technicians may edit unless
// their profile says otherwise.
func editableFields() []string {
	return []string{"phone", "officePhone", "email", "note", "position", "custom"}
}

// The window of days around today unless the profile says otherwise, and the
// widest there is.
const (
	defaultPast   = 7
	defaultFuture = 14
	widestWindow  = 366
)

func profileKind() *sync.Kind {
	window := func(name string, days float64) sync.Field {
		return sync.Field{Name: name, Type: sync.Integer, Required: true, Default: days, Min: bound(0), Limit: bound(widestWindow)}
	}
	flag := func(name string) sync.Field {
		return sync.Field{Name: name, Type: sync.Boolean, Required: true, Default: false}
	}
	return &sync.Kind{
		Name: KindProfile, Plural: "mobile-profiles",
		Fields: []sync.Field{
			{Name: "name", Type: sync.Text, Required: true, Filter: true, Search: true},
			flag("filterClientsByAssignment"),
			flag("clientCreate"),
			{Name: "clientEditableFields", Type: sync.Texts, Required: true, Default: members.List(editableFields()...)},
			flag("taskCreate"),
			window("windowDaysPast", defaultPast),
			window("windowDaysFuture", defaultFuture),
			{Name: "punchPolicy", Type: sync.Choice, Required: true, Enum: []string{"all", "restrictAssigned", "assignedOnly"}, Default: "restrictAssigned"},
			{Name: "photoUpload", Type: sync.Choice, Required: true, Enum: []string{"always", "wifi"}, Default: "always"},
			flag("skipEnRoute"),
			flag("requireGps"),
		},
		Scope:  inWorkspace,
		Edges:  profileEdges,
		Access: map[sync.Role]sync.Access{sync.RoleAdmin: full()},
		Rules:  profileRules,
	}
}

func profileEdges(_ string, f sync.Fields) sync.Edges {
	return sync.Edges{Profile: &sync.Profile{
		Open:   !members.Flag(f, "filterClientsByAssignment"),
		Past:   int32(members.Number(f, "windowDaysPast")),
		Future: int32(members.Number(f, "windowDaysFuture")),
	}}
}

// profileRules refuses to delete a profile that employees have: without it
// they would suddenly see every client.
func profileRules(tx *sync.Tx, ch *sync.Change) error {
	if ch.New != nil {
		return nil
	}
	if users := tx.Referrers(ch.Key, KindEmployee); len(users) > 0 {
		return fault.New(fault.InUse, "by", strings.Join(users, ", "))
	}
	return nil
}
