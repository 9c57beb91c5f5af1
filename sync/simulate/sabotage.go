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
)

// omission is what a sabotage leaves out, of engine and device.
type omission struct {
	engine sync.Faults
	device device.Faults
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
	}
}

// Sabotages are all there are, by name.
func Sabotages() []Sabotage {
	all := omissions()
	delete(all, "")
	return slices.Sorted(maps.Keys(all))
}
