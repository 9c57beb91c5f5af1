package sync

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// FuzzCommit: bytes in place of a commit are told to be damaged, or read into
// a commit that is written and read again as the same.
func FuzzCommit(f *testing.F) {
	some := Commit{
		Number: 7, Nonce: uuid.UUID{1}, At: time.UnixMicro(1e15).UTC(), Actor: office, Cause: Cause{"push", "x"}, Day: "2026-11-21",
		Changes: []Version{
			{Key: Key{"client", "c1"}, Rev: 7, Scope: "client:c1", Body: []byte(`{"kind":"client"}`), Marks: []byte(`{}`)},
			{Key: Key{"place", "p1"}, Rev: 7, Scope: "client:c1", Deleted: true},
		},
		Outcomes: []Outcome{{ID: uuid.UUID{2}, User: "ann", Digest: [16]byte{3}, Result: json.RawMessage(`{"status":"applied","rev":7}`)}},
	}
	f.Add(some.Encode())
	f.Add((&Commit{}).Encode())
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommit(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for _, v := range c.Changes {
			if v.Rev != c.Number {
				t.Fatalf("a version of commit %d has rev %d", c.Number, v.Rev)
			}
		}
		written := c.Encode()
		if len(written) > c.size() {
			t.Fatalf("%d bytes, announced as %d", len(written), c.size())
		}
		again, err := DecodeCommit(written)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
		for _, other := range [][]byte{append(slices.Clip(b), 0), b[:len(b)-1]} {
			if _, err := DecodeCommit(other); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%x is a commit, and so is %x", b, other)
			}
		}
	})
}

// FuzzCheckpoint: a checkpoint loads into the state it was made of; one that
// any byte was changed, added or lost of is refused, so that the journal is
// replayed instead.
func FuzzCheckpoint(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint32(0), []byte(nil), uint32(0))
	f.Add(uint64(2), uint8(40), uint32(50), []byte{1}, uint32(1))
	f.Add(uint64(3), uint8(60), uint32(0), []byte{}, uint32(1))
	f.Add(uint64(4), uint8(20), uint32(1<<31), []byte("more"), uint32(0))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8, at uint32, instead []byte, cut uint32) {
		w := newViewWorld(seed, Faults{})
		for range steps % 64 {
			w.step()
		}
		whole := w.st.encode()
		same := newState(w.st.reg, Faults{})
		if err := same.decode(whole); err != nil || same.hash() != w.st.hash() {
			t.Fatalf("the checkpoint loads into another state: %v", err)
		}
		from := int(at) % (len(whole) + 1)
		to := min(from+int(cut%1000), len(whole))
		damaged := bytes.Join([][]byte{whole[:from], instead, whole[to:]}, nil)
		err := newState(w.st.reg, Faults{}).decode(damaged)
		if (err == nil) != bytes.Equal(damaged, whole) {
			t.Fatalf("bytes %d to %d replaced by %x: %v", from, to, instead, err)
		}
	})
}

