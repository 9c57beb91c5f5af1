package tasks

import (
	"reflect"
	"testing"
	"time"

	"github.com/enroute-field/enroute/sync"
)

func TestWhoGetsATaskAndWhatItNeeds(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	full := func(category Category) sync.Fields {
		return sync.Fields{
			"category": string(category), "clientId": "c1", "contactId": "k1", "locationId": "l1",
			"equipmentIds": []any{"e1", "e2"}, "employeeIds": []any{"tom"}, "teamIds": []any{"north"},
			"plannedStart": "2026-11-23T08:00:00-05:00", "plannedEnd": "2026-11-23T10:00:00-05:00",
		}
	}
	named := []sync.Key{{Kind: "contact", ID: "k1"}, {Kind: "location", ID: "l1"}, {Kind: "equipment", ID: "e1"}, {Kind: "equipment", ID: "e2"}}
	grant := func(always bool) []sync.Grant {
		return []sync.Grant{{
			Principals: []string{"tom"}, Groups: []string{"north"},
			Scopes: []string{"task:t1", "client:c1", "clientFile:c1"}, ScopesOf: named,
			Always: always, Start: start, End: start.Add(2 * time.Hour),
		}}
	}
	for _, c := range []struct {
		name   string
		fields sync.Fields
		want   []sync.Grant
	}{
		{"planned: nobody", full(Planned), nil},
		{"open: always", full(Open), grant(true)},
		{"done: on its days", full(Done), grant(false)},
		{"cancelled: on its days", full(Cancelled), grant(false)},
		{"nobody assigned", sync.Fields{"category": string(Open), "clientId": "c1"}, nil},
		{"without a client and days", sync.Fields{"category": string(Open), "employeeIds": []any{"tom"}},
			[]sync.Grant{{Principals: []string{"tom"}, Scopes: []string{"task:t1"}, Always: true}}},
	} {
		got := edges("t1", c.fields).Grants
		for i := range got {
			if !got[i].Start.Equal(start) && !got[i].Start.IsZero() {
				t.Errorf("%s: starts %v", c.name, got[i].Start)
			}
			got[i].Start, got[i].End = got[i].Start.UTC(), got[i].End.UTC()
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
	wantRefs := append([]sync.Key{{Kind: "client", ID: "c1"}}, named...)
	if got := edges("t1", full(Planned)).Refs; !reflect.DeepEqual(got, wantRefs) {
		t.Errorf("refs of a planned task: %v, want %v", got, wantRefs)
	}
}
