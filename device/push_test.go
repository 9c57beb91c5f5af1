package device_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/device"
)

func TestWorkWithoutAnAnswerIsSentAgainUnchanged(t *testing.T) {
	t.Parallel()
	store := device.NewMemory()
	s := &script{push: func(device.PushRequest) (*device.PushResponse, error) { return nil, errLost }}
	d := open(t, device.Options{Transport: s, Store: store})
	update(t, d, "a", device.Fields{"x": 1})
	if err := d.Sync(t.Context()); !errors.Is(err, errLost) || len(s.pulls) != 0 {
		t.Fatalf("error %v, %d pulls", err, len(s.pulls))
	}
	d = open(t, device.Options{Transport: s, Store: store})
	s.push = nil
	if err := d.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "second push", s.pushes[1].Mutations, s.pushes[0].Mutations)
	want(t, "acknowledged", phases(d, device.Acknowledged), []string{"a"})
	if err := d.Push(t.Context()); err != nil || len(s.pushes) != 2 {
		t.Errorf("error %v, %d pushes", err, len(s.pushes))
	}
}

func TestAnAnswerThatSpeaksOfSomethingElseIsNone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(device.PushRequest) *device.PushResponse{
		"too short": func(device.PushRequest) *device.PushResponse { return &device.PushResponse{} },
		"another id": func(r device.PushRequest) *device.PushResponse {
			p := accept(r, 1)
			p.Results[0].ID = uuid.New()
			return p
		},
		"unknown status": func(r device.PushRequest) *device.PushResponse {
			p := accept(r, 1)
			p.Results[0].Status = "done"
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{push: func(r device.PushRequest) (*device.PushResponse, error) { return answer(r), nil }}
			d := open(t, device.Options{Transport: s})
			update(t, d, "a", device.Fields{"x": 1})
			if err := d.Push(t.Context()); err == nil {
				t.Error("no error")
			}
			want(t, "waiting", phases(d, device.Waiting), []string{"a"})
		})
	}
}

func TestARefusedMutationIsParkedAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	s := &script{push: func(req device.PushRequest) (*device.PushResponse, error) {
		resp := accept(req, 7)
		resp.Results[0] = device.Result{ID: req.Mutations[0].ID, Status: device.Rejected, Error: &device.Problem{Code: "field_not_allowed"}}
		return resp, nil
	}}
	d := open(t, device.Options{Transport: s})
	receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 1, `,"x":0`)}})
	m := update(t, d, "a", device.Fields{"x": 1})
	update(t, d, "b", device.Fields{"x": 2})
	if err := d.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "parked", phases(d, device.Refused), []string{"a"})
	want(t, "acknowledged", phases(d, device.Acknowledged), []string{"b"})
	if p := d.Entries()[0].Problem; p == nil || p.Code != "field_not_allowed" {
		t.Errorf("reason is %+v", p)
	}
	if f, _, _ := d.Get(note("a")); f["x"] != 0.0 {
		t.Errorf("the refused change still shows: %v", f)
	}
	if err := d.Dismiss(t.Context(), m.ID); err != nil || len(phases(d, device.Refused)) != 0 {
		t.Errorf("dismissed with %v, parked %v", err, phases(d, device.Refused))
	}
}

func TestNoAnswerToAPushHoldsUpAPull(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404, 409, 429, 500, 503} {
		s := &script{push: func(device.PushRequest) (*device.PushResponse, error) { return nil, refused(status, "some_code") }}
		s.pull = func(string) (*device.Page, error) {
			return &device.Page{Cursor: "2", Head: 9, Drop: []string{"client:1"}}, nil
		}
		d := open(t, device.Options{Transport: s})
		receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "client:1", 1, "")}})
		update(t, d, "a", device.Fields{"x": 1})
		if err := d.Sync(t.Context()); err == nil {
			t.Errorf("%d: no error", status)
		}
		want(t, fmt.Sprint(status, ": documents"), names(d), []string{})
		want(t, fmt.Sprint(status, ": waiting"), phases(d, device.Waiting), []string{"a"})
	}
}

func TestATooLargePushIsHalvedUntilItFits(t *testing.T) {
	t.Parallel()
	s := &script{push: func(req device.PushRequest) (*device.PushResponse, error) {
		if len(req.Mutations) > 3 {
			return nil, refused(413, "push_too_large")
		}
		return accept(req, 1), nil
	}}
	d := open(t, device.Options{Transport: s})
	var made []string
	for i := range 20 {
		made = append(made, update(t, d, fmt.Sprintf("n%02d", i), device.Fields{"x": 1}).DocID)
	}
	if err := d.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	var taken []string
	for i := range s.pushes {
		if len(s.pushes[i].Mutations) <= 3 {
			taken = append(taken, s.sent(i)...)
		}
	}
	want(t, "taken", taken, made)
}

func TestAPushThatIsRefusedWholeParksOnlyWhatIsAtFault(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 413, 422} {
		s := &script{push: func(req device.PushRequest) (*device.PushResponse, error) {
			for _, m := range req.Mutations {
				if m.DocID == "bad" {
					return nil, refused(code, "some_code")
				}
			}
			return accept(req, 1), nil
		}}
		d := open(t, device.Options{Transport: s})
		for _, id := range []string{"a", "b", "bad", "c", "d"} {
			update(t, d, id, device.Fields{"x": 1})
		}
		if err := d.Push(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, fmt.Sprint(code, ": parked"), phases(d, device.Refused), []string{"bad"})
		want(t, fmt.Sprint(code, ": acknowledged"), phases(d, device.Acknowledged), []string{"a", "b", "c", "d"})
	}
}

