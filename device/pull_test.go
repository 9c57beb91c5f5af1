package device_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/device"
)

func TestDigestIsTheOneOfTheWireContract(t *testing.T) {
	t.Parallel()
	d := open(t, device.Options{})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{
		named("client", "c1", 1201), named("task", "t-9", 7),
	}})
	got, err := json.Marshal(d.Condition().Digest)
	if err != nil || string(got) != `{"count":2,"sum":"862217d7601843c9"}` {
		t.Errorf("digest is %s, %v", got, err)
	}
	receive(t, d, "1", device.Page{Cursor: "2", Remove: []device.Key{{Kind: "task", ID: "t-9"}, {Kind: "task", ID: "never"}}})
	if got, _ := json.Marshal(d.Condition().Digest); string(got) != `{"count":1,"sum":"bd0b8439220b68e1"}` {
		t.Errorf("after the removal digest is %s", got)
	}
}

func TestAPageIsAppliedInTheOrderOfTheContract(t *testing.T) {
	t.Parallel()
	start := []device.Document{doc("a", "client:1", 1, ""), doc("b", "client:1", 2, ""), doc("c", "client:2", 3, "")}
	for name, tc := range map[string]struct {
		page device.Page
		want []string
	}{
		"put replaces and adds":                                  {device.Page{Put: []device.Document{doc("a", "client:1", 4, ""), doc("d", "client:2", 4, "")}}, []string{"a@4", "b@2", "c@3", "d@4"}},
		"drop takes a whole scope":                               {device.Page{Drop: []string{"client:1"}}, []string{"c@3"}},
		"drop comes before put":                                  {device.Page{Drop: []string{"client:1"}, Put: []device.Document{doc("b", "client:1", 5, "")}}, []string{"b@5", "c@3"}},
		"remove comes before put":                                {device.Page{Remove: []device.Key{note("c")}, Put: []device.Document{doc("c", "client:1", 5, "")}}, []string{"a@1", "b@2", "c@5"}},
		"a moved document is not dropped with the scope it left": {device.Page{Put: []device.Document{doc("a", "client:2", 5, "")}}, []string{"a@5", "b@2", "c@3"}},
		"reset comes first":                                      {device.Page{Reset: true, Put: []device.Document{doc("z", "client:2", 9, "")}}, []string{"z@9"}},
		"what is not there may go":                               {device.Page{Drop: []string{"client:7"}, Remove: []device.Key{note("x")}}, []string{"a@1", "b@2", "c@3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := device.NewMemory()
			d := open(t, device.Options{Store: store})
			receive(t, d, "", device.Page{Cursor: "1", Put: start})
			tc.page.Cursor = "2"
			receive(t, d, "1", tc.page)
			want(t, "documents", names(d), tc.want)
			want(t, "documents after a crash", names(open(t, device.Options{Store: store})), tc.want)
		})
	}
}

func TestDropAfterAMoveLeavesTheMovedDocument(t *testing.T) {
	t.Parallel()
	d := open(t, device.Options{})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "client:1", 1, "")}})
	receive(t, d, "1", device.Page{Cursor: "2", Put: []device.Document{doc("a", "client:2", 2, "")}})
	receive(t, d, "2", device.Page{Cursor: "3", Drop: []string{"client:1"}})
	want(t, "documents", names(d), []string{"a@2"})
}

func TestALatePageIsThrownAway(t *testing.T) {
	t.Parallel()
	d := open(t, device.Options{})
	late := device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, "")}}
	receive(t, d, "", late)
	receive(t, d, "1", device.Page{Cursor: "2", Remove: []device.Key{note("a")}})
	for _, asked := range []string{"", "1"} {
		if receive(t, d, asked, late) {
			t.Errorf("a page asked for with %q was applied though the device holds \"2\"", asked)
		}
	}
	want(t, "documents", names(d), []string{})
	if c := d.Condition().Cursor; c != "2" {
		t.Errorf("cursor is %q", c)
	}
}

func TestAPageThatCannotBeSavedChangesNothing(t *testing.T) {
	t.Parallel()
	store := &failing{Memory: device.NewMemory()}
	d := open(t, device.Options{Store: store})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, "")}})
	store.broken = true
	page := device.Page{Cursor: "2", Drop: []string{"workspace"}}
	if applied, err := d.Receive(t.Context(), "1", &page); applied || err == nil {
		t.Errorf("applied %v, error %v", applied, err)
	}
	want(t, "documents", names(d), []string{"a@1"})
	store.broken = false
	if !receive(t, d, "1", page) {
		t.Error("the page was not taken when it came again")
	}
}

