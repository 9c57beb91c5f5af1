package fold

import "testing"

// FuzzName checks on any text what must hold for every one.
func FuzzName(f *testing.F) {
	for _, s := range []string{"Café", " a  b ", "ǅ", "İ", "ϓ", "ﷺ", "\u1e9e", "a\xffb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}
