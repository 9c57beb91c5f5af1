package clients

import (
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/fold"
)

// cell reads the text of a cell, trimmed and not empty; wrong is what is wrong
// with it, nil if nothing.
type cell func(text string) (v any, wrong *fault.Field)

func wrong(code fault.Code, args ...string) *fault.Field {
	f := fault.At("", code, args...)
	return &f
}

// lineCell joins the lines of a text that has to stand on one.
func lineCell(text string) (any, *fault.Field) {
	return strings.Join(strings.Fields(text), " "), nil
}

func paragraphCell(text string) (any, *fault.Field) {
	return strings.ReplaceAll(text, "\r\n", "\n"), nil
}

func upperCell(text string) (any, *fault.Field) { return strings.ToUpper(text), nil }

// listCell splits at commas, semicolons, bars and spaces: ids have none of them.
func listCell(text string) (any, *fault.Field) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;| \t\n", r) })
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, nil
}

// numberCell takes a decimal comma or point, and a percent sign after it.
func numberCell(text string) (any, *fault.Field) {
	n, err := strconv.ParseFloat(decimal(text), 64)
	if err != nil || n-n != 0 || strings.ContainsAny(text, "xX_") { // neither infinite, nor not a number, nor in a program's notation
		return nil, wrong(fault.WrongType, "type", "number")
	}
	return n, nil
}

func integerCell(text string) (any, *fault.Field) {
	n, err := strconv.ParseInt(decimal(text), 10, 53)
	if err != nil {
		return nil, wrong(fault.WrongType, "type", "integer")
	}
	return float64(n), nil
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

func yesNoCell(text string) (any, *fault.Field) {
	b, ok := booleans[fold.Name(text)]
	if !ok {
		return nil, wrong(fault.NotOneOf, "values", "oui, non, yes, no")
	}
	return b, nil
}

var languages = map[string]string{
	"francais": "fr", "french": "fr", "f": "fr", "anglais": "en", "english": "en", "a": "en",
	"espagnol": "es", "spanish": "es",
}

// languageCell takes a name or a BCP 47 tag.
func languageCell(text string) (any, *fault.Field) {
	if tag, ok := languages[fold.Name(text)]; ok {
		return tag, nil
	}
	tag, err := language.Parse(text)
	if err != nil {
		return nil, wrong(fault.BadFormat, "type", "language")
	}
	return tag.String(), nil
}

var countries = map[string]string{
	"canada": "CA", "etats-unis": "US", "united states": "US", "usa": "US", "france": "FR", "pologne": "PL", "poland": "PL",
}

// countryCell turns the names of the countries we work in into ISO 3166 codes.
func countryCell(text string) (any, *fault.Field) {
	if code, ok := countries[fold.Name(text)]; ok {
		return code, nil
	}
	return text, nil
}
