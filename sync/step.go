package sync

import "slices"

// A step takes a device from the view at commit n to the view at commit t. It
// is a sequence of rows in a fixed order, cut into pages anywhere:
//
//  1. drop of every scope held at n but not throughout [n, t];
//  2. remove of every document that left, in (n, t], a scope held throughout
//     [n, t], wherever it is now;
//  3. put, by scope and document, of the scopes held at t: every document
//     where the scope was not held throughout [n, t], else those changed
//     after n. A scope not held throughout [t, head] gives none: the next
//     step drops or renews it.
//
// Rows come from the present state, whatever page of the step is asked for. A
// document that changed after t is sent as it is now, and again by the next
// step; one that left after t is removed by the next.
type step struct {
	s    *state
	p    *principal
	n, t uint64
	from place
	room int // rows that still fit
	rows []row
	docs []uint32 // scratch of putScope
	last place    // of the newest row
	full bool     // a row did not fit
}

// phases of a step, in order.
const (
	phaseDrop = iota + 1
	phaseRemove
	phasePut
)

// place is a row's position in the order of its step; the zero place is
// before the first.
type place struct {
	phase uint8
	scope uint32
	doc   uint32
}

func (a place) before(b place) bool {
	if a.phase != b.phase {
		return a.phase < b.phase
	}
	if a.scope != b.scope {
		return a.scope < b.scope
	}
	return a.doc < b.doc
}

// row is one line of a page before bodies are read.
type row struct {
	at    place
	scope string
	key   Key
	rev   uint64
}

// rows of the step after place from, at most limit. done says that nothing
// follows.
func (s *state) rows(p *principal, n, t uint64, from place, limit int) (rows []row, last place, done bool) {
	st := &step{s: s, p: p, n: n, t: t, from: from, room: limit, last: from}
	if n > 0 && from.phase <= phaseDrop {
		st.drops()
	}
	if n > 0 && from.phase <= phaseRemove {
		st.removes()
	}
	st.puts()
	return st.rows, st.last, !st.full
}

// add appends a row unless it was on an earlier page; it is false when the
// page is full.
func (st *step) add(at place, r row) bool {
	if !st.from.before(at) {
		return true
	}
	if st.room == 0 {
		st.full = true
		return false
	}
	st.room--
	st.last = at
	r.at = at
	st.rows = append(st.rows, r)
	return true
}

func (st *step) drops() {
	for _, n := range st.leftScopes() {
		if st.full {
			return
		}
		if st.hadSome(n) && st.s.heldAt(st.p, n, st.n) && !st.s.covered(st.p, n, st.n, st.t) {
			st.add(place{phase: phaseDrop, scope: n}, row{scope: st.s.scopes[n].name})
		}
	}
}

// hadSome says whether the scope may have had a document at n: it has one
// now, or one left it since. Others need no drop.
func (st *step) hadSome(n uint32) bool {
	sc := &st.s.scopes[n]
	return sc.docs.first != none || st.leftAfter(n)
}

// leftAfter says whether a document left the scope after n.
func (st *step) leftAfter(n uint32) bool {
	gone := st.s.gone[n]
	return len(gone) > 0 && gone[len(gone)-1].rev > st.n
}

// leftScopes are the numbers, sorted, of the scopes that may have been lost
// after n: those a held set lost, and all of a set that was lost itself.
func (st *step) leftScopes() []uint32 {
	var found []uint32
	st.p.holdings(func(set uint32, sp span) bool {
		switch {
		case sp.from > st.n || sp.to <= st.n: // not held at n
		case sp.to > st.t:
			found = st.lossesAfter(set, st.n, found)
		case set == everythingSet:
			for n := range st.s.scopes {
				found = append(found, uint32(n))
			}
		default:
			found = st.lossesAfter(set, st.n, found)
			for n := range st.s.sets[set].at {
				found = append(found, n)
			}
		}
		return true
	})
	return sortedOnce(found)
}

