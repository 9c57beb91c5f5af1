package listing

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/enroute-field/enroute/sync"
)

// pack encodes facts: counts and lengths as uvarints, an exact that equals its
// order as the length 0 and an empty one as 1 (lengths count from 1).
func (f *Facts[C]) pack() []byte {
	buf := make([]byte, 0, 512)
	buf = binary.AppendUvarint(buf, uint64(len(f.Entries)))
	for _, e := range f.Entries {
		buf = appendColumn(buf, e.Column)
		buf = appendText(buf, e.Order)
		if e.Exact == e.Order {
			buf = append(buf, 0)
			continue
		}
		buf = binary.AppendUvarint(buf, uint64(len(e.Exact)+1))
		buf = append(buf, e.Exact...)
	}
	buf = binary.AppendUvarint(buf, uint64(len(f.Words)))
	for _, w := range f.Words {
		buf = appendText(buf, w)
	}
	return buf
}

func appendColumn[C Column](buf []byte, col C) []byte {
	switch col := any(col).(type) {
	case int64:
		return binary.AppendUvarint(buf, uint64(col))
	case string:
		return appendText(buf, col)
	}
	return buf // there is no third
}

func appendText(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

// Row packs facts for the row of a document, with a checksum (CRC-32C) of
// them and its id.
func (f *Facts[C]) Row(id string) []byte {
	packed := f.pack()
	return binary.LittleEndian.AppendUint32(packed, sumOf(id, packed))
}

func sumOf(id string, packed []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum([]byte(id), table), table, packed)
}

// ReadRow reads what Row wrote; sync.ErrDamaged is the error of anything else.
func ReadRow[C Column](id string, row []byte) (Facts[C], error) {
	packed := row[:max(0, len(row)-4)]
	if len(row) < 4 || binary.LittleEndian.Uint32(row[len(packed):]) != sumOf(id, packed) {
		return Facts[C]{}, fmt.Errorf("row of a list: %w", sync.ErrDamaged)
	}
	return unpack[C](packed)
}

// unpack reads what pack wrote.
func unpack[C Column](packed []byte) (Facts[C], error) {
	r := unpacker{rest: string(packed)} // one copy, of which all texts are parts
	f := Facts[C]{Entries: make([]Entry[C], 0, r.count())}
	for range cap(f.Entries) {
		var e Entry[C]
		r.column(&e.Column)
		e.Order = r.text(r.uvarint())
		if n := r.uvarint(); n == 0 {
			e.Exact = e.Order
		} else {
			e.Exact = r.text(n - 1)
		}
		f.Entries = append(f.Entries, e)
	}
	f.Words = make([]string, 0, r.count())
	for range cap(f.Words) {
		f.Words = append(f.Words, r.text(r.uvarint()))
	}
	if r.bad || r.rest != "" {
		return Facts[C]{}, fmt.Errorf("row of a list: %w", sync.ErrDamaged)
	}
	return f, nil
}
