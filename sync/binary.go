package sync

import "encoding/binary"

// writer appends length-prefixed values. Commits and checkpoints are written
// with it.
type writer struct{ buf []byte }

func (w *writer) uvarint(v uint64) { w.buf = binary.AppendUvarint(w.buf, v) }
func (w *writer) fixed(v uint64)   { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }
func (w *writer) raw(b []byte)     { w.buf = append(w.buf, b...) }

func (w *writer) text(s string) {
	w.uvarint(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *writer) bytes(b []byte) {
	w.uvarint(uint64(len(b)))
	w.buf = append(w.buf, b...)
}

func (w *writer) flag(b bool) {
	if b {
		w.buf = append(w.buf, 1)
	} else {
		w.buf = append(w.buf, 0)
	}
}

// reader reads what writer wrote. After a bad read it stays bad and gives
// zero values; end tells.
type reader struct {
	buf []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// fixed reads eight bytes.
func (r *reader) fixed() uint64 {
	if b := r.raw(8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count is a uvarint that announces that many values, each of at least one byte.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.buf)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) raw(n int) []byte {
	if n < 0 || n > len(r.buf) {
		r.fail()
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) bytes() []byte { return r.raw(r.count()) }
func (r *reader) text() string  { return string(r.bytes()) }

func (r *reader) flag() bool {
	b := r.raw(1)
	return len(b) == 1 && b[0] == 1
}

func (r *reader) fail() { r.bad, r.buf = true, nil }

// end says whether all was read and nothing is left over.
func (r *reader) end() error {
	if r.bad || len(r.buf) != 0 {
		return ErrDamaged
	}
	return nil
}
