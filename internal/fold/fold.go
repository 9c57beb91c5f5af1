// Package fold gives texts the form in which they are compared: without
// capitals, accents and needless spaces. Names that must be unique, sort keys
// and the words of a search are folded by it.
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Name folds a text: compatibility forms are taken apart (NFKD, Unicode
// Annex 15), combining marks dropped, letters lower-cased and ligatures spelt
// out; spaces at the ends go, runs of spaces become one. Folding again
// changes nothing.
func Name(s string) string {
	if folded(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range letters(s) {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Words gives the folded words of a text, in order: its runs of letters and
// digits.
func Words(s string) []string {
	return strings.FieldsFunc(letters(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
}

// folded says cheaply that s is ASCII and in its folded form already.
func folded(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' || c < ' ' || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return s == "" || before != ' '
}

// letters folds the letters of a text and leaves its spaces.
func letters(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	// What is no UTF-8 would keep what follows it from being taken apart.
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, "\uFFFD")) {
		if r < utf8.RuneSelf {
			b.WriteRune(unicode.ToLower(r))
			continue
		}
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		if spelt := spell(r); spelt != "" {
			b.WriteString(spelt)
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// spell gives the plain spelling of letters that people type in two ways and
// that Unicode does not take apart; "" for all others.
func spell(r rune) string {
	switch r {
	case 'œ', 'Œ':
		return "oe"
	case 'æ', 'Æ':
		return "ae"
	case 'ß', 'ẞ':
		return "ss"
	case 'ø', 'Ø':
		return "o"
	case 'ł', 'Ł':
		return "l"
	case 'đ', 'Đ':
		return "d"
	case 'ς':
		return "σ"
	case '’', '‘', 'ʼ':
		return "'"
	case '‐', '‑', '–', '—':
		return "-"
	}
	return ""
}
