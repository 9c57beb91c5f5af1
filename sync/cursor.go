package sync

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
)

// A cursor is (n, t, p): the device equals the view at commit n, plus all
// rows up to place p of the step n→t. With no step under way t is 0. The zero
// cursor is a device that has nothing.
//
// It carries the links of the hash chain at n and t, and at the head under
// which its newest page was read if that was past t (rows show the present),
// so that a cursor of another history (a backup was restored) is noticed, and
// a signature that binds it to user and device.
type cursor struct {
	n, t           uint64
	nLink, tLink   uint64
	at             place
	seen, seenLink uint64 // 0: not past t
}

// newest is the last commit that the device has seen something of.
func (c cursor) newest() uint64 { return max(c.n, c.t, c.seen) }

// before says whether the history that the cursor needs begins before the
// horizon.
func (c cursor) before(horizon uint64) bool {
	return c.n > 0 && c.n < horizon || c.n == 0 && c.t > 0 && c.t < horizon
}

const cursorFormat = 1

// cursors signs and reads the cursors of one workspace.
type cursors struct{ secret []byte }

func (c cursors) encode(cur cursor, a Actor) string {
	w := writer{buf: make([]byte, 0, 64)}
	w.uvarint(cursorFormat)
	w.uvarint(cur.n)
	w.uvarint(cur.nLink)
	w.uvarint(cur.t)
	if cur.t > 0 {
		w.uvarint(cur.tLink)
		w.uvarint(uint64(cur.at.phase))
		w.uvarint(uint64(cur.at.scope))
		w.uvarint(uint64(cur.at.doc))
	}
	if w.uvarint(cur.seen); cur.seen > 0 {
		w.uvarint(cur.seenLink)
	}
	w.raw(c.sign(w.buf, a))
	return base64.RawURLEncoding.EncodeToString(w.buf)
}

// decode reads a cursor given to this actor; "" is the zero cursor.
func (c cursors) decode(text string, a Actor) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	broken := strings.ContainsAny(text, "\r\n") // which the decoder passes over, and an answer would repeat
	if err != nil || broken || len(raw) < signatureSize {
		return cursor{}, fault.New(fault.BadCursor)
	}
	content, signature := raw[:len(raw)-signatureSize], raw[len(raw)-signatureSize:]
	if subtle.ConstantTimeCompare(signature, c.sign(content, a)) != 1 {
		return cursor{}, fault.New(fault.BadCursor)
	}
	r := reader{buf: content}
	if r.uvarint() != cursorFormat {
		return cursor{}, fault.New(fault.BadCursor)
	}
	cur := cursor{n: r.uvarint(), nLink: r.uvarint(), t: r.uvarint()}
	if cur.t > 0 {
		cur.tLink = r.uvarint()
		cur.at = place{uint8(r.uvarint()), uint32(r.uvarint()), uint32(r.uvarint())}
	}
	if cur.seen = r.uvarint(); cur.seen > 0 {
		cur.seenLink = r.uvarint()
	}
	if r.end() != nil {
		return cursor{}, fault.New(fault.BadCursor)
	}
	return cur, nil
}

const signatureSize = 8

// sign gives the first bytes of SHA-256 over secret, content and actor. Since
// most of the hash stays unknown, it cannot be carried on to longer content.
func (c cursors) sign(content []byte, a Actor) []byte {
	buf := make([]byte, 0, 256)
	buf = append(buf, c.secret...)
	buf = append(buf, content...)
	buf = append(buf, 0)
	buf = append(buf, a.User...)
	buf = append(buf, 0)
	buf = append(buf, a.Device...)
	sum := sha256.Sum256(buf)
	return sum[:signatureSize]
}
