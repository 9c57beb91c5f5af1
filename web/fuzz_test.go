package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// FuzzPush: a body is read into mutations whole, or refused with a fault that
// says where.
func FuzzPush(f *testing.F) {
	id := uuid.NewString()
	f.Add(`{"sentAt":"2026-11-21T12:00:00Z","mutations":[{"id":"` + id + `","kind":"client","docId":"c1","op":"update","set":{"note":"x"},"unset":["phone"],"at":"2026-11-21T12:00:00Z","group":"g","base":3}]}`)
	f.Add(`{"mutations":[{"id":null,"base":1e300},{"id":"` + id + `","base":9007199254740993}]}`)
	f.Add(`{"mutations":[[],{}],"mutations":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		v, err := decodeJSON([]byte(body))
		if err != nil {
			return
		}
		o, err := newObject(v)
		if err != nil {
			return
		}
		req, err := readPush(o)
		if err != nil {
			if e := fault.Of(err); e.Code == fault.Internal || e.Code == fault.InvalidInput && len(e.Fields) == 0 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		list, _ := o.fields["mutations"].([]any)
		if len(req.Mutations) != len(list) {
			t.Fatalf("%q: %d of %d mutations", body, len(req.Mutations), len(list))
		}
		for _, m := range req.Mutations {
			if m.ID == uuid.Nil || m.Base > maxExact {
				t.Fatalf("%q: mutation %+v", body, m)
			}
		}
	})
}

// FuzzListQuery: a query is understood whole, or refused with a fault that
// names the parameter; every filter is on a field that may be filtered by.
func FuzzListQuery(f *testing.F) {
	for _, seed := range []string{
		"name=x", "custom.color.in=a,b&sort=-custom.color", "custom.in.in=1", "disabled=false,true&limit=3", "id.in=a,b&after=x&q=y",
		"updatedAt.gte=2026-01-01T00:00:00Z", "name.exists=true", "custom.=1", "custom..in=1", ".in=1", "=", "rev.lte=7",
	} {
		f.Add(seed)
	}
	registry, err := sync.NewRegistry(append(company.Kinds(), clients.Kinds()...)...)
	if err != nil {
		f.Fatal(err)
	}
	d := documents{kind: registry.Kind(clients.KindClient)}
	f.Fuzz(func(t *testing.T, query string) {
		var args []argument
		for part := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(part, "=")
			if name, err := url.QueryUnescape(name); err == nil {
				args = append(args, argument{name, value})
			}
		}
		req, err := d.readList(args)
		if err != nil {
			if e := fault.Of(err); e.Code != fault.InvalidInput || len(e.Fields) == 0 {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		r := listReader{kind: d.kind}
		for _, filter := range req.Filters {
			if r.find(filter.Field) == nil || len(filter.Values) == 0 && filter.Op != sync.Exists {
				t.Fatalf("%q: filter %+v", query, filter)
			}
		}
		if req.Limit < 1 || req.Limit > maxItems {
			t.Fatalf("%q: limit %d", query, req.Limit)
		}
	})
}

// FuzzDecodeJSON: what is read is what encoding/json reads; the two refuse the
// same texts, but for what we refuse with a code of its own.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e3,-0,true,false,null,"x\n\u00e9\ud83d\ude00\ud83d"]}`, "\"\xff\"", `{"a":1,"a":2}`, `[[[[]]]]`, " 1 ", "\"\\ud800\\u0041\"", "1e400", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { compareWithStandard(t, text) })
}
