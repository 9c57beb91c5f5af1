package simulate

import (
	"maps"
	"slices"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/sync"
)

// Sabotage names a rule that is left out, to prove that it is missed. The
// zero Sabotage leaves out none.
type Sabotage string

// The rules that can be left out.
const (
	NoDepartures  Sabotage = "departures"  // what leaves a scope is remembered
	NoMoves       Sabotage = "moves"       // also when it moves to another scope
	NoIntervals   Sabotage = "intervals"   // what was revoked is remembered
	NoOutcomes    Sabotage = "outcomes"    // a mutation has its effect once
	NoHistory     Sabotage = "history"     // a cursor is of this history
	NoSteps       Sabotage = "steps"       // a page never crosses from one step into the next
	NoLatePages   Sabotage = "late-pages"  // a device takes only the page it asked for last
	NoUnconfirmed Sabotage = "unconfirmed" // readers see only what Append has confirmed
	// Of several nodes:
	NoTenure    Sabotage = "tenure"    // only who holds the seat answers from memory
	NoConfirm   Sabotage = "confirm"   // who meets what another wrote asks whether the seat is still its own
	NoBeginning Sabotage = "beginning" // a tenure begins with a commit
	NoDoubt     Sabotage = "doubt"     // after a conflict the journal is read on
	NoConflicts Sabotage = "conflicts" // an append on another head is refused
	NoSurrender Sabotage = "surrender" // who loses the seat ends the streams
)

// omission is what a sabotage leaves out, of engine, device and nodes.
type omission struct {
	engine sync.Faults
	device device.Faults
	nodes  carelessness
}

// carelessness is what is left out of how several nodes work together.
type carelessness struct {
	tenure, confirm, conflicts, surrender bool
}

func omissions() map[Sabotage]omission {
	return map[Sabotage]omission{
		"":            {},
		NoDepartures:  {engine: sync.Faults{ForgetDepartures: true}},
		NoMoves:       {engine: sync.Faults{ForgetMoves: true}},
		NoIntervals:   {engine: sync.Faults{ForgetIntervals: true}},
		NoOutcomes:    {engine: sync.Faults{ForgetOutcomes: true}},
		NoHistory:     {engine: sync.Faults{TrustCursors: true}},
		NoSteps:       {engine: sync.Faults{CrossSteps: true}},
		NoLatePages:   {device: device.Faults{TakeLatePages: true}},
		NoUnconfirmed: {engine: sync.Faults{ShowUnconfirmed: true}},
		NoTenure:      {nodes: carelessness{tenure: true}},
		NoConfirm:     {nodes: carelessness{confirm: true}},
		NoBeginning:   {engine: sync.Faults{SilentTenures: true}},
		NoDoubt:       {engine: sync.Faults{NeverDoubt: true}},
		NoConflicts:   {nodes: carelessness{conflicts: true}},
		NoSurrender:   {nodes: carelessness{surrender: true}},
	}
}

// Nodes of a server that needs the rule which is left out.
func (s Sabotage) Nodes() int {
	switch s {
	case NoTenure, NoConfirm, NoBeginning, NoDoubt, NoConflicts, NoSurrender:
		return 3
	}
	return 1
}

// Sabotages are all there are, by name.
func Sabotages() []Sabotage {
	all := omissions()
	delete(all, "")
	return slices.Sorted(maps.Keys(all))
}
