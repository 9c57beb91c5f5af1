// Package sync is the engine: it keeps, per workspace, a journal of numbered
// commits, and reads everything else off it. It knows no domain; domains
// register kinds of documents with their rules (Kind).
//
// # Writing
//
// A workspace has one writer (writing.go). It takes the requests that wait,
// evaluates them one after another on an overlay over the confirmed state
// (batch, work, tx), and appends the resulting commits in one durable step.
// Store.Append is a compare-and-set on the head, so every rule that spans
// documents is checked against exactly the state it lands on. Only then is
// the state changed, and only then is anybody answered: readers never see what
// could still be lost. An append whose outcome is unknown is repeated with the
// same commits until the store knows; if it cannot be settled, the state is
// loaded anew and the askers are told to come again. Their mutation ids make
// that harmless: each has one outcome, kept in the commit that holds its effect.
//
// # Who sees what
//
// Each document is in one scope. Principals hold sets, sets hold scopes
// (sets.go); a principal sees the documents of the scopes that any of his sets
// holds. Both edges carry the spans of commits during which they stood, so
// that what somebody held at an earlier commit can be read off the present
// state. Scopes remember what left them (departures).
//
// # Reading
//
// A cursor is (n, t, p): the device equals the view at commit n, and has the
// rows of the step from n to t up to place p (step.go says which rows, in
// which order). Why that is enough, whatever happens between two pages:
//
//   - Rows are computed from the present, not from t. What a row says about a
//     document may therefore be newer than t, never older; the next step, from
//     t on, sends that document again, since its rev is greater than t.
//   - A scope that was held at t and is not held without a gap until now gives
//     no documents: the next step begins with its drop, or, if it was gained
//     again, with its drop and all of it anew. Sending some of it now could
//     leave a document behind that left the scope during the gap.
//   - A document that left a scope leaves a departure there. If the scope was
//     held throughout, the device may have it under that scope, so it is
//     removed, wherever it is now; if it is in another scope that is held, the
//     puts of the same step, which come later, bring it back.
//   - A page never crosses from one step into the next, so that drops and
//     removes of a step are always applied before its puts, and those of the
//     next step after them.
//   - Numbers of documents and scopes are given in the order in which the
//     journal first names them, so a place means the same on every node and
//     after every restart.
//
// views_test.go checks this against a brute-force model over thousands of
// random histories, with small pages, lost answers and restarts.
//
// # Time
//
// The workspace's date is part of the state: it moves by a commit, made before
// anything is answered under it, so that a view is a pure function of the
// journal up to its number.
package sync
