package clients

import (
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/fold"
)

// cell reads the text of a cell, trimmed and not empty. A code tells that it
// cannot, and kind what was wanted.
type cell func(text string) (v any, code fault.Code, kind string)

// lineCell joins the lines of a text that has to stand on one.
func lineCell(text string) (any, fault.Code, string) {
	return strings.Join(strings.Fields(text), " "), "", ""
}

func paragraphCell(text string) (any, fault.Code, string) {
	return strings.ReplaceAll(text, "\r\n", "\n"), "", ""
}

func upperCell(text string) (any, fault.Code, string) { return strings.ToUpper(text), "", "" }

// listCell splits at commas, semicolons, bars and spaces: ids have none of them.
func listCell(text string) (any, fault.Code, string) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;| \t\n", r) })
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, "", ""
}

// numberCell takes a decimal comma or point, and a percent sign after it.
func numberCell(text string) (any, fault.Code, string) {
	n, err := strconv.ParseFloat(decimal(text), 64)
	if err != nil || n-n != 0 { // neither infinite nor not a number
		return nil, fault.WrongType, "number"
	}
	return n, "", ""
}

func integerCell(text string) (any, fault.Code, string) {
	n, err := strconv.ParseInt(decimal(text), 10, 53)
	if err != nil {
		return nil, fault.WrongType, "integer"
	}
	return float64(n), "", ""
}

// decimal is a number as Go reads it: Québec writes 1 234,5 %.
func decimal(text string) string {
	text = strings.TrimSuffix(text, "%")
	text = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "").Replace(text)
	return strings.Replace(text, ",", ".", 1)
}

var booleans = map[string]bool{
	"oui": true, "o": true, "yes": true, "y": true, "true": true, "vrai": true, "1": true, "x": true,
	"non": false, "n": false, "no": false, "false": false, "faux": false, "0": false,
}

func yesNoCell(text string) (any, fault.Code, string) {
	b, ok := booleans[fold.Name(text)]
	if !ok {
		return nil, fault.WrongType, "boolean"
	}
	return b, "", ""
}

var languages = map[string]string{
	"francais": "fr", "french": "fr", "f": "fr", "anglais": "en", "english": "en", "a": "en",
	"espagnol": "es", "spanish": "es",
}

// languageCell takes a name or a BCP 47 tag.
func languageCell(text string) (any, fault.Code, string) {
	if tag, ok := languages[fold.Name(text)]; ok {
		return tag, "", ""
	}
	tag, err := language.Parse(text)
	if err != nil {
		return nil, fault.BadFormat, "language"
	}
	return tag.String(), "", ""
}

var countries = map[string]string{
	"canada": "CA", "etats-unis": "US", "united states": "US", "usa": "US", "france": "FR", "pologne": "PL", "poland": "PL",
}

// countryCell turns the names of the countries we work in into ISO 3166 codes.
func countryCell(text string) (any, fault.Code, string) {
	if code, ok := countries[fold.Name(text)]; ok {
		return code, "", ""
	}
	return text, "", ""
}
