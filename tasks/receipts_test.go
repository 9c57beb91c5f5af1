package tasks_test

import (
	"context"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// comesBack is a phone that pulls what there is, stores the cursor and comes
// back with it.
func comesBack(w *enginetest.World, a sync.Actor) {
	_, cursor := w.Pull(a, "")
	w.Pull(a, cursor)
}

// awaitReceipt waits until the task t has a receipt of the employee.
func awaitReceipt(t *testing.T, w *enginetest.World, employee string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, cursor := w.Pull(denis, "")
	stream, err := w.Live(ctx, denis, cursor)
	if err != nil {
		t.Fatalf("live: %v", err)
	}
	defer stream.Close()
	for {
		receipt := members.Object(members.Object(w.Fields("task", "t"), "receipts"), employee)
		if receipt != nil {
			return receipt
		}
		if _, err := stream.Next(ctx); err != nil {
			t.Fatalf("no receipt of %s: %v", employee, err)
		}
	}
}

// receiptsOf the task t.
func receiptsOf(w *enginetest.World) map[string]any {
	return members.Object(w.Fields("task", "t"), "receipts")
}

func TestATaskIsReceivedWhenItsPhoneCameBack(t *testing.T) {
	t.Parallel()
	w := withReceipts(t)
	comesBack(w, tom)
	task(t, w, "dispatched", "tom", "uma")
	comesBack(w, tom)
	if got := awaitReceipt(t, w, "tom")["receivedAt"]; got != members.Instant(noon) {
		t.Errorf("received at %v", got)
	}
	comesBack(w, tom)
	comesBack(w, enginetest.Console("uma")) // not a device
	head := headOf(t, w)
	w.Restart() // writes what is due
	if got := headOf(t, w); got != head {
		t.Errorf("the head went from %d to %d without anything new", head, got)
	}
	if got := receiptsOf(w); len(got) != 1 {
		t.Errorf("receipts: %v, want Tom's only", got)
	}
}

func headOf(t *testing.T, w *enginetest.World) uint64 {
	t.Helper()
	head, err := w.Head(t.Context())
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	return head.Number
}

func TestAPullWithoutComingBackIsNoReceipt(t *testing.T) {
	t.Parallel()
	w := withReceipts(t)
	task(t, w, "dispatched", "tom")
	w.Pull(tom, "") // its answer may have been lost
	w.Restart()
	if got := receiptsOf(w); got != nil {
		t.Errorf("receipts: %v", got)
	}
}

func TestReceiptsAfterARestartAndByTeam(t *testing.T) {
	t.Parallel()
	w := withReceipts(t)
	w.MustWrite(denis, enginetest.Create("task", "t", sync.Fields{"state": "dispatched", "teamIds": []any{"north"}}))
	w.Restart()
	comesBack(w, uma)
	awaitReceipt(t, w, "uma")
	comesBack(w, tim)
	w.MustWrite(denis, enginetest.Update("team", "north", 0, sync.Fields{"memberIds": []any{"tim", "tom"}}))
	comesBack(w, tom)
	awaitReceipt(t, w, "tom")
	if got := receiptsOf(w)["tim"]; got != nil {
		t.Errorf("what he had before he was in the team counts as a receipt: %v", got)
	}
	comesBack(w, tim)
	awaitReceipt(t, w, "tim")
}

func TestADispatchAnewAsksAnew(t *testing.T) {
	t.Parallel()
	w := withReceipts(t)
	task(t, w, "dispatched", "tom")
	comesBack(w, tom)
	awaitReceipt(t, w, "tom")
	opened := map[string]any{"tom": map[string]any{"openedAt": "2026-11-21T12:00:00Z"}}
	expectRefused(t, "opened", w.PushOne(tom, seen(enginetest.Update("task", "t", 0, sync.Fields{"receipts": opened}))), "")
	if got := members.Object(receiptsOf(w), "tom"); got["openedAt"] == nil || got["receivedAt"] == nil {
		t.Errorf("received and opened: %v", got)
	}
	w.MustWrite(denis, step("scheduled", ""), step("dispatched", ""))
	if got := receiptsOf(w); got != nil {
		t.Errorf("of the dispatch before: %v", got)
	}
	comesBack(w, tom)
	awaitReceipt(t, w, "tom")
}