func TestSyncPushesBeforeItPullsAndPullsToTheEnd(t *testing.T) {
	t.Parallel()
	var order []string
	s := &script{}
	s.push = func(req device.PushRequest) (*device.PushResponse, error) {
		order = append(order, "push")
		return accept(req, 3), nil
	}
	s.pull = func(cursor string) (*device.Page, error) {
		order = append(order, "pull "+cursor)
		if cursor == "" {
			return &device.Page{Cursor: "1", More: true, Head: 3}, nil
		}
		return &device.Page{Cursor: "2", Head: 3, Put: []device.Document{doc("a", "workspace", 3, `,"x":1`)}}, nil
	}
	d := open(t, device.Options{Transport: s})
	update(t, d, "a", device.Fields{"x": 1})
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "requests", order, []string{"push", "pull ", "pull 1"})
}

func TestAnotherDigestStartsOverOnceADayAndIsReported(t *testing.T) {
	t.Parallel()
	a := doc("a", "workspace", 1, "")
	now := newClock()
	s := &script{}
	s.pull = func(cursor string) (*device.Page, error) {
		if cursor == "" {
			return &device.Page{Cursor: "1", Head: 1, Put: []device.Document{a}, Digest: digestOf(a)}, nil
		}
		return &device.Page{Cursor: cursor + "'", Head: 1, Digest: &device.Digest{Count: 9}}, nil
	}
	d := open(t, device.Options{Transport: s, Clock: now.Now})
	sync := func(times int) {
		for range times {
			if err := d.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	sync(2)
	want(t, "cursors asked", s.pulls, []string{"", "1", ""})
	want(t, "documents", names(d), []string{"a@1"})
	if len(s.reports) != 1 || s.reports[0].Expected.Count != 9 || s.reports[0].Actual != *digestOf(a) {
		t.Errorf("reports are %+v", s.reports)
	}
	sync(3)
	if len(s.pulls) != 6 || len(s.reports) != 1 {
		t.Errorf("started over again within a day: asked %q, %d reports", s.pulls, len(s.reports))
	}
	now.Add(25 * time.Hour)
	sync(1)
	if len(s.reports) != 2 || !contains(s.pulls[6:], "") {
		t.Errorf("did not start over a day later: asked %q, %d reports", s.pulls, len(s.reports))
	}
}

func TestABadCursorStartsOverAndKeepsUnsentWork(t *testing.T) {
	t.Parallel()
	s := &script{pull: func(cursor string) (*device.Page, error) {
		if cursor != "" {
			return nil, refused(400, "bad_cursor")
		}
		return &device.Page{Cursor: "1", Head: 5}, nil
	}}
	d := open(t, device.Options{Transport: s})
	receive(t, d, "", device.Page{Cursor: "old", Put: []device.Document{doc("a", "workspace", 1, "")}})
	update(t, d, "a", device.Fields{"x": 1})
	more, err := d.PullPage(t.Context())
	if err != nil || !more {
		t.Fatalf("more %v, error %v", more, err)
	}
	want(t, "documents", names(d), []string{})
	want(t, "waiting", phases(d, device.Waiting), []string{"a"})
	if more, err = d.PullPage(t.Context()); err != nil || more {
		t.Fatalf("more %v, error %v", more, err)
	}
}

func TestABadCursorWithoutACursorIsAnError(t *testing.T) {
	t.Parallel()
	s := &script{pull: func(string) (*device.Page, error) { return nil, refused(400, "bad_cursor") }}
	if err := open(t, device.Options{Transport: s}).Sync(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestAResetSendsAcknowledgedWorkAgain(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := &script{}
	d := open(t, device.Options{Transport: s, Clock: now.Now})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	update(t, d, "forgotten", device.Fields{"x": 0})
	ok(d.Push(t.Context()))
	receive(t, d, "", device.Page{Cursor: "1", Head: 1, Put: []device.Document{doc("forgotten", "workspace", 1, `,"x":0`)}})
	now.Add(31 * 24 * time.Hour)
	first := update(t, d, "a", device.Fields{"x": 1})
	s.push = func(req device.PushRequest) (*device.PushResponse, error) {
		resp := accept(req, 2)
		resp.Results[0].Status = device.Merged
		return resp, nil
	}
	ok(d.Push(t.Context()))
	update(t, d, "b", device.Fields{"x": 2})
	s.push = func(req device.PushRequest) (*device.PushResponse, error) {
		return &device.PushResponse{Results: []device.Result{{ID: req.Mutations[0].ID, Status: device.Rejected, Error: &device.Problem{Code: "not_found"}}}}, nil
	}
	ok(d.Push(t.Context()))
	update(t, d, "c", device.Fields{"x": 3})
	receive(t, d, "1", device.Page{Cursor: "2", Reset: true})
	s.push = nil
	ok(d.Push(t.Context()))
	want(t, "sent after the reset", s.sent(3), []string{"a", "c"})
	if again := s.pushes[3].Mutations[0]; again.ID != first.ID || !again.At.Equal(*first.At) {
		t.Errorf("sent again as another mutation: %+v, was %+v", again, first)
	}
	want(t, "parked", phases(d, device.Refused), []string{"b"})
}

// history is a server that has one document, "a", and forgets what came
// after a commit when a backup is put back.
type history struct {
	head uint64
	rev  uint64 // of a
	x    float64
	had  map[uuid.UUID]uint64
}

func (h *history) push(req device.PushRequest) (*device.PushResponse, error) {
	resp := accept(req, h.head+1)
	for i, m := range req.Mutations {
		if rev, again := h.had[m.ID]; again {
			resp.Results[i].Rev, resp.Results[i].Duplicate = rev, true
			continue
		}
		h.head++
		h.rev, h.had[m.ID] = h.head, h.head
		h.x, _ = m.Set["x"].(float64)
	}
	resp.Head = h.head
	return resp, nil
}

func (h *history) pull(cursor string) (*device.Page, error) {
	p := &device.Page{Cursor: fmt.Sprint(h.head), Head: h.head}
	if cursor != p.Cursor {
		p.Put = []device.Document{doc("a", "workspace", h.rev, fmt.Sprintf(`,"x":%v`, h.x))}
	}
	return p, nil
}

// A device pushes and hears that all is well; a backup from before is put
// back, others go on, and then it pulls from a cursor that both histories know.
func TestWorkThatABackupLostIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]func(*history){
		"the head is behind":          func(h *history) {},
		"the head has passed":         func(h *history) { h.head += 20 },
		"others changed the document": func(h *history) { h.head += 20; h.rev = h.head },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &history{head: 40, rev: 30, had: map[uuid.UUID]uint64{}}
			s := &script{push: h.push, pull: h.pull}
			d := open(t, device.Options{Transport: s})
			if err := d.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			m := update(t, d, "a", device.Fields{"x": 7.0})
			h.head = 49
			if err := d.Push(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.head, h.rev, h.x = 42, 30, 0
			clear(h.had)
			others(h)
			if err := d.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if h.had[m.ID] == 0 || h.x != 7 {
				t.Errorf("lost: %+v", h)
			}
			if e := d.Entries()[0]; e.Phase != device.Acknowledged || !e.Settled {
				t.Errorf("entry is %+v", e)
			}
		})
	}
}

// What a page shows is not sent again; what it leaves in doubt is, once.
func TestOnlyDoubtfulWorkIsSentOnceMore(t *testing.T) {
	t.Parallel()
	type F = device.Fields
	for name, tc := range map[string]struct {
		change device.Change
		shown  string // fields of the document afterwards; "" if it is gone
		again  bool
	}{
		"shown":                 {device.Change{Op: device.Update, Set: F{"x": 1}}, `,"x":1`, false},
		"shown in an object":    {device.Change{Op: device.Update, Set: F{"o": F{"x": 1}}}, `,"o":{"x":1,"by":"me"}`, false},
		"shown among elements":  {device.Change{Op: device.Update, Set: F{"l": []any{F{"id": "1"}}}}, `,"l":[{"id":"2"},{"id":"1","n":1}]`, false},
		"a list that is shown":  {device.Change{Op: device.Update, Set: F{"l": []any{"a"}}}, `,"l":["a"]`, false},
		"removed":               {device.Change{Op: device.Update, Unset: []string{"x"}}, ``, false},
		"not removed":           {device.Change{Op: device.Update, Unset: []string{"x"}}, `,"x":1`, true},
		"overwritten":           {device.Change{Op: device.Update, Set: F{"x": 1}}, `,"x":2`, true},
		"an element is missing": {device.Change{Op: device.Update, Set: F{"l": []any{F{"id": "1"}}}}, `,"l":[{"id":"2"}]`, true},
		"another list":          {device.Change{Op: device.Update, Set: F{"l": []any{"a"}}}, `,"l":["b"]`, true},
		"out of sight":          {device.Change{Op: device.Update, Set: F{"x": 1}}, "gone", true},
		"deleted":               {device.Change{Op: device.Delete}, "gone", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{}
			s.push = func(req device.PushRequest) (*device.PushResponse, error) {
				resp := accept(req, 5)
				resp.Results[0].Duplicate = len(s.pushes) > 1
				return resp, nil
			}
			s.pull = func(string) (*device.Page, error) {
				p := &device.Page{Cursor: "2", Head: 6, Remove: []device.Key{note("a")}}
				if tc.shown != "gone" {
					p.Put = []device.Document{doc("a", "workspace", 5, tc.shown)}
				}
				return p, nil
			}
			d := open(t, device.Options{Transport: s})
			receive(t, d, "", device.Page{Cursor: "1", Head: 4, Put: []device.Document{doc("a", "workspace", 2, `,"x":0`)}})
			tc.change.Key = note("a")
			must(d.Do(t.Context(), tc.change))(t)
			for range 3 {
				if err := d.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if again := len(s.pushes) > 1; again != tc.again || len(s.pushes) > 2 {
				t.Errorf("pushed %d times", len(s.pushes))
			}
			if !d.Entries()[0].Settled {
				t.Error("not settled")
			}
		})
	}
}

func TestARevokedDeviceForgetsEverything(t *testing.T) {
	t.Parallel()
	store := device.NewMemory()
	s := &script{pull: func(string) (*device.Page, error) { return nil, refused(401, "device_revoked") }}
	d := open(t, device.Options{Transport: s, Store: store})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, "")}})
	update(t, d, "a", device.Fields{"x": 1})
	if err := d.Sync(t.Context()); !errors.Is(err, device.ErrRevoked) {
		t.Fatalf("error is %v", err)
	}
	for _, d := range []*device.Device{d, open(t, device.Options{Transport: s, Store: store})} {
		if len(d.Received())+len(d.Entries()) != 0 || !d.Condition().Revoked {
			t.Errorf("kept %v and %v", names(d), d.Entries())
		}
		if _, err := d.Do(t.Context(), device.Change{Op: device.Create, Key: note("b")}); !errors.Is(err, device.ErrRevoked) {
			t.Errorf("a new change gives %v", err)
		}
	}
}

