package sync

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// listed is what lists should know of the live documents of a kind.
type listed struct {
	fields []string // that sort: id first
	rows   []listRow
	words  map[string][]int32 // the rows that have a word
}

// listRow is what they should know of one. least are the least sort keys, in
// the order of the fields.
type listRow struct {
	id    string
	least []sortValue
}

type sortValue struct {
	order string
	there bool
}

// list notes what lists should know of a document.
func (v *verifier) list(k Key, body []byte) error {
	kind := v.reg.Kind(k.Kind)
	if kind == nil {
		return nil // of no kind that this program lists
	}
	f, err := FieldsOf(body)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	v.distinct(k, f)
	entries, words, err := v.reg.Index(k.Kind, body)
	if err != nil {
		return fmt.Errorf("index %s: %w", k, err)
	}
	l := v.lists[k.Kind]
	if l == nil {
		l = newListed(kind)
		v.lists[k.Kind] = l
	}
	l.add(k.ID, entries, words)
	return nil
}

func newListed(k *Kind) *listed {
	l := &listed{fields: []string{"id"}, words: map[string][]int32{}}
	for _, f := range k.Fields {
		if f.Filter {
			l.fields = append(l.fields, f.Name)
		}
	}
	return l
}

func (l *listed) add(id string, entries []Entry, words []string) {
	row := listRow{id: id, least: make([]sortValue, len(l.fields))}
	row.least[0] = sortValue{id, true}
	for _, e := range entries {
		i := slices.Index(l.fields, e.Field)
		if i > 0 && (!row.least[i].there || e.Order < row.least[i].order) {
			row.least[i] = sortValue{e.Order, true}
		}
	}
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		l.words[w] = append(l.words[w], int32(len(l.rows)))
	}
	l.rows = append(l.rows, row)
}

// compareLists compares, for each kind, the list by every field that sorts, and
// the search for some words.
func (v *verifier) compareLists(ctx context.Context) error {
	for _, k := range v.reg.Kinds() {
		l := v.lists[k.Name]
		if l == nil {
			l = newListed(k)
		}
		for i := range l.fields {
			if err := v.listBy(ctx, k.Name, l, i); err != nil {
				return err
			}
		}
		if err := v.search(ctx, k.Name, l); err != nil {
			return err
		}
	}
	return nil
}

// listBy compares the list by one field.
func (v *verifier) listBy(ctx context.Context, kind string, l *listed, field int) error {
	name := l.fields[field]
	got, err := v.listedIDs(ctx, Query{Kind: kind, Sort: []SortKey{{Field: name}}})
	if err != nil {
		return err
	}
	rows := slices.Clone(l.rows)
	slices.SortFunc(rows, func(a, b listRow) int { return compareRows(&a, &b, field) })
	want := make([]string, len(rows))
	for i := range rows {
		want[i] = rows[i].id
	}
	v.same(fmt.Sprintf("list of %s by %s", kind, name), kind, got, want)
	return nil
}

func compareRows(a, b *listRow, field int) int {
	x, y := a.least[field], b.least[field]
	if x.there != y.there {
		if x.there {
			return -1
		}
		return 1
	}
	return cmp.Or(strings.Compare(x.order, y.order), strings.Compare(a.id, b.id))
}

// listedIDs gives all that a query finds, and follows what others write, so
// that it is known what may be there or not.
func (v *verifier) listedIDs(ctx context.Context, q Query) (ids []string, err error) {
	q.Limit = 1000
	for {
		page, err := v.store.List(ctx, v.out.Workspace, v.head.Number, q)
		if err != nil {
			return nil, err
		}
		v.out.Lists++
		ids = append(ids, page.IDs...)
		if page.Next == nil {
			return ids, v.follow(ctx, 0)
		}
		q.After = page.Next
	}
}

// same compares two lists but for documents that were changed meanwhile.
func (v *verifier) same(what, kind string, got, want []string) {
	changed := func(id string) bool { return v.moved[Key{kind, id}] }
	got, want = slices.DeleteFunc(got, changed), slices.DeleteFunc(want, changed)
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			v.problem("%s: %s is out of place", what, got[i])
			return
		}
	}
	if len(got) != len(want) {
		v.problem("%s: has %d, the journal %d", what, len(got), len(want))
	}
}

// What is searched for: so many words of a kind, spread over all that begin
// differently, but for those that are in too many documents.
const (
	searchedWords = 200
	maxFound      = 5000
)

// search compares what is found for the beginnings of words.
func (v *verifier) search(ctx context.Context, kind string, l *listed) error {
	all := slices.Sorted(maps.Keys(l.words))
	for i := 0; i < len(all); i += 1 + len(all)/searchedWords {
		want := l.found(all[i:], all[i])
		if len(want) > maxFound {
			continue
		}
		got, err := v.listedIDs(ctx, Query{Kind: kind, Words: []string{all[i]}})
		if err != nil {
			return err
		}
		v.same(fmt.Sprintf("search of %s for %q", kind, all[i]), kind, got, want)
	}
	return nil
}

// found gives the ids of the documents with a word that begins so, sorted.
func (l *listed) found(words []string, prefix string) []string {
	var ids []string
	for _, w := range words {
		if !strings.HasPrefix(w, prefix) {
			break
		}
		for _, row := range l.words[w] {
			ids = append(ids, l.rows[row].id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
