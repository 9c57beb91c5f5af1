package tasks

import (
	"reflect"
	"testing"
	"time"
)

func TestTheLedgerKnowsWhoHasWhat(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	show := func(employee string, n uint64) func(*ledger) {
		return func(l *ledger) { l.show("w", employee, n, at) }
	}
	await := func(task string, n uint64, employees ...string) func(*ledger) {
		return func(l *ledger) { l.await("w", waiting{task, n, n, employees}, at) }
	}
	for _, c := range []struct {
		name  string
		steps []func(*ledger)
		want  map[string]receipts
	}{
		{"shown after the dispatch", []func(*ledger){await("t", 5, "tom"), show("tom", 5)}, map[string]receipts{"t": {"tom": at}}},
		{"shown before the dispatch", []func(*ledger){await("t", 5, "tom"), show("tom", 4)}, nil},
		{"shown before the journal was read", []func(*ledger){show("tom", 5), await("t", 5, "tom")}, map[string]receipts{"t": {"tom": at}}},
		{"by another", []func(*ledger){await("t", 5, "tom"), show("uma", 9)}, nil},
		{"taken off the task", []func(*ledger){await("t", 5, "tom"), await("t", 6, "uma"), show("tom", 9)}, nil},
		{"edited after the dispatch", []func(*ledger){await("t", 5, "tom"), await("t", 8, "tom"), show("tom", 6)}, map[string]receipts{"t": {"tom": at}}},
		{"finished", []func(*ledger){await("t", 5, "tom"), await("t", 6), show("tom", 9)}, nil},
		{"two of each", []func(*ledger){await("t", 5, "tom", "uma"), await("u", 6, "tom"), show("tom", 6), show("uma", 5)},
			map[string]receipts{"t": {"tom": at, "uma": at}, "u": {"tom": at}}},
	} {
		l := newLedger()
		for _, step := range c.steps {
			step(l)
		}
		got := l.take()["w"]
		if len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if again := l.take(); len(again) != 0 {
			t.Errorf("%s: taken twice: %v", c.name, again)
		}
	}
}

func TestWorkspacesHaveTheirOwnBooks(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.await("a", waiting{"t", 5, 5, []string{"tom"}}, time.Time{})
	if l.show("b", "tom", 9, time.Time{}); len(l.take()) != 0 {
		t.Error("a cursor of one workspace was taken for another's")
	}
}

func TestReadingDoesNotOvertakeTheJournal(t *testing.T) {
	t.Parallel()
	l, at := newLedger(), time.Time{}
	l.show("w", "tom", 1, at)
	if got := l.begin(); !reflect.DeepEqual(got, []string{"w"}) {
		t.Fatalf("to be read at first: %v", got)
	}
	l.await("w", waiting{"t", 11, 11, []string{"uma"}}, at) // the journal, while the list was read
	l.await("w", waiting{"t", 10, 10, []string{"tom"}}, at) // the list
	l.outdate("w")                                          // a team changed meanwhile
	l.end("w", false)
	l.show("w", "tom", 20, at)
	l.show("w", "uma", 20, at)
	if got := l.take()["w"]; !reflect.DeepEqual(got, map[string]receipts{"t": {"uma": at}}) {
		t.Errorf("due: %v", got)
	}
	if got := l.begin(); len(got) != 1 {
		t.Error("the change of a team while reading was forgotten")
	}
	l.end("w", false)
	if got := l.begin(); len(got) != 0 {
		t.Errorf("read again without need: %v", got)
	}
}
