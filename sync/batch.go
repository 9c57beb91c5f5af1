package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// batch evaluates requests one after another on top of the base, for one
// durable append. Nothing of it is seen by anybody until that has happened.
type batch struct {
	reg       *Registry
	base      base
	bodies    bodies
	confirmed Head      // the base's
	head      Head      // the last commit staged, else the base's
	now       time.Time // when the requests count as received
	over      *overlay
	read      map[Key]*draft         // documents of the base, decoded once
	times     map[uint64]time.Time   // of commits, looked up once
	outcomes  map[uuid.UUID]*Outcome // of staged commits
	size      int                    // of staged commits, in bytes, at most
}

// staged is one request's result, to be given out once its batch is durable.
type staged struct {
	commit  *Commit // sealed; nil when there is nothing to commit
	facts   []facts // parallel to commit.Changes, zero for deleted ones
	push    *PushResponse
	written *Written
	// structural: the commit changed an account, a profile, a group or the
	// zone, which only the base knows how to apply: the batch ends after it.
	structural bool
}

func newBatch(reg *Registry, b base, bod bodies, head Head, now time.Time) *batch {
	return &batch{
		reg: reg, base: b, bodies: bod, confirmed: head, head: head, now: laterOf(now, head.At),
		over:     newOverlay(),
		read:     map[Key]*draft{},
		times:    map[uint64]time.Time{},
		outcomes: map[uuid.UUID]*Outcome{},
	}
}

// full says whether another commit might make the append too large.
func (b *batch) full() bool { return b.size > MaxAppendBytes-MaxCommitBytes }

// find a document, deleted ones too.
func (b *batch) find(key Key) (found, bool) {
	if d := b.over.docs[key]; d != nil {
		return found{rev: d.doc.Rev, scope: d.doc.Scope, deleted: d.doc.Deleted}, true
	}
	return b.base.find(key)
}

func (b *batch) scopeOf(key Key) string {
	f, _ := b.find(key)
	return f.scope
}

// liveScope is the scope of a document that is there; "" otherwise.
func (b *batch) liveScope(key Key) string {
	f, _ := b.find(key)
	if f.deleted {
		return ""
	}
	return f.scope
}

// load a document, deleted ones too; ErrMissing if there never was one.
func (b *batch) load(ctx context.Context, key Key) (*draft, error) {
	if d := b.over.docs[key]; d != nil {
		return d, nil
	}
	if d := b.read[key]; d != nil {
		return d, nil
	}
	f, ok := b.base.find(key)
	if !ok {
		return nil, ErrMissing
	}
	v, err := b.bodies.version(ctx, wanted{f.doc, key, f.rev})
	if errors.Is(err, ErrMissing) {
		err = ErrDamaged // the state names it, so it must be there
	}
	if err != nil {
		return nil, fmt.Errorf("read %s@%d: %w", key, f.rev, err)
	}
	doc, err := decodeDocument(v)
	if err != nil {
		return nil, err
	}
	d := &draft{doc: doc, body: v.Body}
	b.read[key] = d
	return d, nil
}

// withFacts computes the facts of a draft read from the base, once.
func (b *batch) withFacts(d *draft) *draft {
	if d != nil && !d.known {
		d.known = true
		if !d.doc.Deleted {
			d.facts = b.reg.facts(d.doc.Key, d.doc.Fields)
		}
	}
	return d
}

// put makes doc the present state of its document. body is for a deletion:
// the last one it had.
func (b *batch) put(ctx context.Context, doc *Document, body []byte) error {
	before, err := b.load(ctx, doc.Key)
	if err != nil && !errors.Is(err, ErrMissing) {
		return err
	}
	d := &draft{doc: doc, body: body}
	if !doc.Deleted {
		if d.body, err = doc.encode(); err != nil {
			return err
		}
		if len(d.body) > MaxDocument && !engineKind(doc.Kind) {
			return fault.New(fault.TooLarge, "limit", "256 KiB")
		}
	}
	b.over.put(b.withFacts(d), b.withFacts(before), b.liveScope)
	return nil
}

// timeOf a confirmed commit; the zero time for number 0.
func (b *batch) timeOf(ctx context.Context, number uint64) (time.Time, error) {
	if t, ok := b.times[number]; ok {
		return t, nil
	}
	t, err := b.base.timeOf(ctx, number)
	if err == nil {
		b.times[number] = t
	}
	return t, err
}

