package sqlite

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/enroute-field/enroute/internal/fold"
	"github.com/enroute-field/enroute/sync"
)

// FuzzSearch: whatever a document says and whatever somebody searches for or
// filters by, the store finds the document exactly when it is to be found.
func FuzzSearch(f *testing.F) {
	kind := &sync.Kind{Name: "client", Fields: []sync.Field{{Name: "name", Type: sync.Text, Filter: true, Search: true}},
		Scope: func(sync.Reader, string, sync.Fields) (string, error) { return sync.ScopeWorkspace, nil }}
	index, err := sync.NewRegistry(kind)
	if err != nil {
		f.Fatal(err)
	}
	s := openAt(f, filepath.Join(f.TempDir(), "enroute.db"), index)
	f.Cleanup(func() { _ = s.Close() })
	f.Add("Dépanneur Élan", "elan dep")
	f.Add("a\u0301 \U0001F6A7 ｱ ⅷ ٣", "á 8")
	f.Add("NEAR(\"x\" AND y*) OR z^2 -w {a} : col", "near \"x\" OR")
	f.Add(strings.Repeat("ab", 60)+" "+strings.Repeat("é", 120), strings.Repeat("ab", 60))
	f.Add("\x00\x01 x", "\x00x")
	f.Add("\u0e01\u0e33 \u0915\u094d\u0937 \u200d \u00ad x\u00ady", "xy")
	worlds := 0
	f.Fuzz(func(t *testing.T, name, search string) {
		if !utf8.ValidString(name) || !utf8.ValidString(search) || len(name) > 5000 || len(search) > 5000 {
			return // no document says so, and no request asks so
		}
		worlds++
		w := fmt.Sprint("w", worlds)
		body, err := json.Marshal(map[string]any{"kind": "client", "id": "c1", "rev": 1, "name": name})
		if err != nil {
			t.Fatal(err)
		}
		c := &sync.Commit{Number: 1, At: time.Unix(1, 0).UTC(), Changes: []sync.Version{{Key: sync.Key{Kind: "client", ID: "c1"}, Rev: 1, Scope: "workspace", Body: body}}}
		c.Seal()
		if err := s.Append(t.Context(), w, []*sync.Commit{c}); err != nil {
			t.Fatal(err)
		}
		find := func(q sync.Query) bool {
			q.Kind, q.Limit = "client", 1
			got, err := s.List(t.Context(), w, 1, q)
			if err != nil || got.Total != len(got.IDs) {
				t.Fatalf("%+v: %+v, %v", q, got, err)
			}
			return len(got.IDs) == 1
		}
		words := cutWords(search)
		if got, want := find(sync.Query{Words: words}), beginWords(words, cutWords(name)); got != want {
			t.Fatalf("%q found by %q: %v, want %v", name, words, got, want)
		}
		e, err := sync.EntryFor(kind.Field("name"), "name", search)
		if err != nil {
			t.Fatal(err)
		}
		cutName := string([]rune(fold.Name(name))[:min(100, utf8.RuneCountInString(fold.Name(name)))])
		for op, want := range map[sync.FilterOp]bool{
			sync.Equal: search == name, sync.Prefix: strings.HasPrefix(cutName, e.Order), sync.AtLeast: cutName >= e.Order, sync.AtMost: cutName <= e.Order,
		} {
			want = want && name != ""
			if got := find(sync.Query{Filters: []sync.Filter{{Field: "name", Op: op, Values: []sync.Entry{e}}}}); got != want {
				t.Fatalf("%q found by comparison %d with %q: %v, want %v", name, op, search, got, want)
			}
		}
	})
}

// cutWords are the words of a text as far as they are indexed.
func cutWords(text string) []string {
	words := fold.Words(text)
	for i, w := range words {
		words[i] = string([]rune(w)[:min(40, utf8.RuneCountInString(w))])
	}
	return words
}

// beginWords says whether each of the prefixes begins one of the words.
func beginWords(prefixes, words []string) bool {
	return !slices.ContainsFunc(prefixes, func(p string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, p) })
	})
}
