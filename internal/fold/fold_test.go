package fold

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                             "",
		"   ":                          "",
		"  Plomberie   Tremblay inc. ": "plomberie tremblay inc.",
		"Dépanneur Élan":               "depanneur elan",
		"De\u0301panneur":              "depanneur", // the accent as a mark of its own
		"Sacré-Cœur":                   "sacre-coeur",
		"L’Érable":                     "l'erable",
		"L'Érable":                     "l'erable",
		"Straße":                       "strasse",
		"STRASSE":                      "strasse",
		"Łódź":                         "lodz",
		"ＡＢＣ\u00a0１２":                  "abc 12", // full width, no-break space
		"ﬁn":                           "fin",
		"tab\there":                    "tab here",
		"株式会社":                         "株式会社",
		"plain":                        "plain",
	} {
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                              {},
		"L’Épicerie du Cœur, 12e rue":   {"l", "epicerie", "du", "coeur", "12e", "rue"},
		"(514) 738-1234":                {"514", "738", "1234"},
		"info@dupont.example":           {"info", "dupont", "example"},
		"AB-12_x":                       {"ab", "12", "x"},
		"H3S\u00a01Z7":                  {"h3s", "1z7"},
		"Sainte-Anne-de-la-Pérade (QC)": {"sainte", "anne", "de", "la", "perade", "qc"},
	} {
		if got := Words(in); !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "text")) })
}

type failer interface {
	Fatalf(format string, args ...any)
}

// check what must hold for every text.
func check(t failer, s string) {
	n := Name(s)
	switch {
	case Name(n) != n:
		t.Fatalf("Name(%q) = %q is not folded: %q", s, n, Name(n))
	case n != strings.TrimSpace(n) || strings.Contains(n, "  "):
		t.Fatalf("Name(%q) = %q has needless spaces", s, n)
	case Name(norm.NFC.String(s)) != n || Name(norm.NFD.String(s)) != n:
		t.Fatalf("Name(%q) depends on the form of its accents", s)
	}
	for _, w := range Words(s) {
		if again := Words(w); len(again) != 1 || again[0] != w {
			t.Fatalf("word %q of %q folds to %q", w, s, again)
		}
		if strings.ContainsFunc(w, unicode.IsSpace) {
			t.Fatalf("word %q of %q has spaces", w, s)
		}
	}
	if joined := strings.Join(Words(s), " "); !slices.Equal(Words(joined), Words(s)) {
		t.Fatalf("words of %q change when folded again", s)
	}
}

func BenchmarkName(b *testing.B) {
	for name, s := range map[string]string{"ascii": "Plomberie Tremblay inc.", "folded": "plomberie tremblay", "accents": "Dépanneur Élan"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Name(s)
			}
		})
	}
}
