package sync

import "slices"

// draft is a document as a batch has it: read from the base, or changed and
// not yet appended.
type draft struct {
	doc    *Document // not changed once it is here
	body   []byte    // wire form; of a deleted document the last one it had
	facts  facts     // zero for a deleted one
	known  bool      // facts were computed
	undone bool      // rolled back
}

// overlay holds the documents that a batch has changed. A change is undone by
// going back to an earlier mark. The indexes only grow: whoever finds a
// document in them looks at what it is now.
type overlay struct {
	docs   map[Key]*draft
	log    []logged
	refs   map[Key][]Key    // by what Edges.Refs and Edges.Follows name
	scopes map[string][]Key // by scope entered
	unique map[uint64][]Key // by unique hash gained
	gains  map[string][]gain
	people map[string]Key // accounts touched, by id
}

// logged is one change: the draft that came, and the one it took the place of
// (of the base, or of an earlier change; nil for a document that was not there).
type logged struct {
	now, before *draft
}

// gain is a way to hold a scope that came with a draft; a nil grant is the
// open set.
type gain struct {
	from  *draft
	grant *Grant
}

func newOverlay() *overlay {
	return &overlay{
		docs:   map[Key]*draft{},
		refs:   map[Key][]Key{},
		scopes: map[string][]Key{},
		unique: map[uint64][]Key{},
		gains:  map[string][]gain{},
		people: map[string]Key{},
	}
}

// mark is a point to go back to.
func (o *overlay) mark() int { return len(o.log) }

// rollback undoes all changes since the mark.
func (o *overlay) rollback(mark int) {
	for i := len(o.log) - 1; i >= mark; i-- {
		l := o.log[i]
		l.now.undone = true
		if l.before != nil {
			o.docs[l.now.doc.Key] = l.before
		} else {
			delete(o.docs, l.now.doc.Key)
		}
	}
	o.log = o.log[:mark]
}

// put makes d the present state of its document. scopeOf tells the scope a
// document is in, "" if it is not there or deleted.
func (o *overlay) put(d, before *draft, scopeOf func(Key) string) {
	key := d.doc.Key
	o.docs[key] = d
	o.log = append(o.log, logged{d, before})
	if d.facts.edges.Principal != nil || before != nil && before.facts.edges.Principal != nil {
		o.people[key.ID] = key
	}
	if d.doc.Deleted {
		return
	}
	o.scopes[d.doc.Scope] = append(o.scopes[d.doc.Scope], key)
	for _, h := range d.facts.unique {
		o.unique[h] = append(o.unique[h], key)
	}
	for _, list := range [][]Key{d.facts.edges.Refs, d.facts.edges.Follows} {
		for _, target := range list {
			o.refs[target] = append(o.refs[target], key)
		}
	}
	o.gain(d, scopeOf)
}

// gain indexes what scopes the draft gives to whom. The scope of another
// document is the one it is in now: moving that one later gives nothing.
func (o *overlay) gain(d *draft, scopeOf func(Key) string) {
	e := &d.facts.edges
	if e.Open {
		o.gains[d.doc.Scope] = append(o.gains[d.doc.Scope], gain{from: d})
	}
	for i := range e.Grants {
		g := gain{d, &e.Grants[i]}
		for _, scope := range g.grant.Scopes {
			o.gains[scope] = append(o.gains[scope], g)
		}
		for _, key := range g.grant.ScopesOf {
			if scope := scopeOf(key); scope != "" {
				o.gains[scope] = append(o.gains[scope], g)
			}
		}
	}
}

// changes are the documents changed since the mark, in the order of their
// first change: as they are now, and as they were at the mark.
func (o *overlay) changes(mark int) []logged {
	out := make([]logged, 0, len(o.log)-mark)
	seen := make(map[Key]bool, len(o.log)-mark)
	for _, l := range o.log[mark:] {
		if key := l.now.doc.Key; !seen[key] {
			seen[key] = true
			out = append(out, logged{o.docs[key], l.before})
		}
	}
	return out
}

// names says whether the draft's edges refer to the key or follow it.
func (d *draft) names(key Key) bool {
	e := &d.facts.edges
	return slices.Contains(e.Refs, key) || slices.Contains(e.Follows, key)
}
