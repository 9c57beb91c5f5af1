package sync

import (
	"maps"
	"slices"

	"github.com/enroute-field/enroute/internal/fault"
)

// do takes an intent from the document as it is to the document as it will
// be: merging, permissions, rules, place, uniqueness.
func (t *Tx) do(in *intent) (*Change, error) {
	if err := t.enter(in.key); err != nil {
		return nil, err
	}
	defer t.leave()
	ch, err := t.begin(in)
	if err != nil {
		return nil, err
	}
	if in.op == Delete && ch.Old.Deleted {
		return ch, nil
	}
	if in.op != Delete {
		if err := t.merge(in, ch); err != nil {
			return nil, err
		}
	}
	if !in.byRules && !t.w.trusted && in.kind.Permit != nil {
		if err := in.kind.Permit(t, ch); err != nil {
			return nil, err
		}
	}
	if edit, ok := t.editedSince(in, ch); ok {
		ch.Conflict(revived(edit))
		return ch, t.keepConflicts(ch)
	}
	if in.kind.Rules != nil {
		if err := in.kind.Rules(t, ch); err != nil {
			return nil, err
		}
	}
	return ch, t.store(in, ch)
}

// begin finds the document and says what becomes of the intent by what it is:
// there, never there, or deleted. What the actor does not see is not there.
func (t *Tx) begin(in *intent) (*Change, error) {
	w := t.w
	ch := &Change{
		Op: in.op, Key: in.key, Reason: in.reason, At: in.at, DeviceAt: in.deviceAt,
		Received: w.b.now, Base: in.base, Offline: w.offline, ByRules: in.byRules,
	}
	ch.Asked, ch.Unset = in.asked()
	f, exists := w.b.find(in.key)
	if in.op == Create {
		if exists {
			return nil, fault.New(fault.IDExists)
		}
		return ch, nil
	}
	if !exists || !in.byRules && !w.holds(f.scope) {
		return nil, fault.New(fault.NotFound)
	}
	d, err := w.b.load(t.ctx, in.key)
	if err != nil {
		return nil, err
	}
	ch.Old, ch.Base = d.doc, min(in.base, w.b.head.Number)
	return ch, t.current(in, d.doc)
}

// current refuses an intent that the document's present state rules out.
func (t *Tx) current(in *intent, old *Document) error {
	switch {
	case !old.Deleted && in.ifMatch != 0 && old.Rev != in.ifMatch:
		return fault.New(fault.PreconditionFail)
	case !old.Deleted:
		return nil
	case in.op == Delete && t.w.offline:
		return nil // deleted on both sides
	case in.op == Update && in.base < old.Rev && old.Marks[markDeleted].By != t.w.actor.Origin():
		return nil // edited without knowing of the deletion
	}
	return fault.New(fault.NotFound)
}

// markDeleted is the mark of a deletion; no field has this name.
const markDeleted = "!"

// editedSince finds the newest edit by another person that a deletion did not
// know of.
func (t *Tx) editedSince(in *intent, ch *Change) (newest Mark, found bool) {
	if in.op != Delete || in.byRules {
		return Mark{}, false
	}
	for _, mark := range ch.Old.Marks {
		if mark.Rev > in.base && mark.By != t.w.actor.Origin() && mark.byPerson() && mark.Rev >= newest.Rev {
			newest, found = mark, true
		}
	}
	return newest, found
}

// revived is the conflict of an edit on one side and a deletion on the other:
// the edit wins.
func revived(other Mark) Conflict {
	return Conflict{Field: "deleted", Kept: false, Discarded: true, Level: LevelDecide, Reason: "deletedEdited", Other: other}
}

// merge makes ch.New of what is there and what is asked.
func (t *Tx) merge(in *intent, ch *Change) error {
	w := t.w
	ch.New = &Document{Key: in.key, Rev: w.number, CreatedAt: w.b.now, UpdatedAt: w.b.now}
	g := merger{
		ch: ch, base: in.base, origin: w.actor.Origin(),
		by: Mark{Rev: w.number, By: w.actor.Origin(), At: in.at, Office: w.role.Office()},
	}
	if ch.Old == nil {
		ch.New.Fields = make(Fields, len(in.set)+8)
	} else {
		ch.New.CreatedAt, ch.New.Scope = ch.Old.CreatedAt, ch.Old.Scope
		ch.New.Fields, g.marks = cloneObject(ch.Old.Fields), maps.Clone(ch.Old.Marks)
	}
	g.fields(in.kind, in.set)
	ch.New.Marks = g.marks
	if ch.Old == nil {
		fill(in.kind.Fields, ch.New.Fields)
		ch.New.Marks = Marks{"": g.by}
	} else if ch.Old.Deleted {
		t.revive(in, ch)
	}
	if err := t.complete(in, ch); err != nil {
		return err
	}
	return t.refer(in, ch)
}

// revive brings back what was deleted while it was edited elsewhere.
func (t *Tx) revive(in *intent, ch *Change) {
	ch.Conflict(revived(ch.Old.Marks[markDeleted]))
	delete(ch.New.Marks, markDeleted)
	if name := in.kind.DisabledField; name != "" {
		ch.New.Fields[name] = true
	}
}

// complete looks for what is required and missing.
func (t *Tx) complete(in *intent, ch *Change) error {
	c := checker{}
	if ch.Old == nil {
		c.required(in.kind.Fields, ch.New.Fields, ch.Asked, "")
	}
	for name := range ch.Asked {
		f := in.kind.Field(name)
		if value, ok := ch.New.Fields[name].(map[string]any); ok && f.Type == Object {
			c.required(f.Members, value, nil, name+".")
		}
	}
	return c.err()
}

