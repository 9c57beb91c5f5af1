package tasks

import (
	"slices"
	"time"
)

// Category says what a state means to everybody who does not know the workflow.
type Category string

// The categories.
const (
	Planned   Category = "planned"   // the office's alone, not dispatched
	Open      Category = "open"      // dispatched and unfinished
	Done      Category = "done"      // finished, whatever came of it
	Cancelled Category = "cancelled" // will not be done
)

func categories() []string {
	return []string{string(Planned), string(Open), string(Done), string(Cancelled)}
}

// The states that rules know by name.
const (
	StateDraft      = "draft"
	StateScheduled  = "scheduled"
	StateDispatched = "dispatched"
	StateEnRoute    = "enRoute"
	StateInProgress = "inProgress"
	StateCompleted  = "completed"
	StateIncomplete = "incomplete"
	StateCancelled  = "cancelled"
)

// Workflow is the way tasks go: states and the transitions between them.
type Workflow struct {
	States      []State
	Transitions []Transition
	// Signature makes tasks ask for one unless their client lifts it.
	Signature bool
}

// State is one stop on the way.
type State struct {
	Name     string
	Category Category
}

// Transition is one step that may be taken.
type Transition struct {
	From, To string
	By       Party
	Reason   bool          // must be given
	Assignee bool          // the task must have an employee or a team
	Signed   bool          // the task's signature must be there where it is required
	Skips    bool          // the mover's profile must allow to skip en route
	Within   time.Duration // only so long after From was reached; 0: always
}

// Party says who may take a step.
type Party int

// The parties.
const (
	Anyone Party = iota // the office, and the technicians of the task
	ByOffice
	ByField
)

// reopening is how long a technician may take a completion back.
const reopening = 15 * time.Minute

// Simple is the workflow that is shipped.
func Simple() *Workflow {
	w := &Workflow{
		States: []State{
			{StateDraft, Planned}, {StateScheduled, Planned},
			{StateDispatched, Open}, {StateEnRoute, Open}, {StateInProgress, Open},
			{StateCompleted, Done}, {StateIncomplete, Done},
			{StateCancelled, Cancelled},
		},
		Transitions: []Transition{
			{From: StateDraft, To: StateScheduled, By: ByOffice},
			{From: StateScheduled, To: StateDispatched, By: ByOffice, Assignee: true},
			{From: StateDispatched, To: StateScheduled, By: ByOffice},
			{From: StateDispatched, To: StateScheduled, By: ByField, Reason: true},
			{From: StateDispatched, To: StateEnRoute},
			{From: StateEnRoute, To: StateDispatched},
			{From: StateDispatched, To: StateInProgress, By: ByOffice},
			{From: StateDispatched, To: StateInProgress, By: ByField, Skips: true},
			{From: StateEnRoute, To: StateInProgress},
			{From: StateInProgress, To: StateCompleted, Signed: true},
			{From: StateInProgress, To: StateIncomplete, Reason: true},
			{From: StateIncomplete, To: StateScheduled, By: ByOffice},
			{From: StateCompleted, To: StateInProgress, By: ByOffice},
			{From: StateCompleted, To: StateInProgress, By: ByField, Within: reopening},
			{From: StateCancelled, To: StateDraft, By: ByOffice},
		},
	}
	for _, from := range []string{StateDraft, StateScheduled, StateDispatched, StateEnRoute, StateInProgress} {
		w.Transitions = append(w.Transitions, Transition{From: from, To: StateCancelled, By: ByOffice, Reason: true})
	}
	return w
}

// Category of a state; "" if the workflow has no such state.
func (w *Workflow) Category(state string) Category {
	for _, s := range w.States {
		if s.Name == state {
			return s.Category
		}
	}
	return ""
}

// step finds the transition that a party may take; false if there is none.
func (w *Workflow) step(from, to string, office bool) (Transition, bool) {
	i := slices.IndexFunc(w.Transitions, func(t Transition) bool {
		return t.From == from && t.To == to && t.open(office)
	})
	if i < 0 {
		return Transition{}, false
	}
	return w.Transitions[i], true
}

// leadsTo says whether a party can reach the state by any step at all.
func (w *Workflow) leadsTo(to string, office bool) bool {
	return slices.ContainsFunc(w.Transitions, func(t Transition) bool { return t.To == to && t.open(office) })
}

func (t Transition) open(office bool) bool {
	return t.By == Anyone || (t.By == ByOffice) == office
}

func (w *Workflow) names() []string {
	out := make([]string, len(w.States))
	for i, s := range w.States {
		out[i] = s.Name
	}
	return out
}
