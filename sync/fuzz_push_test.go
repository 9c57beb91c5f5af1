package sync

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// FuzzPush gives the engine whatever JSON a device may send: it answers each
// mutation and never fails.
func FuzzPush(f *testing.F) {
	for _, seed := range []string{
		`[{"kind":"client","docId":"c1","op":"update","base":1,"set":{"custom":{"a":{"b":[1,2]}},"items":[{"id":"x","removed":true}]},"unset":["note","address.city"]}]`,
		`[{"kind":"client","docId":"n","op":"create","set":{"name":"x"},"group":"g"},{"kind":"place","docId":"p9","op":"create","set":{"clientId":"n"},"group":"g"}]`,
		`[{"kind":"task","docId":"t","op":"create","set":{"state":"done","reason":"x"}},{"kind":"task","docId":"t","op":"delete","base":18446744073709551615}]`,
		`[{"kind":"client","docId":"c1","op":"update","set":{"position":{"lat":1,"lng":2,"pinned":true},"address":null,"parentId":"c1"}}]`,
		`[{"kind":"conflict","docId":"c1","op":"update","set":{"resolved":1e999}}]`,
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, technician bool) {
		var muts []Mutation
		if json.Unmarshal(data, &muts) != nil || len(muts) > 20 {
			return
		}
		w := newPushWorld(t)
		a := office
		if technician {
			a = ann
		}
		for i := range muts {
			if muts[i].ID == uuid.Nil {
				muts[i].ID = w.id()
			}
		}
		first := w.push(a, muts...)
		if len(first.Results) != len(muts) || !json.Valid(first.AppendJSON(nil, "fr")) {
			t.Fatalf("answer to %d mutations: %s", len(muts), first.AppendJSON(nil, "fr"))
		}
		head := w.head()
		again := w.push(a, muts...)
		if outcomes(again) != outcomes(first) || w.head() != head {
			t.Fatalf("repeated: %s, then %s; head %d, then %d", outcomes(first), outcomes(again), head, w.head())
		}
	})
}

// FuzzUnset: removals lie over what is set as null at the end of their path,
// what else is set stays, and the sender's own fields are left as they were.
func FuzzUnset(f *testing.F) {
	f.Add([]byte(`{"custom":{"a":1,"b":{"c":2}},"note":"x"}`), "custom.b.c,address.city,note")
	f.Add([]byte(`{"custom":"flat"}`), "custom.a,custom.a.b,.,..,")
	f.Add([]byte(`null`), strings.Repeat("a.", 20)+"a")
	f.Fuzz(func(t *testing.T, data []byte, list string) {
		var sent Fields
		if json.Unmarshal(data, &sent) != nil {
			return
		}
		before, paths := clone(sent), strings.Split(list, ",")
		in := &intent{set: sent}
		if err := in.clear(paths); err != nil {
			if !fault.Is(err, fault.InvalidInput) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !equal(sent, before) {
			t.Fatalf("%s: the sender's fields became %v", data, sent)
		}
		last := paths[len(paths)-1]
		if v, there := lookUp(in.set, strings.Split(last, ".")); v != nil || !there {
			t.Fatalf("%s without %q leaves %v at %q", data, list, v, last)
		}
		for name, v := range sent {
			touched := func(path string) bool { return path == name || strings.HasPrefix(path, name+".") }
			if !containsFunc(paths, touched) && !equal(in.set[name], v) {
				t.Fatalf("%s without %q changes %q to %v", data, list, name, in.set[name])
			}
		}
	})
}

func containsFunc(list []string, f func(string) bool) bool {
	for _, s := range list {
		if f(s) {
			return true
		}
	}
	return false
}

// lookUp what stands at a path of names.
func lookUp(v any, path []string) (any, bool) {
	for _, name := range path {
		m, _ := v.(map[string]any)
		var ok bool
		if v, ok = m[name]; !ok {
			return nil, false
		}
	}
	return v, true
}
