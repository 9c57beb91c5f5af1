package listing

import "encoding/binary"

// unpacker reads from rest; once bad it gives zero values.
type unpacker struct {
	rest string
	bad  bool
}

// column reads into a *int64 or a *string.
func (r *unpacker) column(into any) {
	switch into := into.(type) {
	case *int64:
		*into = int64(r.uvarint())
	case *string:
		*into = r.text(r.uvarint())
	}
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
