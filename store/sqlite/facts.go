package sqlite

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// facts are what lists know of one document: its entries by column, and its
// words. Both are sorted and without duplicates.
type facts struct {
	entries []entry
	words   []string
}

// entry is one value of one column.
type entry struct {
	col        int64
	ord, exact string
}

func (e entry) compare(o entry) int {
	return cmp.Or(cmp.Compare(e.col, o.col), strings.Compare(e.ord, o.ord), strings.Compare(e.exact, o.exact))
}

// tidy sorts and removes duplicates.
func (f *facts) tidy() {
	slices.SortFunc(f.entries, entry.compare)
	f.entries = slices.Compact(f.entries)
	slices.Sort(f.words)
	f.words = slices.Compact(f.words)
}

// column gives the entries of a column, least first.
func (f *facts) column(col int64) []entry {
	from, _ := slices.BinarySearchFunc(f.entries, col, func(e entry, col int64) int { return cmp.Compare(e.col, col) })
	to := from
	for to < len(f.entries) && f.entries[to].col == col {
		to++
	}
	return f.entries[from:to]
}

// isLeast says whether entry i is the one by which its column sorts.
func (f *facts) isLeast(i int) bool { return i == 0 || f.entries[i-1].col != f.entries[i].col }

// hasPrefixes says whether for each prefix a word starts with it.
func (f *facts) hasPrefixes(prefixes []string) bool {
	for _, p := range prefixes {
		i, _ := slices.BinarySearch(f.words, p)
		if i == len(f.words) || !strings.HasPrefix(f.words[i], p) {
			return false
		}
	}
	return true
}

// pack encodes facts: counts and lengths as uvarints, an exact that equals its
// ord as the length 0 and an empty one as 1 (lengths count from 1).
func (f *facts) pack() []byte {
	buf := make([]byte, 0, 512)
	buf = binary.AppendUvarint(buf, uint64(len(f.entries)))
	for _, e := range f.entries {
		buf = binary.AppendUvarint(buf, uint64(e.col))
		buf = appendText(buf, e.ord)
		if e.exact == e.ord {
			buf = append(buf, 0)
			continue
		}
		buf = binary.AppendUvarint(buf, uint64(len(e.exact)+1))
		buf = append(buf, e.exact...)
	}
	buf = binary.AppendUvarint(buf, uint64(len(f.words)))
	for _, w := range f.words {
		buf = appendText(buf, w)
	}
	return buf
}

func appendText(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

// rowOf packs facts for the row of a document, with a checksum (CRC-32C) of
// them and its id.
func (f *facts) rowOf(id string) []byte {
	packed := f.pack()
	return binary.LittleEndian.AppendUint32(packed, sumOf(id, packed))
}

func sumOf(id string, packed []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum([]byte(id), table), table, packed)
}

// readRow reads what rowOf wrote.
func readRow(id string, row []byte) (facts, error) {
	packed := row[:max(0, len(row)-4)]
	if len(row) < 4 || binary.LittleEndian.Uint32(row[len(packed):]) != sumOf(id, packed) {
		return facts{}, fmt.Errorf("row of a list: %w", sync.ErrDamaged)
	}
	return unpack(packed)
}

// unpack reads what pack wrote.
func unpack(packed []byte) (facts, error) {
	r := unpacker{rest: string(packed)} // one copy, of which all texts are parts
	f := facts{entries: make([]entry, 0, r.count())}
	for range cap(f.entries) {
		e := entry{col: int64(r.uvarint()), ord: r.text(r.uvarint())}
		if n := r.uvarint(); n == 0 {
			e.exact = e.ord
		} else {
			e.exact = r.text(n - 1)
		}
		f.entries = append(f.entries, e)
	}
	f.words = make([]string, 0, r.count())
	for range cap(f.words) {
		f.words = append(f.words, r.text(r.uvarint()))
	}
	if r.bad || r.rest != "" {
		return facts{}, fmt.Errorf("row of a list: %w", sync.ErrDamaged)
	}
	return f, nil
}

// unpacker reads from rest; once bad it gives zero values.
type unpacker struct {
	rest string
	bad  bool
}

func (r *unpacker) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		b := r.rest[i]
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return v
		}
	}
	r.bad, r.rest = true, ""
	return 0
}

// count of values of at least one byte each.
func (r *unpacker) count() int { return len(r.take(r.uvarint(), false)) }

func (r *unpacker) text(n uint64) string { return r.take(n, true) }

// take looks at the next n bytes, and steps over them when told.
func (r *unpacker) take(n uint64, step bool) string {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	if step {
		r.rest = r.rest[n:]
	}
	return s
}