func TestARevokedDeviceHandsInItsWorkFirst(t *testing.T) {
	t.Parallel()
	s := &script{pull: func(string) (*device.Page, error) { return nil, refused(401, "device_revoked") }}
	s.push = func(device.PushRequest) (*device.PushResponse, error) { return nil, refused(503, "unavailable") }
	d := open(t, device.Options{Transport: s})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, "")}})
	update(t, d, "a", device.Fields{"x": 1})
	if err := d.Sync(t.Context()); !errors.Is(err, device.ErrRevoked) {
		t.Fatalf("error is %v", err)
	}
	want(t, "documents", names(d), []string{})
	want(t, "still to be handed in", phases(d, device.Waiting), []string{"a"})
	s.push = nil
	if err := d.Push(t.Context()); !errors.Is(err, device.ErrRevoked) || len(s.pushes) != 2 {
		t.Fatalf("error is %v after %d pushes", err, len(s.pushes))
	}
	if len(d.Entries()) != 0 {
		t.Error("kept what it had handed in")
	}
}

func TestASignedOutDeviceKeepsEverything(t *testing.T) {
	t.Parallel()
	s := &script{pull: func(string) (*device.Page, error) { return nil, refused(401, "not_signed_in") }}
	s.push = func(device.PushRequest) (*device.PushResponse, error) { return nil, refused(401, "not_signed_in") }
	d := open(t, device.Options{Transport: s})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, "")}})
	update(t, d, "a", device.Fields{"x": 1})
	if err := d.Sync(t.Context()); err == nil {
		t.Fatal("no error")
	}
	want(t, "documents", names(d), []string{"a@1"})
	want(t, "waiting", phases(d, device.Waiting), []string{"a"})
}