// However pushes are cut, every mutation is sent in its order, and a group
// never in two requests.
func TestBatchesKeepOrderAndGroups(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(r, "server takes")
		var taken []device.Mutation
		s := &script{push: func(req device.PushRequest) (*device.PushResponse, error) {
			if len(req.Mutations) > limit {
				return nil, refused(413, "push_too_large")
			}
			taken = append(taken, req.Mutations...)
			return accept(req, 1), nil
		}}
		d, err := device.Open(t.Context(), device.Options{Store: device.NewMemory(), Transport: s, BatchSize: rapid.IntRange(1, 9).Draw(r, "device sends")})
		if err != nil {
			r.Fatal(err)
		}
		want := 0
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 6), 1, 8).Draw(r, "groups") {
			changes := make([]device.Change, n)
			for i := range changes {
				changes[i] = device.Change{Op: device.Create, Key: device.Key{Kind: "note"}}
			}
			if _, err := d.Do(t.Context(), changes...); err != nil {
				r.Fatal(err)
			}
			if n <= limit {
				want += n
			}
		}
		if err := d.Push(t.Context()); err != nil {
			r.Fatal(err)
		}
		if len(taken) != want {
			r.Fatalf("%d mutations taken, want %d", len(taken), want)
		}
		checkCuts(r, s.pushes, d.Entries())
	})
}

func checkCuts(r *rapid.T, pushes []device.PushRequest, entries []device.Entry) {
	size := map[string]int{}
	order := map[uuid.UUID]uint64{}
	for _, e := range entries {
		size[e.Mutation.Group]++
		order[e.Mutation.ID] = e.Seq
	}
	for _, p := range pushes {
		in := map[string]int{}
		var last uint64
		for _, m := range p.Mutations {
			in[m.Group]++
			if order[m.ID] <= last {
				r.Fatal("out of order")
			}
			last = order[m.ID]
		}
		for g, n := range in {
			if g != "" && n != size[g] {
				r.Fatalf("%d of the %d mutations of a group", n, size[g])
			}
		}
	}
}

func TestAPushStaysBelowTheByteLimit(t *testing.T) {
	t.Parallel()
	s := &script{}
	d := open(t, device.Options{Transport: s})
	for i := range 10 {
		update(t, d, fmt.Sprint(i), device.Fields{"text": strings.Repeat("x", 1<<20)})
	}
	if err := d.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range s.pushes {
		if n := len(s.sent(i)); n > 3 {
			t.Errorf("%d MiB in one push", n)
		}
	}
	want(t, "waiting", phases(d, device.Waiting), []string{})
}

func TestTwoPushesAtOnceSendNothingTwice(t *testing.T) {
	t.Parallel()
	s := &script{}
	d := open(t, device.Options{Transport: s, BatchSize: 1})
	for i := range 20 {
		update(t, d, fmt.Sprint(i), device.Fields{"x": i})
	}
	done := make(chan error)
	for range 2 {
		go func() { done <- d.Push(context.Background()) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(s.pushes) != 20 {
		t.Errorf("%d pushes", len(s.pushes))
	}
}

func TestAnAcknowledgedChangeShowsUntilThePagesDo(t *testing.T) {
	t.Parallel()
	s := &script{push: func(req device.PushRequest) (*device.PushResponse, error) { return accept(req, 5), nil }}
	for name, tc := range map[string]struct {
		page device.Page
		want float64
	}{
		"an older page at its head": {device.Page{Head: 4}, 1},
		"a page before its end":     {device.Page{Head: 6, More: true}, 1},
		"an older copy":             {device.Page{Head: 4, Put: []device.Document{doc("a", "workspace", 4, `,"x":0`)}}, 1},
		"its own rev":               {device.Page{Head: 5, More: true, Put: []device.Document{doc("a", "workspace", 5, `,"x":3`)}}, 3},
		"a page at a later head":    {device.Page{Head: 6}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, device.Options{Transport: s})
			receive(t, d, "", device.Page{Cursor: "1", Put: []device.Document{doc("a", "workspace", 2, `,"x":0`)}})
			if m := update(t, d, "a", device.Fields{"x": 1.0}); m.Base != 2 {
				t.Errorf("base is %d", m.Base)
			}
			if err := d.Push(t.Context()); err != nil {
				t.Fatal(err)
			}
			tc.page.Cursor = "2"
			receive(t, d, "1", tc.page)
			if f, _, _ := d.Get(note("a")); f["x"] != tc.want {
				t.Errorf("shows %v, want %v", f["x"], tc.want)
			}
		})
	}
}

func TestAcknowledgedWorkIsKeptThirtyDays(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := open(t, device.Options{Transport: &script{}, Clock: now.Now})
	step := func(id string, wait time.Duration) {
		update(t, d, id, device.Fields{"x": 1})
		if err := d.Push(t.Context()); err != nil {
			t.Fatal(err)
		}
		receive(t, d, d.Condition().Cursor, device.Page{Cursor: id, Head: 1, Put: []device.Document{doc(id, "workspace", 1, `,"x":1`)}})
		now.Add(wait)
	}
	step("a", 29*24*time.Hour)
	step("b", 2*24*time.Hour)
	want(t, "kept after 29 days", phases(d, device.Acknowledged), []string{"a", "b"})
	step("c", 0)
	want(t, "kept after 31 days", phases(d, device.Acknowledged), []string{"b", "c"})
}