// referrers are the live documents whose edges name the key, sorted; kind ""
// is every kind.
func (b *batch) referrers(key Key, kind string) []Key {
	return b.merged(b.base.referrers(key, kind), b.over.refs[key], func(d *draft) bool {
		return d.names(key) && (kind == "" || d.doc.Kind == kind)
	})
}

// inScope are the live documents in a scope, sorted.
func (b *batch) inScope(scope string) []Key {
	return b.merged(b.base.inScope(scope), b.over.scopes[scope], func(d *draft) bool {
		return d.doc.Scope == scope
	})
}

// merged are the documents that the base names and the batch has not changed,
// and those of either list that the batch has and that fit, sorted.
func (b *batch) merged(fromBase, fromOverlay []Key, fits func(*draft) bool) []Key {
	out := make([]Key, 0, len(fromBase)+len(fromOverlay))
	for _, key := range fromBase {
		if b.over.docs[key] == nil {
			out = append(out, key)
		}
	}
	for _, list := range [][]Key{fromBase, fromOverlay} {
		for _, key := range list {
			if d := b.over.docs[key]; d != nil && !d.doc.Deleted && fits(d) {
				out = append(out, key)
			}
		}
	}
	sortKeys(out)
	return slices.Compact(out)
}

// byUnique finds the live document with a unique value; "" if none.
func (b *batch) byUnique(ctx context.Context, kind, field, value string) (string, error) {
	u := b.reg.unique(kind, field)
	if u == nil {
		return "", fmt.Errorf("find %s by %s: not a unique field", kind, field)
	}
	folded := u.value(Fields{field: value})
	if folded == "" {
		return "", nil
	}
	hash := uniqueHash(kind, field, folded)
	for _, list := range [][]Key{b.base.byUnique(hash), b.over.unique[hash]} {
		for _, key := range list {
			d, err := b.load(ctx, key)
			if errors.Is(err, ErrMissing) {
				continue // made in the batch and undone
			}
			if err != nil {
				return "", err
			}
			if key.Kind == kind && !d.doc.Deleted && u.value(d.doc.Fields) == folded {
				return key.ID, nil
			}
		}
	}
	return "", nil
}

// principal of an account as the batch has it.
func (b *batch) principal(id string) Principal {
	if key, ok := b.over.people[id]; ok {
		if d := b.over.docs[key]; d != nil {
			if p := d.facts.edges.Principal; p != nil {
				return *p
			}
			return Principal{}
		}
	}
	p, _ := b.base.principal(id)
	return p
}

// principals are the ids of the active accounts with a role, sorted.
func (b *batch) principals(role Role) []string {
	ids := slices.Clone(b.base.principals(role))
	for id := range b.over.people {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool {
		p := b.principal(id)
		return !p.Active || p.Role != role
	})
}

// prefetch names the documents whose bodies evaluating the request will need,
// as far as can be told without them. One of the two is nil.
func (r *Registry) prefetch(push *PushRequest, write *Write) []Key {
	var muts []Mutation
	if push != nil {
		muts = push.Mutations
	}
	if write != nil {
		muts = write.Mutations
	}
	var keys []Key
	for i := range muts {
		k := r.byName[muts[i].Kind]
		if k == nil {
			continue
		}
		keys = append(keys, muts[i].Key())
		references(k.Fields, muts[i].Set, "", func(_ string, key Key) { keys = append(keys, key) })
	}
	sortKeys(keys)
	return slices.Compact(keys)
}

// references calls yield for each document that the values of the declared
// fields name. It takes values of any type, since they may not be valid.
func references(declared []Field, set map[string]any, prefix string, yield func(path string, key Key)) {
	for name, v := range set {
		if f := fieldOf(declared, name); f != nil {
			f.references(prefix+name, v, yield)
		}
	}
}

func (f *Field) references(path string, v any, yield func(path string, key Key)) {
	switch v := v.(type) {
	case string:
		if f.Type == Reference {
			yield(path, Key{f.Refs, v})
		}
	case map[string]any:
		references(f.Members, v, path+".", yield)
	case []any:
		for i, e := range v {
			switch e := e.(type) {
			case string:
				if f.Type == References {
					yield(path, Key{f.Refs, e})
				}
			case map[string]any:
				references(f.Members, e, fmt.Sprintf("%s.%d.", path, i), yield)
			}
		}
	}
}
