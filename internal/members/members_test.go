package members_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/members"
)

func TestMembersReadTheirTypeOrNothing(t *testing.T) {
	t.Parallel()
	var f map[string]any
	body := `{"name":"Ève","n":3,"on":true,"ids":["a",4,"b"],"rows":[{"id":"1"},"x"],"in":{"k":"v"},"at":"2026-11-21T10:00:00-05:00"}`
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"text", members.Text(f, "name"), "Ève"},
		{"text of a number", members.Text(f, "n"), ""},
		{"number", members.Number(f, "n"), 3.0},
		{"number of a text", members.Number(f, "name"), 0.0},
		{"flag", members.Flag(f, "on"), true},
		{"flag of a text", members.Flag(f, "name"), false},
		{"texts", members.Texts(f, "ids"), []string{"a", "b"}},
		{"texts of nothing", members.Texts(f, "none"), []string(nil)},
		{"objects", members.Objects(f, "rows"), []map[string]any{{"id": "1"}}},
		{"object", members.Object(f, "in"), map[string]any{"k": "v"}},
		{"time", members.Time(f, "at").UTC(), time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)},
		{"time of a text", members.Time(f, "name"), time.Time{}},
		{"list", members.List("a", "b"), []any{"a", "b"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.name, c.got, c.want)
		}
	}
}

func TestInstantIsReadBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.FixedZone("", -5*3600))
	if got := members.Time(map[string]any{"at": members.Instant(at)}, "at"); !got.Equal(at) {
		t.Errorf("got %v, want %v", got, at)
	}
}
