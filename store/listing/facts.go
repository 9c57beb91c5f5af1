// Package listing is what stores share that answer lists from indexes of their
// own: what is known of a document, what a query asks, and the ways to answer
// it. It reads no database; a store hands it an Index.
package listing

import (
	"cmp"
	"slices"
	"strings"
)

// Column names a field of a list in a store's index: by an integer or by text.
type Column interface{ int64 | string }

// Facts are what lists know of one document: its entries by column, and its
// words. Both are sorted and without duplicates.
type Facts[C Column] struct {
	Entries []Entry[C]
	Words   []string
}

// Entry is one value of one column.
type Entry[C Column] struct {
	Column       C
	Order, Exact string
}

// Compare sorts entries by column, order and exact value.
func (e Entry[C]) Compare(o Entry[C]) int {
	return cmp.Or(cmp.Compare(e.Column, o.Column), strings.Compare(e.Order, o.Order), strings.Compare(e.Exact, o.Exact))
}

// Tidy sorts and removes duplicates.
func (f *Facts[C]) Tidy() {
	slices.SortFunc(f.Entries, Entry[C].Compare)
	f.Entries = slices.Compact(f.Entries)
	slices.Sort(f.Words)
	f.Words = slices.Compact(f.Words)
}

// Column gives the entries of a column, least first.
func (f *Facts[C]) Column(col C) []Entry[C] {
	from, _ := slices.BinarySearchFunc(f.Entries, col, func(e Entry[C], col C) int { return cmp.Compare(e.Column, col) })
	to := from
	for to < len(f.Entries) && f.Entries[to].Column == col {
		to++
	}
	return f.Entries[from:to]
}

// IsLeast says whether entry i is the one by which its column sorts.
func (f *Facts[C]) IsLeast(i int) bool {
	return i == 0 || f.Entries[i-1].Column != f.Entries[i].Column
}

// HasPrefixes says whether for each prefix a word starts with it.
func (f *Facts[C]) HasPrefixes(prefixes []string) bool {
	for _, p := range prefixes {
		i, _ := slices.BinarySearch(f.Words, p)
		if i == len(f.Words) || !strings.HasPrefix(f.Words[i], p) {
			return false
		}
	}
	return true
}
