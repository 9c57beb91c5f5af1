package company

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// Settings are what rules of other domains ask of the workspace's settings.
type Settings struct {
	Region             string   // ISO 3166-1 alpha-2, the default of phone numbers
	Currency           string   // ISO 4217
	ContactPermissions []string // what a new contact may see in the portal
}

// The settings of a workspace that has said nothing else.
const (
	defaultZone     = "America/Toronto"
	defaultRegion   = "CA"
	defaultCurrency = "CAD"
)

// PortalModules are the parts of the client portal that can be opened to a client.
func PortalModules() []string {
	return []string{"invoices", "estimates", "contracts", "proposals", "support", "projects"}
}

// SettingsOf reads the workspace's settings.
func SettingsOf(r sync.Reader) (Settings, error) {
	s := Settings{Region: defaultRegion, Currency: defaultCurrency}
	doc, err := r.Get(sync.Key{Kind: KindSettings, ID: SettingsID})
	if errors.Is(err, sync.ErrMissing) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the settings: %w", err)
	}
	if v := members.Text(doc.Fields, "region"); v != "" {
		s.Region = v
	}
	if v := members.Text(doc.Fields, "currency"); v != "" {
		s.Currency = v
	}
	s.ContactPermissions = members.Texts(doc.Fields, "contactPermissions")
	return s, nil
}

func settingsKind() *sync.Kind {
	return &sync.Kind{
		Name: KindSettings, Plural: "workspace-settings",
		Fields: []sync.Field{
			{Name: "name", Type: sync.Text, Search: true},
			{Name: "timeZone", Type: sync.TimeZone, Required: true, Default: defaultZone},
			{Name: "region", Type: sync.Text, Required: true, Default: defaultRegion, Max: 2},
			{Name: "languages", Type: sync.Texts, Default: members.List("fr", "en")},
			{Name: "currency", Type: sync.Text, Required: true, Default: defaultCurrency, Max: 3},
			{Name: "businessHours", Type: sync.Object, Members: weekdays()},
			{Name: "quietHours", Type: sync.Object, Members: []sync.Field{
				{Name: "start", Type: sync.Text, Max: 5}, {Name: "end", Type: sync.Text, Max: 5},
			}},
			{Name: "duplicatePolicy", Type: sync.Choice, Enum: []string{"number"}, Default: "number"},
			{Name: "retention", Type: sync.Object},
			{Name: "contactPermissions", Type: sync.Choices, Enum: PortalModules(), Default: []any{}},
		},
		Scope: inWorkspace,
		Edges: func(_ string, f sync.Fields) sync.Edges {
			return sync.Edges{Zone: members.Text(f, "timeZone")}
		},
		Access: map[sync.Role]sync.Access{sync.RoleAdmin: {Create: true, Update: true}},
		Rules:  settingsRules,
	}
}

// weekdays are the members of business hours: spans such as "08:00-17:00".
func weekdays() []sync.Field {
	days := []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	out := make([]sync.Field, len(days))
	for i, d := range days {
		out[i] = sync.Field{Name: d, Type: sync.Texts}
	}
	return out
}

func settingsRules(_ *sync.Tx, ch *sync.Change) error {
	if ch.New == nil {
		return fault.New(fault.Forbidden)
	}
	if ch.Key.ID != SettingsID {
		return fault.Invalid(fault.At("id", fault.NotOneOf, "values", SettingsID))
	}
	return firstOf(
		CheckCurrency(ch.New.Fields, "currency"),
		checkRegion(ch.New.Fields),
		checkLanguages(ch.New.Fields),
		checkBusinessHours(ch.New.Fields),
		checkQuietHours(ch.New.Fields),
	)
}

// firstOf is the first error there is.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckCurrency refuses a field that is given and not a code of ISO 4217.
func CheckCurrency(f sync.Fields, name string) error {
	code := members.Text(f, name)
	if code == "" {
		return nil
	}
	if unit, err := currency.ParseISO(code); err != nil || unit.String() != code {
		return fault.Invalid(fault.At(name, fault.BadFormat, "type", "ISO 4217"))
	}
	return nil
}

func checkRegion(f sync.Fields) error {
	code := members.Text(f, "region")
	if r, err := language.ParseRegion(code); err != nil || !r.IsCountry() || r.String() != code {
		return fault.Invalid(fault.At("region", fault.BadFormat, "type", "ISO 3166-1"))
	}
	return nil
}

func checkLanguages(f sync.Fields) error {
	for _, tag := range members.Texts(f, "languages") {
		if _, err := language.Parse(tag); err != nil {
			return fault.Invalid(fault.At("languages", fault.BadFormat, "type", "BCP 47"))
		}
	}
	return nil
}

func checkBusinessHours(f sync.Fields) error {
	hours := members.Object(f, "businessHours")
	for _, day := range weekdays() {
		for _, span := range members.Texts(hours, day.Name) {
			if !isSpan(span) {
				return fault.Invalid(fault.At("businessHours."+day.Name, fault.BadFormat, "type", "HH:MM-HH:MM"))
			}
		}
	}
	return nil
}

func checkQuietHours(f sync.Fields) error {
	hours := members.Object(f, "quietHours")
	for _, end := range []string{"start", "end"} {
		if v, ok := hours[end].(string); ok && !isClock(v) {
			return fault.Invalid(fault.At("quietHours."+end, fault.BadFormat, "type", "HH:MM"))
		}
	}
	return nil
}

// isSpan says whether s is a span within a day, its start before its end.
func isSpan(s string) bool {
	return len(s) == len("08:00-17:00") && s[5] == '-' && isClock(s[:5]) && isClock(s[6:]) && s[:5] < s[6:]
}

func isClock(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil && len(s) == len("15:04")
}