// FuzzResult: a kept result, in whatever form, is refused or told again as it
// was, and the answer that repeats it is JSON.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{
		`{"status":"applied","rev":7}`, `{"status":"merged","rev":9,"conflicts":[{"field":"note","kept":"a","discarded":null}]}`,
		`{"status":"rejected","error":{"code":"invalid","fields":[{"field":"name","code":"too_long","args":{"max":"200"}}]}}`,
		`{"status":"rejected","error":{"code":"name_taken","args":{"field":"name","other":"c1"}}}`, `{"status":"\u0000\"","rev":18446744073709551615}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Result
		if r.decode(b) != nil {
			return
		}
		kept, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.decode(kept); err != nil {
			t.Fatal(err)
		}
		if second, err := again.encode(); err != nil || !bytes.Equal(second, kept) {
			t.Fatalf("%s became %s, %v", kept, second, err)
		}
		for _, lang := range []string{"en", "fr"} {
			answer := PushResponse{Results: []Result{r, again}}
			if text := answer.AppendJSON(nil, lang); !json.Valid(text) {
				t.Fatalf("%s is answered with %s", b, text)
			}
		}
	})
}

// FuzzDocument: what stands in a row is refused, or read into a document that
// is written and read again as the same; what only wants its fields reads the
// same ones.
func FuzzDocument(f *testing.F) {
	const times = `"createdAt":"2026-11-21T12:00:00Z","updatedAt":"2026-11-21T12:00:00.123456Z"`
	f.Add([]byte(`{"kind":"client","id":"c1","rev":3,"scope":"client:c1",`+times+`,"name":"é","custom":{"a":[1,null]}}`), []byte(`{"name":{"r":3,"b":"ann","t":"2026-11-21T12:00:00Z","o":true}}`))
	f.Add([]byte(`{`+times+`}`), []byte(nil))
	f.Add([]byte(`{"createdAt":"0000-01-01T00:00:00+23:59","updatedAt":"9999-12-31T23:59:59.999999999-23:59","x":1e308}`), []byte(`{"":{}}`))
	f.Add([]byte(`null`), []byte(`null`))
	f.Fuzz(func(t *testing.T, body, marks []byte) {
		v := &Version{Key: Key{"client", "c1"}, Rev: 3, Scope: "client:c1", Body: body, Marks: marks}
		d, err := decodeDocument(v)
		if err != nil {
			return
		}
		if fields, err := FieldsOf(body); err != nil || !reflect.DeepEqual(fields, d.Fields) {
			t.Fatalf("fields %v, as document %v, %v", fields, d.Fields, err)
		}
		written, err := d.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeDocument(&Version{Key: v.Key, Rev: v.Rev, Scope: v.Scope, Body: written, Marks: d.Marks.encode()})
		if err != nil {
			t.Fatalf("%s cannot be read back: %v", written, err)
		}
		if second, err := again.encode(); err != nil || !bytes.Equal(second, written) || !bytes.Equal(again.Marks.encode(), d.Marks.encode()) {
			t.Fatalf("%s became %s; marks %s, then %s; %v", written, second, d.Marks.encode(), again.Marks.encode(), err)
		}
	})
}

// FuzzListPlace: the place behind "after" is gone, or one of the list that is
// asked for, which is written and read again as the same.
func FuzzListPlace(f *testing.F) {
	req := ListRequest{Kind: "client", Sort: []SortKey{{Field: "name"}, {Field: "rev", Descending: true}}}
	good, err := encodePlace(req, &ListPlace{Order: []string{"a", ""}, Missing: []bool{false, true}, ID: "c1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, uint8(2))
	f.Add(good, uint8(1))
	for _, p := range []ListPlace{{Order: []string{"a"}, Missing: []bool{false, true}, ID: "c1"}, {Order: []string{"a", "b"}}} {
		short, err := encodePlace(req, &p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(short, uint8(2))
	}
	f.Add("e30", uint8(0))
	f.Add("eyJrIjoiY2xpZW50IiwicCI6bnVsbH0", uint8(0))
	f.Fuzz(func(t *testing.T, after string, keys uint8) {
		req := req
		req.After, req.Sort = after, req.Sort[:min(int(keys), len(req.Sort))]
		place, err := decodePlace(req)
		if err != nil {
			if !fault.Is(err, fault.Gone) {
				t.Fatalf("%q: %v", after, err)
			}
			return
		}
		if len(place.Order) != len(req.Sort) || len(place.Missing) != len(req.Sort) {
			t.Fatalf("%q gives a place of another sort: %+v", after, place)
		}
		if req.After, err = encodePlace(req, place); err != nil {
			t.Fatal(err)
		}
		again, err := decodePlace(req)
		if err != nil || !reflect.DeepEqual(again, place) {
			t.Fatalf("%+v became %+v, %v", place, again, err)
		}
		kind, sort := req, req
		kind.Kind, sort.Sort = "place", append([]SortKey{{Field: "id"}}, req.Sort...)
		for _, other := range []ListRequest{kind, sort} {
			if _, err := decodePlace(other); !fault.Is(err, fault.Gone) {
				t.Fatalf("a place of %+v is taken for one of %+v: %v", req, other, err)
			}
		}
	})
}
