package sync_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// populated gives a world and, for each of the actors, cursors from all along the way of
// a device: before and in the middle of a step, after it, and of longer ago.
func populated(f *testing.F) (w *enginetest.World, given map[sync.Actor][]string) {
	f.Helper()
	w = enginetest.New(f, enginetest.Options{Kinds: kinds(), Seed: []sync.Mutation{
		enginetest.Create("settings", "settings", sync.Fields{"zone": "America/Toronto"}),
		enginetest.Create("profile", "closed", nil),
		enginetest.Create("user", "boss", sync.Fields{"role": "admin"}),
		enginetest.Create("user", "ann", sync.Fields{"role": "technician"}),
		enginetest.Create("user", "bob", sync.Fields{"role": "technician"}),
	}})
	given = map[sync.Actor][]string{}
	holders := [][]any{{"ann"}, {"bob"}, {"ann", "bob"}, {}}
	for round := range 4 {
		for i := range 6 {
			id := fmt.Sprint("f", i)
			if round == 0 {
				w.MustWrite(boss, folder(id, holders[i%4]...), enginetest.Create("paper", "p-"+id, sync.Fields{"folder": id}))
			} else {
				w.MustWrite(boss, assign(id, holders[(i+round)%4]...))
			}
		}
		for _, a := range []sync.Actor{ann, bob, boss} {
			cursor := ""
			for limit := 1; limit < 8; limit++ {
				page, err := w.Workspace.Pull(f.Context(), a, cursor, limit)
				if err != nil {
					f.Fatal(err)
				}
				cursor = page.Cursor
				given[a] = append(given[a], cursor)
			}
		}
	}
	return w, given
}

// FuzzPull: whatever stands in place of a cursor, a device gets its own
// documents or a refusal; a cursor that was changed, or is somebody else's, is
// refused.
func FuzzPull(f *testing.F) {
	w, given := populated(f)
	actors := []sync.Actor{ann, bob, boss, {User: "ann", Device: "another"}, {User: "nobody"}}
	views := map[string]map[sync.Key]sync.Fields{}
	for _, a := range actors[:3] {
		views[a.User] = w.View(a)
	}
	f.Add(uint8(0), uint8(0), uint16(0), []byte(nil), uint16(0), uint8(5))
	f.Add(uint8(0), uint8(9), uint16(3), []byte("A"), uint16(1), uint8(5))
	f.Add(uint8(1), uint8(30), uint16(0), []byte(nil), uint16(0), uint8(2))
	f.Add(uint8(2), uint8(60), uint16(0), []byte("AQAAAA"), uint16(999), uint8(0))
	f.Fuzz(func(t *testing.T, who, which uint8, at uint16, instead []byte, cut uint16, limit uint8) {
		a := actors[int(who)%len(actors)]
		of := actors[int(which)%3]
		original := given[of][int(which)/3%len(given[of])]
		from := int(at) % (len(original) + 1)
		cursor := original[:from] + string(instead) + original[min(from+int(cut), len(original)):]
		page, err := w.Workspace.Pull(t.Context(), a, cursor, 1+int(limit))
		if err != nil {
			own := slices.Contains(given[a], cursor) || cursor == "" && views[a.User] != nil
			if own || !fault.Is(err, fault.BadCursor) && !fault.Is(err, fault.NotSignedIn) {
				t.Fatalf("%+v with %q: %v", a, cursor, err)
			}
			return
		}
		if cursor != "" && !slices.Contains(given[a], cursor) {
			t.Fatalf("%+v is answered with %q, which he was not given", a, cursor)
		}
		for _, body := range page.Put {
			var k sync.Key
			if err := json.Unmarshal(body, &k); err != nil || views[a.User][k] == nil {
				t.Fatalf("%+v with %q is sent %s, %v", a, cursor, body, err)
			}
		}
		if !json.Valid(page.AppendJSON(nil)) || len(page.Cursor) > 512 {
			t.Fatalf("page %s", page.AppendJSON(nil))
		}
	})
}

