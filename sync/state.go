package sync

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"
)

// none stands for no number.
const none = ^uint32(0)

// state is all that the engine keeps in memory of a workspace: for each
// document its key, rev, scope and facts, but not its body; for each scope its
// documents in the order of their revs and what left it; the sets (sets.go)
// and who holds them (principals.go).
//
// It is a pure function of the journal up to head, but for entries older than
// the horizon, which checkpoints leave out. Documents, scopes and holders are
// known by numbers given in the order in which the journal first names them;
// numbers are never reused, so that a cursor's position stays valid on every
// node and across restarts.
//
// Only the workspace's writer changes it, under the workspace's lock.
type state struct {
	reg     *Registry
	faults  Faults
	head    Head
	horizon uint64 // history before this commit is forgotten
	secret  []byte // signs cursors; derived from the nonce of the first commit

	day      string
	dayNum   int32
	location *time.Location

	docs   []doc
	docNum map[Key]uint32
	unique map[uint64][]uint32 // unique hash to live documents
	// referrers of a document: those whose facts name it.
	referrers map[uint32][]uint32
	ranged    map[uint32]struct{} // documents with grants bound to days
	groups    []uint32            // live documents with members

	scopes   []scope
	scopeNum map[string]uint32
	order    chain  // scopes but the private one, by last change
	changed  uint64 // last commit that changed one of them
	private  uint32
	total    Digest // of all scopes but the private one

	holders    []holder
	holderNum  map[string]uint32
	sets       []*set
	principals map[string]*principal
}

// doc is what the state keeps of a document. Its rev is 0 as long as it has
// only been referred to.
type doc struct {
	id      string
	kind    string
	rev     uint64
	facts   *links
	scope   uint32
	link    link // neighbours in its scope, by rev
	deleted bool
}

// scope is a set of documents that are seen together.
type scope struct {
	name    string
	docs    chain
	digest  Digest
	changed uint64 // last commit that put or removed a document
	link    link   // neighbours in state.order
	in      []uint32
	gone    []departure
}

// departure tells that a document left a scope. It is forgotten when the
// document comes back.
type departure struct {
	doc uint32
	rev uint64
}

const (
	everythingSet = 0 // number of the set of all scopes but the private one
	openSet       = 1 // number of the set of scopes whose document is open
)

func newState(reg *Registry, faults Faults) *state {
	s := &state{
		reg: reg, faults: faults, location: time.UTC,
		docNum: map[Key]uint32{}, unique: map[uint64][]uint32{},
		referrers: map[uint32][]uint32{}, ranged: map[uint32]struct{}{},
		scopeNum: map[string]uint32{}, holderNum: map[string]uint32{},
		principals: map[string]*principal{}, order: emptyChain,
	}
	s.sets = []*set{newSet(none, window{}), newSet(none, window{})}
	s.private = s.scopeNumber(ScopePrivate)
	return s
}

// number of a document, given at its first mention.
func (s *state) number(key Key) uint32 {
	if n, ok := s.docNum[key]; ok {
		return n
	}
	n := uint32(len(s.docs))
	s.docs = append(s.docs, doc{id: key.ID, kind: s.kindName(key.Kind), scope: none})
	s.docNum[Key{s.docs[n].kind, key.ID}] = n
	return n
}

// kindName gives one shared string for a kind's name.
func (s *state) kindName(name string) string {
	if k := s.reg.byName[name]; k != nil {
		return k.Name
	}
	return name
}

func (s *state) key(n uint32) Key { return Key{s.docs[n].kind, s.docs[n].id} }

func (s *state) live(n uint32) bool { return s.docs[n].rev > 0 && !s.docs[n].deleted }

func (s *state) scopeNumber(name string) uint32 {
	if n, ok := s.scopeNum[name]; ok {
		return n
	}
	n := uint32(len(s.scopes))
	s.scopes = append(s.scopes, scope{name: name, docs: emptyChain})
	s.scopeNum[name] = n
	return n
}

func (s *state) docLink(n uint32) *link   { return &s.docs[n].link }
func (s *state) scopeLink(n uint32) *link { return &s.scopes[n].link }

// The methods of base.

func (s *state) find(key Key) (found, bool) {
	n, ok := s.docNum[key]
	if !ok || s.docs[n].rev == 0 {
		return found{}, false
	}
	d := &s.docs[n]
	return found{doc: n, rev: d.rev, scope: s.scopes[d.scope].name, deleted: d.deleted}, true
}

func (s *state) byUnique(hash uint64) []Key {
	var out []Key
	for _, n := range s.unique[hash] {
		out = append(out, s.key(n))
	}
	return out
}

func (s *state) referrersOf(key Key, kind string) []Key {
	n, ok := s.docNum[key]
	if !ok {
		return nil
	}
	var out []Key
	for _, r := range s.referrers[n] {
		if kind == "" || s.docs[r].kind == kind {
			out = append(out, s.key(r))
		}
	}
	sortKeys(out)
	return out
}

func (s *state) inScope(name string) []Key {
	n, ok := s.scopeNum[name]
	if !ok {
		return nil
	}
	var out []Key
	for d := s.scopes[n].docs.first; d != none; d = s.docs[d].link.next {
		out = append(out, s.key(d))
	}
	sortKeys(out)
	return out
}

// keys of the live documents of a kind, sorted.
func (s *state) keys(kind string) []Key {
	var out []Key
	for n := range s.docs {
		if s.docs[n].kind == kind && s.live(uint32(n)) {
			out = append(out, s.key(uint32(n)))
		}
	}
	sortKeys(out)
	return out
}

func (s *state) today() (string, int32) { return s.day, s.dayNum }
func (s *state) zone() *time.Location   { return s.location }

// writerBase is the state as the writer's base: with access to the store for
// the times of old commits.
type writerBase struct {
	*state
	chain *history
}

func (b writerBase) referrers(key Key, kind string) []Key { return b.referrersOf(key, kind) }

func (b writerBase) timeOf(ctx context.Context, number uint64) (time.Time, error) {
	if number == 0 {
		return time.Time{}, nil
	}
	l, err := b.chain.at(ctx, number)
	if err != nil {
		return time.Time{}, fmt.Errorf("time of commit %d: %w", number, err)
	}
	return l.at, nil
}

var _ base = writerBase{}

func sortKeys(keys []Key) {
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].Kind != keys[j].Kind {
			return keys[i].Kind < keys[j].Kind
		}
		return keys[i].ID < keys[j].ID
	})
}

// without removes the first x from list, keeping the order.
func without(list []uint32, x uint32) []uint32 {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