// sortedOnce sorts the numbers and leaves out repetitions, in place.
func sortedOnce(numbers []uint32) []uint32 {
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// lossesAfter adds the scopes that a set lost after commit n.
func (st *step) lossesAfter(set uint32, n uint64, found []uint32) []uint32 {
	lost := st.s.sets[set].lost
	for i := len(lost) - 1; i >= 0 && lost[i].rev > n; i-- {
		found = append(found, lost[i].scope)
	}
	return found
}

func (st *step) removes() {
	var left []uint32
	for _, n := range st.stirred() {
		if !st.leftAfter(n) || !st.s.covered(st.p, n, st.n, st.t) {
			continue
		}
		gone := st.s.gone[n]
		for i := len(gone) - 1; i >= 0 && gone[i].rev > st.n; i-- {
			if gone[i].rev <= st.t {
				left = append(left, gone[i].doc)
			}
		}
	}
	for _, n := range sortedOnce(left) {
		if st.full {
			return
		}
		st.add(place{phase: phaseRemove, doc: n}, row{key: st.s.key(n)})
	}
}

// stirred are the numbers of the scopes that changed after n in any set held
// since n.
func (st *step) stirred() []uint32 {
	var found []uint32
	st.p.holdings(func(set uint32, sp span) bool {
		if sp.to > st.n {
			found = st.touchedAfter(set, st.n, found)
			found = st.lossesAfter(set, st.n, found)
		}
		return true
	})
	return sortedOnce(found)
}

// touchedAfter adds the scopes of a set that it gained, or that changed,
// after commit n.
func (st *step) touchedAfter(set uint32, n uint64, found []uint32) []uint32 {
	if set == everythingSet {
		for sc := st.s.order.last; sc != none && st.s.scopes[sc].changed > n; sc = st.s.scopes[sc].link.prev {
			found = append(found, sc)
		}
		return found
	}
	for m := st.s.sets[set].newest(); m != nil && m.touched > n; m = st.s.sets[set].before(m) {
		found = append(found, m.scope)
	}
	return found
}

func (st *step) puts() {
	if st.full {
		return
	}
	st.eachHeld(func(n uint32) bool {
		if st.n > 0 && st.s.holdsNow(st.p, n, st.n) {
			return st.putScope(n, true) // held from n to now: nearly always, and half of what covered costs
		}
		head := st.s.head.Number
		if !st.s.covered(st.p, n, st.t, head) {
			return true
		}
		return st.putScope(n, st.n > 0 && st.s.covered(st.p, n, st.n, st.t))
	})
}

// putScope adds the documents of a scope: those changed after n, or all.
func (st *step) putScope(n uint32, onlyChanged bool) bool {
	if onlyChanged && st.s.scopes[n].changed <= st.n {
		return true
	}
	docs := st.docs[:0]
	for d := st.s.scopes[n].docs.last; d != none; d = st.s.docs[d].link.prev {
		if onlyChanged && st.s.docs[d].rev <= st.n {
			break
		}
		docs = append(docs, d)
	}
	slices.Sort(docs)
	st.docs = docs
	for _, d := range docs {
		if !st.add(place{phasePut, n, d}, row{key: st.s.key(d), rev: st.s.docs[d].rev}) {
			return false
		}
	}
	return true
}

// eachHeld calls yield, in order, for the scopes from the step's place on
// that may have puts, until it is false.
func (st *step) eachHeld(yield func(uint32) bool) {
	whole := 0 // scopes in sets that are new to the device
	for _, h := range st.p.sets {
		if st.n > 0 && h.since <= st.n {
			continue
		}
		if h.set == everythingSet {
			whole = len(st.s.scopes)
		} else {
			whole += st.s.sets[h.set].size()
		}
	}
	if whole > len(st.s.scopes)/8 && whole > 1000 {
		st.scanHeld(yield)
		return
	}
	var found []uint32
	for _, h := range st.p.sets {
		after := st.n
		if h.since > st.n {
			after = 0
		}
		found = st.touchedAfter(h.set, after, found)
	}
	st.rows = slices.Grow(st.rows, min(len(found), st.room))
	for _, n := range sortedOnce(found) {
		if n >= st.firstPut() && !yield(n) {
			return
		}
	}
}

// scanHeld looks through all scopes by number: cheaper than sorting when most
// are held, and each page goes on where the last one ended.
func (st *step) scanHeld(yield func(uint32) bool) {
	for n := st.firstPut(); n < uint32(len(st.s.scopes)); n++ {
		if st.s.scopes[n].docs.first != none && st.s.holdsNow(st.p, n, forever) && !yield(n) {
			return
		}
	}
}

func (st *step) firstPut() uint32 {
	if st.from.phase == phasePut {
		return st.from.scope
	}
	return 0
}