// refer checks that the documents newly named are there and in the actor's
// view.
func (t *Tx) refer(in *intent, ch *Change) error {
	var unknown []fault.Field
	check := func(path string, key Key) {
		f, ok := t.w.b.find(key)
		if !ok || f.deleted || !in.byRules && !t.w.holds(f.scope) {
			unknown = append(unknown, fault.At(path, fault.UnknownRef, "kind", key.Kind))
		}
	}
	for name, v := range ch.Asked {
		if ch.Old != nil && equal(v, ch.Old.Fields[name]) {
			continue
		}
		f := in.kind.Field(name)
		f.references(name, fresh(f, v, ch.Old), check)
	}
	if len(unknown) == 0 {
		return nil
	}
	e := fault.Invalid(unknown...)
	if t.w.offline {
		e.Code = fault.NotFound
	}
	return e
}

// fresh leaves out of a set of references those that were there before.
func fresh(f *Field, v any, old *Document) any {
	list, ok := v.([]any)
	if !ok || old == nil || f.Type != References {
		return v
	}
	before, _ := old.Fields[f.Name].([]any)
	return slices.DeleteFunc(slices.Clone(list), func(id any) bool { return slices.Contains(before, id) })
}

// store makes the change the present state, if it changes anything.
func (t *Tx) store(in *intent, ch *Change) error {
	if err := t.place(in, ch); err != nil {
		return err
	}
	return t.keepConflicts(ch)
}

func (t *Tx) place(in *intent, ch *Change) error {
	if in.op == Delete {
		return t.remove(ch)
	}
	t.markRuled(in, ch)
	scope, err := in.kind.Scope(t, in.key.ID, ch.New.Fields)
	if err != nil {
		return err
	}
	ch.New.Scope = scope
	if ch.Old != nil && !ch.Old.Deleted && ch.Old.Scope == scope && equalObjects(ch.Old.Fields, ch.New.Fields) {
		return nil
	}
	entering := ch.Old == nil || ch.Old.Scope != scope
	if ch.Old != nil && entering && !in.byRules && !t.w.holds(scope) {
		return fault.New(fault.NotFound)
	}
	if err := t.distinct(in, ch); err != nil {
		return err
	}
	if err := t.w.b.put(t.ctx, ch.New, nil); err != nil {
		return err
	}
	if ch.Old == nil && !in.byRules && !t.w.holds(scope) { // it may have opened its own
		return fault.New(fault.NotFound)
	}
	if ch.Old != nil && (entering || ch.Old.Deleted) {
		return t.follow(in.key)
	}
	return nil
}

// markRuled marks the fields that were asked for, left to the rules and
// changed by them.
func (t *Tx) markRuled(in *intent, ch *Change) {
	if ch.Old == nil {
		return
	}
	for name := range in.set {
		if f := in.kind.Field(name); f.Policy == ByRules && ch.Changed(name) {
			if ch.New.Marks == nil {
				ch.New.Marks = Marks{}
			}
			ch.New.Marks[name] = Mark{Rev: t.w.number, By: t.w.actor.Origin(), At: in.at, Office: t.w.role.Office()}
		}
	}
}

// remove makes the document a deleted one, which keeps its last body.
func (t *Tx) remove(ch *Change) error {
	d, err := t.w.b.load(t.ctx, ch.Key)
	if err != nil {
		return err
	}
	gone := *ch.Old
	gone.Rev, gone.Deleted, gone.Marks = t.w.number, true, maps.Clone(ch.Old.Marks)
	if gone.Marks == nil {
		gone.Marks = Marks{}
	}
	gone.Marks[markDeleted] = Mark{Rev: t.w.number, By: t.w.actor.Origin(), At: ch.At, Office: t.w.role.Office()}
	return t.w.b.put(t.ctx, &gone, d.body)
}

// distinct refuses a unique value that another live document has.
func (t *Tx) distinct(in *intent, ch *Change) error {
	for i := range in.kind.Unique {
		u := &in.kind.Unique[i]
		value := u.value(ch.New.Fields)
		if value == "" || ch.Old != nil && !ch.Old.Deleted && u.value(ch.Old.Fields) == value {
			continue
		}
		other, err := t.ByUnique(in.key.Kind, u.Field, value)
		if err != nil {
			return err
		}
		if other != "" && other != in.key.ID {
			return t.clash(u, Key{in.key.Kind, other})
		}
	}
	return nil
}

// clash is the refusal of a value that other has. Who may not see the other
// document is not told which it is.
func (t *Tx) clash(u *Unique, other Key) error {
	id := other.ID
	if !t.w.holds(t.w.b.scopeOf(other)) {
		id = "?"
	}
	args := []string{"field", u.Field, "other", id}
	e := fault.New(fault.Code(u.Code), args...)
	e.Fields = []fault.Field{fault.At(u.Field, e.Code, args...)}
	return e
}

// follow writes again the documents whose scope derives from the one that
// moved, and those that derive from them.
func (t *Tx) follow(moved Key) error {
	for _, key := range t.w.b.referrers(moved, "") {
		d, err := t.w.b.load(t.ctx, key)
		if err != nil {
			return err
		}
		if !slices.Contains(t.w.b.withFacts(d).facts.edges.Follows, moved) {
			continue
		}
		scope, err := t.w.b.reg.Kind(key.Kind).Scope(t, key.ID, d.doc.Fields)
		if err != nil {
			return err
		}
		if scope == d.doc.Scope {
			continue
		}
		next := *d.doc
		next.Scope, next.Rev, next.UpdatedAt = scope, t.w.number, t.w.b.now
		if err := t.w.b.put(t.ctx, &next, nil); err != nil {
			return err
		}
		if err := t.follow(key); err != nil {
			return err
		}
	}
	return nil
}