// FuzzListAfter: whatever stands in place of a list's "after", one sees one's
// own documents, each once and in order, or is told that the place is gone.
func FuzzListAfter(f *testing.F) {
	w, _ := populated(f)
	views, folders := map[string]map[sync.Key]sync.Fields{}, map[string]int{}
	for _, a := range []sync.Actor{ann, boss} {
		views[a.User] = w.View(a)
		for k := range views[a.User] {
			if k.Kind == "folder" {
				folders[a.User]++
			}
		}
		for _, sort := range []string{"", "name", "rev", "name rev"} {
			page, err := w.Workspace.List(f.Context(), a, listOf(sort, false, ""))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(page.Next, sort, false, a == boss)
		}
	}
	f.Add("eyJrIjoiZm9sZGVyIiwicCI6eyJJRCI6IvCfmIAifX0", "", false, true)
	f.Fuzz(func(t *testing.T, after, sort string, descending, office bool) {
		if strings.Trim(sort, "abcdefghijklmnopqrstuvwxyz ") != "" {
			return // the web refuses unknown fields
		}
		a := ann
		if office {
			a = boss
		}
		seen := map[string]bool{}
		for range 20 {
			page, err := w.Workspace.List(t.Context(), a, listOf(sort, descending, after))
			if err != nil {
				if !fault.Is(err, fault.Gone) || after == "" {
					t.Fatalf("after %q, sorted by %q: %v", after, sort, err)
				}
				return
			}
			if page.Total != folders[a.User] {
				t.Fatalf("%s is told of %d folders, and sees %d", a.User, page.Total, folders[a.User])
			}
			for _, body := range page.Items {
				var k sync.Key
				if err := json.Unmarshal(body, &k); err != nil || views[a.User][k] == nil || seen[k.ID] {
					t.Fatalf("%s after %q is shown %s; before %v", a.User, after, body, seen)
				}
				seen[k.ID] = true
			}
			if after = page.Next; after == "" {
				return
			}
		}
		t.Fatal("the list does not end")
	})
}

// listOf folders, sorted by the named fields.
func listOf(sort string, descending bool, after string) sync.ListRequest {
	req := sync.ListRequest{Kind: "folder", Limit: 2, After: after}
	for _, field := range strings.Fields(sort) {
		req.Sort = append(req.Sort, sync.SortKey{Field: field, Descending: descending})
	}
	return req
}

// FuzzClocks: a change at any time of any clock, of any base, is kept as
// RFC 3339 between what was seen and its receipt.
func FuzzClocks(f *testing.F) {
	w, _ := populated(f)
	f.Add(int64(0), int64(0), uint64(0))
	f.Add(int64(-62135596800), int64(253402300799), uint64(3))
	f.Add(int64(1)<<62, int64(-1)<<62, uint64(1)<<63)
	f.Fuzz(func(t *testing.T, at, sent int64, base uint64) {
		before, err := w.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := enginetest.Update("folder", "f0", base, sync.Fields{"name": fmt.Sprint("name ", before.Number)})
		moment := time.Unix(at, 0)
		m.At = &moment
		out, err := w.Workspace.Push(t.Context(), boss, sync.PushRequest{SentAt: time.Unix(sent, 0), Mutations: []sync.Mutation{m}})
		if err != nil || out.Results[0].Status == sync.Rejected {
			t.Fatalf("%+v, %v", out, err)
		}
		d, err := w.Document(t.Context(), sync.Key{Kind: "folder", ID: "f0"})
		if err != nil {
			t.Fatal(err)
		}
		for path, mark := range d.Marks {
			if mark.At.After(w.Clock.Now()) || mark.At.Year() < 0 {
				t.Fatalf("%s was changed at %v; it is %v", path, mark.At, w.Clock.Now())
			}
		}
	})
}
