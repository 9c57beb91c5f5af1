package sync

import (
	"slices"
	"strings"
)

// merger lays what was asked over a document's fields. A field that another
// origin changed since the base follows its policy; the value that loses goes
// into a conflict.
type merger struct {
	ch     *Change
	base   uint64
	origin string
	by     Mark // of this change
	marks  Marks
}

// fields merges all that was asked but what is left to the rules. The order
// is that of the names, so that the same mutation gives the same conflicts.
func (g *merger) fields(k *Kind, set Fields) {
	var room [32]string
	for _, name := range sortedNames(set, room[:0]) {
		if f := k.Field(name); f.Policy != ByRules {
			g.field(f, f.Policy, name, g.ch.New.Fields, set[name])
		}
	}
}

// field merges v into the member of into that f declares.
func (g *merger) field(f *Field, policy Policy, path string, into map[string]any, v any) {
	switch v := v.(type) {
	case []any:
		if f.Type == Elements {
			g.elements(f, path, into, v)
			return
		}
	case map[string]any:
		if f.Type == Object {
			g.object(f.Members, policy, path, into, f.Name, v)
			return
		}
	case nil:
		if old, ok := into[f.Name].(map[string]any); ok && f.Type == Object {
			g.object(f.Members, policy, path, into, f.Name, nothing(old))
			return
		}
	}
	g.value(policy, path, into, f.Name, v)
}

// nothing is the patch that removes every member.
func nothing(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for name := range m {
		out[name] = nil
	}
	return out
}

// object merges a patch into an object member by member (RFC 7396). Members
// that are not declared are objects themselves if they look like it. An
// object without members is none.
func (g *merger) object(declared []Field, policy Policy, path string, into map[string]any, name string, patch map[string]any) {
	old, ok := into[name].(map[string]any)
	if !ok && into[name] != nil {
		g.value(policy, path, into, name, patched(nil, patch))
		return
	}
	if !ok {
		old = map[string]any{}
	}
	var room [32]string
	for _, member := range sortedNames(patch, room[:0]) {
		at, v := path+"."+member, patch[member]
		inner, isObject := v.(map[string]any)
		switch f := fieldOf(declared, member); {
		case f != nil:
			g.field(f, policy, at, old, v)
		case isObject:
			g.object(nil, policy, at, old, member, inner)
		default:
			g.value(policy, at, old, member, v)
		}
	}
	if len(old) == 0 {
		delete(into, name)
	} else {
		into[name] = old
	}
}

// value merges one value that is not looked into; nil removes.
func (g *merger) value(policy Policy, path string, into map[string]any, name string, v any) {
	now := into[name]
	if equal(now, v) {
		return
	}
	if other, clash := g.changedSince(path, now); clash {
		c := Conflict{Field: path, Kept: v, Discarded: now, Level: LevelInfo, Reason: "sameField", Other: other}
		if !g.wins(policy, other, now, v) {
			c.Kept, c.Discarded = now, v
			g.ch.Conflict(c)
			return
		}
		g.ch.Conflict(c)
	}
	if v == nil {
		delete(into, name)
	} else {
		into[name] = clone(v)
	}
	g.mark(path, now)
}

// mark notes that this change set the path; what was marked below it is gone.
func (g *merger) mark(path string, before any) {
	if g.ch.Old == nil {
		return // the creation's mark is for all of it
	}
	if g.marks == nil {
		g.marks = Marks{}
	}
	if _, ok := before.(map[string]any); ok {
		for p := range g.marks {
			if strings.HasPrefix(p, path+".") {
				delete(g.marks, p)
			}
		}
	}
	g.marks[path] = g.by
}

// changedSince finds the change by another origin that the base did not see.
func (g *merger) changedSince(path string, now any) (Mark, bool) {
	newest, ok := g.marks.at(path, now != nil)
	if _, deep := now.(map[string]any); deep {
		for p, m := range g.marks {
			if strings.HasPrefix(p, path+".") && m.By != g.origin && (!ok || m.Rev > newest.Rev) {
				newest, ok = m, true
			}
		}
	}
	return newest, ok && newest.Rev > g.base && newest.By != g.origin
}

// at is the mark that holds for a path: its own, else that of what it is part
// of, else, for what is there, the creation's.
func (m Marks) at(path string, there bool) (Mark, bool) {
	for p := path; ; {
		if mark, ok := m[p]; ok {
			return mark, true
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	mark, ok := m[""]
	return mark, ok && there
}

// originSystem starts the origin of what the server does by itself.
const originSystem = "system:"

// byPerson says whether a person made the change, not the server by itself.
func (m Mark) byPerson() bool { return !strings.HasPrefix(m.By, originSystem) }

// wins says whether the value of this change shows against the one that is
// there.
func (g *merger) wins(policy Policy, other Mark, now, v any) bool {
	switch policy {
	case Office:
		if g.by.Office != other.Office {
			return g.by.Office
		}
	case Pinned:
		if a, b := pinned(v), pinned(now); a != b {
			return a
		}
	}
	return g.by.At.After(other.At)
}

func pinned(v any) bool {
	m, _ := v.(map[string]any)
	p, _ := m["pinned"].(bool)
	return p
}

// elements merges a list of elements by their ids: unknown ones are added,
// known ones merged by member, and only the word that one is removed takes it
// out. Both sides' elements are kept, so this never conflicts.
func (g *merger) elements(f *Field, path string, into map[string]any, patch []any) {
	list, _ := into[f.Name].([]any)
	at := make(map[string]int, len(list))
	for i, e := range list {
		at[elementID(e)] = i
	}
	removed := map[string]bool{}
	for _, p := range patch {
		patch, _ := p.(map[string]any)
		id := elementID(patch)
		i, known := at[id]
		if !known {
			i = len(list)
			at[id], list = i, append(list, nil)
		}
		e := patched(list[i], patch)
		removed[id], _ = e["removed"].(bool)
		delete(e, "removed")
		list[i] = e
	}
	list = slices.DeleteFunc(list, func(e any) bool { return removed[elementID(e)] })
	if before := into[f.Name]; len(list) > 0 || before != nil {
		into[f.Name] = list
		g.mark(path, before)
	}
}

func elementID(e any) string {
	m, _ := e.(map[string]any)
	id, _ := m["id"].(string)
	return id
}

// patched is a JSON merge patch (RFC 7396) of an object; it may change what
// it is given.
func patched(target any, patch map[string]any) map[string]any {
	out, ok := target.(map[string]any)
	if !ok {
		out = make(map[string]any, len(patch))
	}
	for name, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, name)
		case map[string]any:
			out[name] = patched(out[name], v)
		default:
			out[name] = clone(v)
		}
	}
	return out
}

// fill writes the defaults of a new document where nothing else is.
func fill(declared []Field, into map[string]any) {
	for i := range declared {
		f := &declared[i]
		if f.Default != nil && into[f.Name] == nil {
			into[f.Name] = clone(f.Default)
		}
		if f.Type != Object || len(f.Members) == 0 {
			continue
		}
		inner, ok := into[f.Name].(map[string]any)
		if !ok {
			inner = map[string]any{}
		}
		if fill(f.Members, inner); len(inner) > 0 {
			into[f.Name] = inner
		}
	}
}
