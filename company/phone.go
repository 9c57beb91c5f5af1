package company

import (
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// extension is what people write behind a number to reach somebody's desk.
var extension = regexp.MustCompile(`(?i)[\s,;(\-]*(?:\bposte|\bp\.|\bext\b\.?|\bextension\b|x|#)\s*:?\s*\d{1,7}\s*\)?\s*$`)

// E164 reads a telephone number as people type it, an extension behind it
// left out, in the international form "+15145550123" (ITU-T E.164). Numbers
// without a country are of the region (ISO 3166-1 alpha-2). What is no
// telephone number gives "".
func E164(typed, region string) string {
	if strings.ContainsAny(typed, "xXpP#") { // else there is none, and looking for it costs as much as the rest
		typed = extension.ReplaceAllString(typed, "")
	}
	number, err := phonenumbers.Parse(typed, region)
	if err != nil || !valid(number, region) {
		return ""
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

// valid says whether there can be such a number. Most are of the company's own
// region, which is one to look at instead of the 25 that share code 1.
func valid(number *phonenumbers.PhoneNumber, region string) bool {
	return phonenumbers.IsValidNumberForRegion(number, region) || phonenumbers.IsValidNumber(number)
}

// SetE164 writes, beside each of the named telephone fields that changed, its
// international form in the field <name>E164, or takes that away if there is none.
func SetE164(r sync.Reader, ch *sync.Change, names ...string) error {
	for _, name := range names {
		if !ch.Changed(name) {
			continue
		}
		settings, err := SettingsOf(r)
		if err != nil {
			return err
		}
		if e := E164(members.Text(ch.New.Fields, name), settings.Region); e != "" {
			ch.New.Fields[name+"E164"] = e
		} else {
			delete(ch.New.Fields, name+"E164")
		}
	}
	return nil
}
