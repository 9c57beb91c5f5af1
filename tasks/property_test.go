package tasks_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
	"github.com/enroute-field/enroute/tasks"
)

// Whatever phones and consoles do to a task, and in whatever order it arrives:
// each state that a phone reports and is not told off for stands on the task;
// what does not fit is before the office; and the state is where the legal
// steps lead.
func TestNoReportedStateIsLost(t *testing.T) {
	t.Parallel()
	w := world(t)
	cursors := map[sync.Actor]string{tom: "", uma: ""}
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		id := fmt.Sprintf("t%d", round)
		w.MustWrite(denis, enginetest.Create("task", id, sync.Fields{
			"clientId": "roy", "state": "dispatched", "employeeIds": []any{"tom", "uma"}}))
		for phone, cursor := range cursors {
			_, cursors[phone] = w.Pull(phone, cursor)
		}
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			w.Clock.Advance(time.Duration(rapid.IntRange(0, 20).Draw(rt, "minutes")) * time.Minute)
			change(rt, w, id)
			checkTask(rt, w, id)
		}
	})
}

// change something about the task, and check that a report adds an event.
func change(t *rapid.T, w *enginetest.World, id string) {
	if rapid.IntRange(0, 4).Draw(t, "reassign") == 0 {
		who := rapid.SampledFrom([][]any{{"tom"}, {"uma"}, {"tom", "uma"}, {"tim"}}).Draw(t, "who")
		w.MustWrite(denis, enginetest.Update("task", id, 0, sync.Fields{"employeeIds": who}))
		return
	}
	states := []string{"draft", "scheduled", "dispatched", "enRoute", "inProgress", "completed", "incomplete", "cancelled"}
	m := enginetest.Update("task", id, 0, sync.Fields{
		"state": rapid.SampledFrom(states).Draw(t, "state"), "reason": "because",
	})
	at := w.Clock.Now().Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "ago")) * time.Minute)
	m.At = &at
	by := rapid.SampledFrom([]sync.Actor{tom, uma, denisPhone, denis}).Draw(t, "by")
	before := w.Fields("task", id)
	if by == denis {
		_ = w.Write(by, m) // from a console it is done or refused
		return
	}
	res := w.PushOne(by, m)
	added := len(members.Objects(w.Fields("task", id), "events")) - len(members.Objects(before, "events"))
	repeated := by == denisPhone && before["state"] == m.Set["state"]
	if res.Status != sync.Rejected && !repeated && added != 1 {
		t.Fatalf("%s reported %v from %v: %s, and %d events", by.User, m.Set["state"], before["state"], res.Status, added)
	}
}

func checkTask(t *rapid.T, w *enginetest.World, id string) {
	f := w.Fields("task", id)
	events := members.Objects(f, "events")
	state, flagged := walk(t, events), 0
	for _, e := range events {
		if e["flagged"] == true {
			flagged++
		}
	}
	if f["state"] != state {
		t.Fatalf("state is %v, the events lead to %s: %v", f["state"], state, events)
	}
	if got := string(tasks.Simple().Category(state)); f["category"] != got {
		t.Fatalf("category is %v, want %s", f["category"], got)
	}
	if got := cases(t, w, id); got != flagged {
		t.Fatalf("%d flagged events, %d cases before the office", flagged, got)
	}
}

// cases are the conflicts about the task's state that somebody must decide.
func cases(t *rapid.T, w *enginetest.World, id string) int {
	is := func(field, value string) sync.Filter {
		return sync.Filter{Field: field, Op: sync.Equal, Values: []sync.Entry{{Field: field, Exact: value, Order: value}}}
	}
	page, err := w.List(t.Context(), denis, sync.ListRequest{
		Kind: "conflict", Filters: []sync.Filter{is("docId", id), is("level", sync.LevelDecide)}})
	if err != nil {
		t.Fatalf("list the conflicts: %v", err)
	}
	return page.Total
}

// walk along the events that moved the task, each of which must be a step
// from where it was.
func walk(t *rapid.T, events []map[string]any) string {
	state := ""
	for _, e := range events {
		if e["moved"] != true {
			continue
		}
		to := members.Text(e, "state")
		legal := state == "" || slices.ContainsFunc(tasks.Simple().Transitions, func(s tasks.Transition) bool {
			return s.From == state && s.To == to
		})
		if !legal || members.Text(e, "from") != state {
			t.Fatalf("moved from %s to %s by %v", state, to, e)
		}
		state = to
	}
	return state
}
