package tasks

import (
	"testing"
)

func TestSimpleIsTheWayTasksGo(t *testing.T) {
	t.Parallel()
	const office, field = true, false
	w := Simple()
	legal := map[[2]string][2]bool{ // from, to: by office, by field
		{StateDraft, StateScheduled}:       {true, false},
		{StateDraft, StateCancelled}:       {true, false},
		{StateScheduled, StateDispatched}:  {true, false},
		{StateScheduled, StateCancelled}:   {true, false},
		{StateDispatched, StateScheduled}:  {true, true},
		{StateDispatched, StateEnRoute}:    {true, true},
		{StateDispatched, StateInProgress}: {true, true},
		{StateDispatched, StateCancelled}:  {true, false},
		{StateEnRoute, StateDispatched}:    {true, true},
		{StateEnRoute, StateInProgress}:    {true, true},
		{StateEnRoute, StateCancelled}:     {true, false},
		{StateInProgress, StateCompleted}:  {true, true},
		{StateInProgress, StateIncomplete}: {true, true},
		{StateInProgress, StateCancelled}:  {true, false},
		{StateCompleted, StateInProgress}:  {true, true},
		{StateIncomplete, StateScheduled}:  {true, false},
		{StateCancelled, StateDraft}:       {true, false},
	}
	for _, from := range w.names() {
		for _, to := range w.names() {
			want := legal[[2]string{from, to}]
			if _, ok := w.step(from, to, office); ok != want[0] {
				t.Errorf("office, %s to %s: %v", from, to, ok)
			}
			if _, ok := w.step(from, to, field); ok != want[1] {
				t.Errorf("field, %s to %s: %v", from, to, ok)
			}
		}
	}
}

func TestReasonsAreAskedWhereSomebodyWillWonder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		office   bool
		want     bool
	}{
		{StateDispatched, StateScheduled, false, true},
		{StateDispatched, StateScheduled, true, false},
		{StateInProgress, StateIncomplete, false, true},
		{StateScheduled, StateCancelled, true, true},
		{StateInProgress, StateCompleted, false, false},
		{StateEnRoute, StateDispatched, false, false},
	} {
		step, ok := Simple().step(c.from, c.to, c.office)
		if !ok || step.Reason != c.want {
			t.Errorf("%s to %s, office %v: found %v, reason %v", c.from, c.to, c.office, ok, step.Reason)
		}
	}
}

func TestEveryStateOfAWorkflowHasACategoryAndAWayIn(t *testing.T) {
	t.Parallel()
	w := Simple()
	for _, name := range w.names() {
		if w.Category(name) == "" {
			t.Errorf("%s has no category", name)
		}
		if !w.leadsTo(name, true) && !w.leadsTo(name, false) {
			t.Errorf("nothing leads to %s", name)
		}
	}
	if got := w.Category("onSite"); got != "" {
		t.Errorf("a state that Simple leaves out has category %q", got)
	}
}
