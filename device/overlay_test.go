package device_test

import (
	"encoding/json"
	"testing"

	"github.com/enroute-field/enroute/device"
)

func TestUnsentWorkLiesOverTheServersCopies(t *testing.T) {
	t.Parallel()
	const copied = `,"name":"Dupont","custom":{"a":1,"b":2},"tags":["x"],"items":[{"id":"1","n":1},{"id":"2","n":2}]`
	type F = device.Fields
	for name, tc := range map[string]struct {
		changes []device.Change
		want    string // of the fields; "" if the document is not seen
	}{
		"nothing":            {nil, `{"name":"Dupont","custom":{"a":1,"b":2},"tags":["x"],"items":[{"id":"1","n":1},{"id":"2","n":2}]}`},
		"a field":            {[]device.Change{{Set: F{"name": "Roy"}}}, `{"name":"Roy","custom":{"a":1,"b":2},"tags":["x"],"items":[{"id":"1","n":1},{"id":"2","n":2}]}`},
		"inside an object":   {[]device.Change{{Set: F{"custom": F{"a": nil, "c": 3.0}}}}, `{"name":"Dupont","custom":{"b":2,"c":3},"tags":["x"],"items":[{"id":"1","n":1},{"id":"2","n":2}]}`},
		"removed":            {[]device.Change{{Unset: []string{"custom", "tags", "items"}}}, `{"name":"Dupont"}`},
		"a list of values":   {[]device.Change{{Set: F{"tags": []any{"y"}}}}, `{"name":"Dupont","custom":{"a":1,"b":2},"tags":["y"],"items":[{"id":"1","n":1},{"id":"2","n":2}]}`},
		"elements by id":     {[]device.Change{{Set: F{"items": []any{F{"id": "3", "n": 3.0}, F{"id": "1", "n": 9.0}}}}}, `{"name":"Dupont","custom":{"a":1,"b":2},"tags":["x"],"items":[{"id":"1","n":9},{"id":"2","n":2},{"id":"3","n":3}]}`},
		"an element removed": {[]device.Change{{Set: F{"items": []any{F{"id": "1", "removed": true}}}}}, `{"name":"Dupont","custom":{"a":1,"b":2},"tags":["x"],"items":[{"id":"2","n":2}]}`},
		"one after another":  {[]device.Change{{Set: F{"name": "A"}}, {Set: F{"name": "B"}}, {Unset: []string{"custom", "tags", "items"}}}, `{"name":"B"}`},
		"deleted":            {[]device.Change{{Op: device.Delete}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, device.Options{})
			receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, copied)}})
			for _, c := range tc.changes {
				c.Key = note("a")
				if c.Op == "" {
					c.Op = device.Update
				}
				must(d.Do(t.Context(), c))(t)
			}
			f, ok, err := d.Get(note("a"))
			if err != nil || ok != (tc.want != "") {
				t.Fatalf("seen %v, error %v", ok, err)
			}
			if ok != contains(idsOf(d.Keys("note")), "a") {
				t.Errorf("keys are %v", d.Keys("note"))
			}
			if ok {
				sameFields(t, f, tc.want)
			}
			want(t, "the server's copies", names(d), []string{"a@1"})
		})
	}
}

func idsOf(keys []device.Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return out
}

func sameFields(t *testing.T, f device.Fields, want string) {
	t.Helper()
	for _, name := range []string{"kind", "id", "rev", "scope"} {
		delete(f, name)
	}
	var w device.Fields
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(f)
	expected, _ := json.Marshal(w)
	if string(got) != string(expected) {
		t.Errorf("shows %s, want %s", got, expected)
	}
}

func TestWhatIsMadeOfflineIsThereAtOnce(t *testing.T) {
	t.Parallel()
	store := device.NewMemory()
	d := open(t, device.Options{Store: store})
	made := must(d.Do(t.Context(), device.Change{Op: device.Create, Key: device.Key{Kind: "note"}, Set: device.Fields{"x": 1.0}}))(t)[0]
	must(d.Do(t.Context(), device.Change{Op: device.Update, Key: made.Key(), Set: device.Fields{"y": 2.0}}))(t)
	for _, d := range []*device.Device{d, open(t, device.Options{Store: store})} {
		f, ok, err := d.Get(made.Key())
		if !ok || err != nil || f["x"] != 1.0 || f["y"] != 2.0 {
			t.Errorf("seen %v, error %v: %v", ok, err, f)
		}
		want(t, "keys", d.Keys("note"), []device.Key{made.Key()})
		want(t, "keys of another kind", d.Keys("task"), nil)
	}
}

func TestAnUpdateOfWhatHasLeftShowsNothing(t *testing.T) {
	t.Parallel()
	d := open(t, device.Options{})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "client:1", 1, "")}})
	update(t, d, "a", device.Fields{"x": 1})
	receive(t, d, "1", device.Page{Cursor: "2", Drop: []string{"client:1"}})
	if _, ok, err := d.Get(note("a")); ok || err != nil {
		t.Errorf("seen %v, error %v", ok, err)
	}
	want(t, "waiting", phases(d, device.Waiting), []string{"a"})
}
