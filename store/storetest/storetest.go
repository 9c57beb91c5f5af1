// Package storetest is the conformance suite of sync.Store: what its comments
// promise, checked on a real store. Every store runs it in its own tests, and
// who changes the port extends it.
package storetest

import (
	"testing"

	"github.com/enroute-field/enroute/sync"
)

// Opener opens the store that lives at place, a folder of its own, making it
// if there is none. It is called again with the same place after Close, to see
// what was kept.
type Opener func(t *testing.T, place string, idx sync.Indexer) sync.Store

// Run runs the whole suite, each test on stores of its own.
func Run(t *testing.T, open Opener) {
	t.Helper()
	RunCore(t, open)
	RunLists(t, open)
	run(t, open, map[string]func(*testing.T, *bench){"ListTotals": testListTotals})
}

// RunCore runs the part that is not about lists: for what only passes calls
// on to a store that runs all.
func RunCore(t *testing.T, open Opener) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, *bench){
		"Unknown":              testUnknown,
		"AppendedIsThere":      testAppendedIsThere,
		"JournalBounds":        testJournalBounds,
		"JournalYieldError":    testJournalYieldError,
		"Conflict":             testConflict,
		"Repeat":               testRepeat,
		"Consecutive":          testConsecutive,
		"FirstOutcomeStays":    testFirstOutcomeStays,
		"Rivals":               testRivals,
		"Neighbours":           testNeighbours,
		"Isolation":            testIsolation,
		"LargeCommit":          testLargeCommit,
		"CancelledAppend":      testCancelledAppend,
		"ResultsBelongToYou":   testResultsBelongToYou,
		"ReopenKeeps":          testReopenKeeps,
		"ClosedRefuses":        testClosedRefuses,
		"CloseFreesWhoWaits":   testCloseFreesWhoWaits,
		"Checkpoint":           testCheckpoint,
		"CheckpointUnderWrite": testCheckpointUnderWrite,
		"Notes":                testNotes,
		"Revisions":            testRevisions,
		"StagedIsCitizen":      testStagedIsCitizen,
		"Promote":              testPromote,
		"PromoteToNothing":     testPromoteToNothing,
		"PromoteRefuses":       testPromoteRefuses,
		"PromoteUnderAppends":  testPromoteUnderAppends,
		"PromoteAgain":         testPromoteAgain,
		"Drop":                 testDrop,
		"IndexerFails":         testIndexerFails,
	})
}

// RunLists runs the part about small lists. A store that answers them in
// several ways runs it for each.
func RunLists(t *testing.T, open Opener) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, *bench){
		"ListIsModel":          testListIsModel,
		"ListReadsYourWrites":  testListReadsYourWrites,
		"ListPagesUnderWrites": testListPagesUnderWrites,
		"ListHeadNotThere":     testListHeadNotThere,
		"Search":               testSearch,
		"NewIndexer":           testNewIndexer,
	})
}

func run(t *testing.T, open Opener, tests map[string]func(*testing.T, *bench)) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newBench(t, open))
		})
	}
}

// kinds of the suite's documents.
func kinds(t *testing.T, clientFields ...sync.Field) *sync.Registry {
	t.Helper()
	scope := func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "client:" + id, nil }
	r, err := sync.NewRegistry(
		&sync.Kind{Name: "client", Fields: clientFields, Scope: scope},
		&sync.Kind{Name: "note", Fields: []sync.Field{{Name: "name", Type: sync.Text, Filter: true}}, Scope: scope},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// clientFields are of every type that lists treat differently.
func clientFields() []sync.Field {
	return []sync.Field{
		{Name: "name", Type: sync.Text, Filter: true, Search: true},
		{Name: "phone", Type: sync.Phone, Filter: true, Search: true},
		{Name: "note", Type: sync.LongText, Search: true},
		{Name: "visits", Type: sync.Number, Filter: true},
		{Name: "disabled", Type: sync.Boolean, Filter: true},
		{Name: "since", Type: sync.Date, Filter: true},
		{Name: "tags", Type: sync.Texts, Filter: true},
		{Name: "custom", Type: sync.Object, Filter: true},
	}
}