// Whatever pages come, the running digest is the one of the documents, and a
// device opened anew on the store is the same.
func TestPagesKeepDigestAndStoreInStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		store := device.NewMemory()
		d, err := device.Open(t.Context(), device.Options{Store: store})
		if err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(r, "pages") {
			p := anyPage(r)
			if _, err := d.Receive(t.Context(), d.Condition().Cursor, &p); err != nil {
				r.Fatal(err)
			}
			if got := d.Condition().Digest; got != *digestOf(d.Received()...) {
				r.Fatalf("digest is %+v after %+v", got, p)
			}
		}
		again, err := device.Open(t.Context(), device.Options{Store: store})
		if err != nil || again.Condition() != d.Condition() {
			r.Fatalf("opened again: %+v, %v; was %+v", again.Condition(), err, d.Condition())
		}
	})
}

func anyPage(r *rapid.T) device.Page {
	id := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	scope := rapid.SampledFrom([]string{"workspace", "client:1", "client:2"})
	p := device.Page{Cursor: rapid.StringN(1, 4, 8).Draw(r, "cursor"), Reset: rapid.IntRange(0, 9).Draw(r, "reset") == 0}
	p.Drop = rapid.SliceOfN(scope, 0, 1).Draw(r, "drop")
	for _, x := range rapid.SliceOfN(id, 0, 2).Draw(r, "remove") {
		p.Remove = append(p.Remove, note(x))
	}
	for _, x := range rapid.SliceOfN(id, 0, 3).Draw(r, "put") {
		p.Put = append(p.Put, doc(x, scope.Draw(r, "scope"), rapid.Uint64Range(1, 99).Draw(r, "rev"), ""))
	}
	return p
}

func named(kind, id string, rev uint64) device.Document {
	d := doc(id, "workspace", rev, "")
	d.Kind = kind
	return d
}
