package sync

import (
	"slices"
	"testing"

	"github.com/enroute-field/enroute/internal/fault"
)

// FuzzCursorText: a text is a cursor of somebody only if it is to the letter
// what he was given; everybody else is refused.
func FuzzCursorText(f *testing.F) {
	codec := cursors{secret: []byte("a secret of this workspace")}
	given := []cursor{
		{n: 5, nLink: 6},
		{n: 0, t: 9, tLink: 1 << 63, at: place{phasePut, 3, 1 << 31}},
		{n: 7, nLink: 1, t: 9, tLink: 2, at: place{phaseDrop, 1, 0}, seen: 12, seenLink: 3},
	}
	f.Add("", uint8(0))
	for i, cur := range given {
		text := codec.encode(cur, ann)
		f.Add(text, uint8(i))
		f.Add(text+"A", uint8(0))
		f.Add(text[:9]+"\r\n"+text[9:], uint8(i))
		f.Add(text[:len(text)-1], uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, who uint8) {
		a := []Actor{ann, ann2, bob, office}[who%4]
		cur, err := codec.decode(text, a)
		if err != nil {
			if !fault.Is(err, fault.BadCursor) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if text == "" {
			return
		}
		if again := codec.encode(cur, a); again != text {
			t.Fatalf("%q is read as %+v, which is %q", text, cur, again)
		}
		for _, other := range []Actor{bob, {User: a.User + "\x00"}, {User: a.User, Device: a.Device + "x"}} {
			if _, err := codec.decode(text, other); a != other && !fault.Is(err, fault.BadCursor) {
				t.Fatalf("the cursor of %+v is taken from %+v: %v", a, other, err)
			}
		}
	})
}

// FuzzStep: from any place of any step of any history on, a device is told
// of documents that it may see, and of no others; the pages come to an end,
// and going on from one gives what would have followed.
func FuzzStep(f *testing.F) {
	f.Add(uint64(1), uint8(30), uint16(0), uint16(60), uint8(0), uint32(0), uint32(0), uint8(2))
	f.Add(uint64(2), uint8(60), uint16(10), uint16(40), uint8(1), uint32(3), uint32(0), uint8(1))
	f.Add(uint64(3), uint8(50), uint16(20), uint16(20), uint8(2), uint32(0), uint32(5), uint8(3))
	f.Add(uint64(4), uint8(50), uint16(1), uint16(65535), uint8(3), uint32(1<<31), uint32(1<<31), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8, n, to uint16, phase uint8, scope, doc uint32, limit uint8) {
		w := newViewWorld(seed, Faults{})
		for range steps % 64 {
			w.step()
		}
		head := w.st.head.Number
		cur := cursor{n: uint64(n) % (head + 1), at: place{phase % 4, scope, doc}}
		cur.t = max(cur.n, uint64(to)%(head+1), 1)
		for user := range w.phone {
			p, view := w.st.principals[user], w.model(user)
			if !p.spec.Active {
				continue // is not answered at all
			}
			all, _, done := w.st.rows(p, cur.n, cur.t, cur.at, 1<<30)
			if !done {
				t.Fatal("there is more than everything")
			}
			for _, r := range all {
				if have, ok := view[r.key]; r.at.phase == phasePut && (!ok || have.rev != r.rev) {
					t.Fatalf("%s is sent %s@%d, and sees %v", user, r.key, r.rev, view)
				}
				if cur.n == 0 && r.at.phase != phasePut {
					t.Fatalf("%s has nothing and is told to forget %v", user, r)
				}
			}
			if pages := w.pages(t, p, cur, 1+int(limit%3)); !slices.Equal(pages, all) {
				t.Fatalf("in pages %v, at once %v", pages, all)
			}
		}
	})
}

// pages reads the rest of a step page by page.
func (w *viewWorld) pages(t *testing.T, p *principal, cur cursor, limit int) (out []row) {
	t.Helper()
	for at := cur.at; ; {
		rows, last, done := w.st.rows(p, cur.n, cur.t, at, limit)
		out = append(out, rows...)
		if done {
			return out
		}
		if len(rows) != limit || !at.before(last) {
			t.Fatalf("a page of %d rows from %v to %v, and more to come", len(rows), at, last)
		}
		at = last
	}
}
