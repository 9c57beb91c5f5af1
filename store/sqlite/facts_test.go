package sqlite

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func drawFacts(t *rapid.T) facts {
	f := facts{
		entries: rapid.SliceOf(rapid.Custom(func(t *rapid.T) entry {
			e := entry{col: int64(rapid.IntRange(1, 300).Draw(t, "col")), ord: rapid.String().Draw(t, "ord")}
			e.exact = rapid.SampledFrom([]string{e.ord, "", rapid.String().Draw(t, "other")}).Draw(t, "exact")
			return e
		})).Draw(t, "entries"),
		words: rapid.SliceOf(rapid.StringMatching(`[a-zé0-9]{1,9}`)).Draw(t, "words"),
	}
	f.tidy()
	return f
}

// TestFactsRoundTrip: what is packed is unpacked.
func TestFactsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		got, err := unpack(f.pack())
		if err != nil {
			t.Fatal(err)
		}
		if len(f.entries)+len(got.entries) > 0 && !reflect.DeepEqual(got.entries, f.entries) ||
			len(f.words)+len(got.words) > 0 && !reflect.DeepEqual(got.words, f.words) {
			t.Fatalf("%+v came back as %+v", f, got)
		}
	})
}
