package sync

import (
	"context"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// base is the confirmed state as the workspace's writer sees it. Only the
// writer changes the state, so it reads without a lock.
type base interface {
	// find a document, deleted ones too.
	find(key Key) (found, bool)
	// byUnique are the live documents that carry a unique hash; the caller
	// checks the value, since hashes may collide.
	byUnique(hash uint64) []Key
	// referrers are the ids of live documents of the kind whose Edges.Refs or
	// Edges.Follows name the key, sorted; kind "" is every kind.
	referrers(key Key, kind string) []Key
	// inScope are the keys of the live documents in a scope, sorted.
	inScope(scope string) []Key
	principal(id string) (Principal, Profile)
	principals(role Role) []string
	inGroup(group, principal string) bool
	// heldSince says whether the principal held the scope at any commit from
	// number from up to the head (a loss more than grace ago does not count).
	heldSince(principal, scope string, from uint64, grace time.Time) bool
	// today is the workspace's date, also as days since 1970-01-01.
	today() (string, int32)
	zone() *time.Location
	// timeOf a commit of the chain; the zero time for number 0.
	timeOf(ctx context.Context, number uint64) (time.Time, error)
}

// found is what the state keeps of a document.
type found struct {
	doc     uint32 // its number, of use only when found in the state
	rev     uint64
	scope   string
	deleted bool
}

// bodies reads versions that the state names: from the cache, else the store.
type bodies interface {
	version(ctx context.Context, w wanted) (*Version, error)
}

// known finds the outcome of a mutation already in the journal.
type known func(id uuid.UUID) (*Outcome, bool)

// facts are what the state keeps of a document beside its key, rev and scope.
type facts struct {
	edges  Edges
	unique []uint64
}

// facts of a live document, a pure function of its key and fields.
func (r *Registry) facts(key Key, f Fields) facts {
	k := r.byName[key.Kind]
	if k == nil {
		return facts{}
	}
	var out facts
	if k.Edges != nil {
		out.edges = k.Edges(key.ID, f)
	}
	for i := range k.Unique {
		if v := k.Unique[i].value(f); v != "" {
			out.unique = append(out.unique, uniqueHash(k.Name, k.Unique[i].Field, v))
		}
	}
	return out
}

// value is the folded value that must be unique; "" for none.
func (u *Unique) value(f Fields) string {
	var s string
	switch v := f[u.Field].(type) {
	case string:
		s = v
	case float64:
		s = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if u.Fold != nil {
		s = u.Fold(s)
	}
	return s
}

// uniqueHash stands for a unique value in memory.
func uniqueHash(kind, field, value string) uint64 {
	h := fnv.New64a()
	for _, s := range []string{kind, "\x00", field, "\x00", value} {
		_, _ = h.Write([]byte(s)) // never fails
	}
	return h.Sum64()
}
