package company

import (
	"regexp"
	"strconv"
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
	if number := plainNorthAmerican(typed, region); number != nil {
		if !valid(number, region) {
			return ""
		}
		return "+1" + strconv.FormatUint(number.GetNationalNumber(), 10)
	}
	if strings.ContainsAny(typed, "xXpP#") { // else there is none, and looking for it costs as much as the rest
		typed = extension.ReplaceAllString(typed, "")
	}
	number, err := phonenumbers.Parse(typed, region)
	if err != nil || !valid(number, region) {
		return ""
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

// plainNorthAmerican reads ten digits, with usual signs between them, as a
// number of the plan that the region is part of; nil if they are anything else.
// Most numbers are such, and reading them as if they might be written in any
// of the world's ways was a sixth of the work of a push of clients.
func plainNorthAmerican(typed, region string) *phonenumbers.PhoneNumber {
	if phonenumbers.GetCountryCodeForRegion(region) != northAmerica {
		return nil
	}
	var national uint64
	digits := 0
	for i := range len(typed) {
		switch c := typed[i]; {
		case c >= '0' && c <= '9':
			national, digits = national*10+uint64(c-'0'), digits+1
		case digits == 0 && c == '(', digits > 0 && strings.IndexByte(" -.)", c) >= 0:
		default:
			return nil
		}
		if digits > 10 {
			return nil
		}
	}
	if national < 2e9 { // fewer digits, or a prefix before them
		return nil
	}
	code := int32(northAmerica)
	return &phonenumbers.PhoneNumber{CountryCode: &code, NationalNumber: &national}
}

// northAmerica is the country code of the North American Numbering Plan.
const northAmerica = 1

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
