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

	docs    []doc
	kinds   []string // their kinds by number
	kindNum map[string]uint16
	byKey   hashed // documents by hash of their keys
	unique  hashed // live documents by unique hash
	rare    map[uint32]rare
	texts   texts // ids and names of scopes
	names   names
	// referrers of a document: those whose facts name it.
	referrers map[uint32][]uint32
	ranged    map[uint32]struct{} // documents with grants bound to days
	groups    []uint32            // live documents with members

	scopes  []scope
	byName  hashed                 // scopes by hash of their names
	gone    map[uint32][]departure // by scope, in order of rev
	order   chain                  // scopes but the private one, by last change
	changed uint64                 // last commit that changed one of them
	private uint32
	total   Digest // of all scopes but the private one

	holders    []holder
	holderNum  map[string]uint32
	sets       []*set
	principals map[string]*principal
}

// doc is what the state keeps of a document. Its rev is 0 as long as it has
// only been referred to.
type doc struct {
	id      string
	links   string // packed; see linksOf
	rev     uint64
	link    link // neighbours in its scope, by rev
	scope   uint32
	kind    uint16
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
		kindNum: map[string]uint16{}, byKey: newHashed(0), unique: newHashed(0), rare: map[uint32]rare{}, names: newNames(),
		referrers: map[uint32][]uint32{}, ranged: map[uint32]struct{}{},
		byName: newHashed(0), gone: map[uint32][]departure{}, holderNum: map[string]uint32{},
		principals: map[string]*principal{}, order: emptyChain,
	}
	s.sets = []*set{newSet(none, window{}), newSet(none, window{})}
	s.private = s.scopeNumber(ScopePrivate)
	return s
}

// number of a document, given at its first mention.
func (s *state) number(key Key) uint32 {
	if n, ok := s.lookup(key); ok {
		return n
	}
	n := uint32(len(s.docs))
	s.docs = append(s.docs, doc{id: s.texts.keep(key.ID), kind: s.kindNumber(key.Kind), scope: none})
	s.byKey.add(s.names.ofKey(key), n)
	return n
}

// lookup finds a document's number, if it was ever mentioned.
func (s *state) lookup(key Key) (uint32, bool) {
	return s.byKey.find(s.names.ofKey(key), func(n uint32) bool {
		return s.docs[n].id == key.ID && s.kinds[s.docs[n].kind] == key.Kind
	})
}

func (s *state) kindNumber(name string) uint16 {
	n, ok := s.kindNum[name]
	if !ok {
		n = uint16(len(s.kinds))
		s.kinds = append(s.kinds, name)
		s.kindNum[name] = n
	}
	return n
}

func (s *state) key(n uint32) Key { return Key{s.kinds[s.docs[n].kind], s.docs[n].id} }

func (s *state) live(n uint32) bool { return s.docs[n].rev > 0 && !s.docs[n].deleted }

func (s *state) scopeNumber(name string) uint32 {
	if n, ok := s.scopeNamed(name); ok {
		return n
	}
	return s.addScope(name)
}

func (s *state) addScope(name string) uint32 {
	n := uint32(len(s.scopes))
	s.scopes = append(s.scopes, scope{name: s.texts.keep(name), docs: emptyChain})
	s.byName.add(s.names.of(name), n)
	return n
}

// scopeNamed finds a scope's number, if it was ever mentioned.
func (s *state) scopeNamed(name string) (uint32, bool) {
	return s.byName.find(s.names.of(name), func(n uint32) bool { return s.scopes[n].name == name })
}

func (s *state) docLink(n uint32) *link   { return &s.docs[n].link }
func (s *state) scopeLink(n uint32) *link { return &s.scopes[n].link }

// The methods of base.

func (s *state) find(key Key) (found, bool) {
	n, ok := s.lookup(key)
	if !ok || s.docs[n].rev == 0 {
		return found{}, false
	}
	d := &s.docs[n]
	return found{doc: n, rev: d.rev, scope: s.scopes[d.scope].name, deleted: d.deleted}, true
}

func (s *state) byUnique(hash uint64) []Key {
	var out []Key
	for _, n := range s.unique.all(hash) {
		out = append(out, s.key(n))
	}
	return out
}

func (s *state) referrersOf(key Key, kind string) []Key {
	n, ok := s.lookup(key)
	if !ok {
		return nil
	}
	var out []Key
	for _, r := range s.referrers[n] {
		if k := s.key(r); kind == "" || k.Kind == kind {
			out = append(out, k)
		}
	}
	sortKeys(out)
	return out
}

func (s *state) inScope(name string) []Key {
	n, ok := s.scopeNamed(name)
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
		if k := s.key(uint32(n)); k.Kind == kind && s.live(uint32(n)) {
			out = append(out, k)
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
