package device

import (
	"maps"
	"slices"
)

// replica is the server's copies in memory, with the index that drop needs
// and the running digest.
type replica struct {
	docs   map[Key]Document
	scopes map[string]map[Key]struct{}
	digest Digest
}

func newReplica(docs map[Key]Document) *replica {
	r := &replica{docs: map[Key]Document{}, scopes: map[string]map[Key]struct{}{}}
	for _, d := range docs {
		r.put(d)
	}
	return r
}

func (r *replica) put(d Document) {
	r.remove(d.Key)
	r.docs[d.Key] = d
	if r.scopes[d.Scope] == nil {
		r.scopes[d.Scope] = map[Key]struct{}{}
	}
	r.scopes[d.Scope][d.Key] = struct{}{}
	r.digest.add(&d)
}

func (r *replica) remove(k Key) {
	d, ok := r.docs[k]
	if !ok {
		return
	}
	delete(r.docs, k)
	delete(r.scopes[d.Scope], k)
	if len(r.scopes[d.Scope]) == 0 {
		delete(r.scopes, d.Scope)
	}
	r.digest.take(&d)
}

func (r *replica) drop(scope string) {
	for k := range r.scopes[scope] {
		r.remove(k)
	}
}

// apply does to the replica what State.apply does to the documents.
func (r *replica) apply(b *Batch) {
	if b.Clear {
		*r = *newReplica(nil)
	}
	for _, scope := range b.Drop {
		r.drop(scope)
	}
	for _, k := range b.Remove {
		r.remove(k)
	}
	for _, d := range b.Put {
		r.put(d)
	}
}

// sorted are all documents, by kind and id.
func (r *replica) sorted() []Document {
	return slices.SortedFunc(maps.Values(r.docs), func(a, b Document) int { return a.compare(b.Key) })
}
