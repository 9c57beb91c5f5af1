package sync

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzMerge lays two changes that do not know of each other over a document.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, 4000)
		for i := range data {
			data[i] = byte(rng.UintN(256)) >> rng.UintN(8)
		}
		f.Add(data)
	}
	f.Fuzz(rapid.MakeFuzz(func(rt *rapid.T) {
		w := drawMerging(rt)
		w.nothingIsLost(rt)
		w.nobodyContradictsHimself(rt)
		w.otherFieldsCommute(rt)
		w.elementsStay(rt)
	}))
}

// TestMergingLaws is FuzzMerge on fresh inputs.
func TestMergingLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := drawMerging(rt)
		w.nothingIsLost(rt)
		w.nobodyContradictsHimself(rt)
		w.otherFieldsCommute(rt)
		w.elementsStay(rt)
	})
}

// merging is a document and two changes of it, both made with rev 1 in sight.
type merging struct {
	kind          *Kind
	doc           *Document
	first, second Fields
	by            [2]Mark
}

func drawMerging(rt *rapid.T) *merging {
	w := &merging{kind: testClient()}
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	w.doc = &Document{Fields: Fields{}, Marks: Marks{"": {Rev: 1, By: "creator", At: began}}}
	g := merger{ch: &Change{New: w.doc}, base: 1, origin: "creator"}
	g.fields(w.kind, drawChange(rt, "document"))
	w.first, w.second = drawChange(rt, "first"), drawChange(rt, "second")
	for i, origin := range []string{"phone", "desk"} {
		w.by[i] = Mark{Rev: uint64(i + 2), By: origin, Office: rapid.Bool().Draw(rt, "office"),
			At: began.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "minute")) * time.Minute)}
	}
	return w
}

// drawChange sets and removes fields; few names and values, so that they meet.
func drawChange(rt *rapid.T, label string) Fields {
	words := rapid.SampledFrom([]any{"a", "b", "c", nil})
	lat := rapid.SampledFrom([]any{1.0, 2.0})
	position := rapid.Custom(func(rt *rapid.T) any {
		return map[string]any{"lat": lat.Draw(rt, "lat"), "lng": 0.0, "pinned": rapid.Bool().Draw(rt, "pinned")}
	})
	element := rapid.Custom(func(rt *rapid.T) any {
		e := drawObject(rt, []string{"text", "count", "more", "removed"}, []*rapid.Generator[any]{
			words, rapid.SampledFrom([]any{1.0, 2.0, nil}), drawFree(1), rapid.Bool().AsAny()})
		e["id"] = rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id")
		return e
	})
	address := rapid.Custom(func(rt *rapid.T) any {
		return drawObject(rt, []string{"line", "city"}, []*rapid.Generator[any]{words, words})
	})
	null := rapid.Just[any](nil)
	return rapid.Custom(func(rt *rapid.T) Fields {
		return drawObject(rt, []string{"name", "note", "visit", "address", "custom", "position", "tags", "items"}, []*rapid.Generator[any]{
			rapid.SampledFrom([]any{"a", "b"}), words, words, rapid.OneOf(address, null), rapid.OneOf(drawFree(2), null),
			rapid.OneOf(position, null), rapid.OneOf(rapid.SliceOfN(rapid.SampledFrom([]any{"vip", "new"}), 0, 2).AsAny(), null),
			rapid.SliceOfN(element, 0, 3).AsAny()})
	}).Draw(rt, label)
}

// drawFree draws objects whose members are not declared.
func drawFree(depth int) *rapid.Generator[any] {
	inner := rapid.SampledFrom([]any{"a", 1.0, nil})
	if depth > 0 {
		inner = rapid.OneOf(inner, drawFree(depth-1))
	}
	return rapid.Custom(func(rt *rapid.T) any {
		return drawObject(rt, []string{"p", "q"}, []*rapid.Generator[any]{inner, inner})
	})
}

// drawObject draws some of the members.
func drawObject(rt *rapid.T, names []string, values []*rapid.Generator[any]) map[string]any {
	out := map[string]any{}
	for i, name := range names {
		if rapid.Bool().Draw(rt, "has "+name) {
			v := values[i].Draw(rt, name)
			if list, ok := v.([]any); ok && list == nil {
				v = []any{}
			}
			out[name] = v
		}
	}
	return out
}

// lay a change over a document.
func (w *merging) lay(d *Document, base uint64, by Mark, set Fields) (*Document, []Conflict) {
	ch := &Change{Old: d, New: &Document{Fields: cloneObject(d.Fields)}}
	g := merger{ch: ch, base: base, origin: by.By, by: by, marks: maps.Clone(d.Marks)}
	g.fields(w.kind, set)
	ch.New.Marks = g.marks
	return ch.New, ch.conflicts
}

// nothingIsLost: each value of either side is in the document or in a
// conflict, and merging leaves what was sent as it was.
func (w *merging) nothingIsLost(rt *rapid.T) {
	sent := [...]any{clone(w.first), clone(w.second)}
	one, conflicts := w.lay(w.doc, 1, w.by[0], w.first)
	if len(conflicts) > 0 {
		rt.Fatalf("the first change gives conflicts: %v", conflicts)
	}
	two, conflicts := w.lay(one, 1, w.by[1], w.second)
	if !equal(w.first, sent[0]) || !equal(w.second, sent[1]) {
		rt.Fatalf("merging changed what was sent")
	}
	for i, side := range []Fields{memberwise(w.first, w.doc.Fields), memberwise(w.second, one.Fields)} {
		for path, v := range leaves(side, "") {
			if was, _ := lookUp(w.doc.Fields, strings.Split(path, ".")); i == 0 && equal(was, v) {
				continue // nothing was changed
			}
			if !w.kept(two.Fields, conflicts, path, v) {
				rt.Fatalf("%s = %v of change %d is lost:\n%v\n%v\n%v\ngive %v, %v", path, v, i+1, w.doc.Fields, w.first, w.second, two.Fields, conflicts)
			}
		}
	}
	again, repeated := w.lay(one, 1, w.by[1], w.second)
	if !equal(again.Fields, two.Fields) || !maps.Equal(again.Marks, two.Marks) || len(repeated) != len(conflicts) {
		rt.Fatalf("the same merge gave %v and %v", two, again)
	}
}

// kept says whether the value stands at the path, or in the conflict about it
// or about what it is part of; a removal, in those about all that is set there.
func (w *merging) kept(f Fields, conflicts []Conflict, path string, v any) bool {
	now, _ := lookUp(f, strings.Split(path, "."))
	if equal(now, v) {
		return true
	}
	if members, ok := now.(map[string]any); ok && v == nil { // what stands in place of what was removed
		for name := range members {
			if !w.kept(f, conflicts, path+"."+name, nil) {
				return false
			}
		}
		return true
	}
	return slices.ContainsFunc(conflicts, func(c Conflict) bool {
		rest, ok := strings.CutPrefix(path+".", c.Field+".")
		if !ok {
			return false
		}
		got := c.Discarded
		if rest != "" {
			got, _ = lookUp(got, strings.Split(strings.TrimSuffix(rest, "."), "."))
		}
		return equal(got, v)
	})
}

// memberwise says a removal of an object in terms of the members it had: what
// others add to it at the same time stays.
func memberwise(set, had Fields) Fields {
	out := maps.Clone(set)
	for name, v := range set {
		if old, ok := had[name].(map[string]any); ok && v == nil && name != "position" {
			out[name] = nothing(old)
		}
	}
	return out
}

// leaves are the values of a change by path, but for lists of elements.
func leaves(set map[string]any, prefix string) map[string]any {
	out := map[string]any{}
	for name, v := range set {
		inner, isObject := v.(map[string]any)
		switch {
		case prefix == "" && name == "items":
		case isObject && name != "position":
			maps.Copy(out, leaves(inner, prefix+name+"."))
		default:
			out[prefix+name] = v
		}
	}
	return out
}

// nobodyContradictsHimself: one who changes again, or who has seen the change
// of the other, has his way and makes no conflict.
func (w *merging) nobodyContradictsHimself(rt *rapid.T) {
	one, _ := w.lay(w.doc, 1, w.by[0], w.first)
	own := w.by[1]
	own.By = w.by[0].By
	for base, by := range map[uint64]Mark{1: own, 2: w.by[1], math.MaxUint64: w.by[1]} {
		two, conflicts := w.lay(one, base, by, w.second)
		if len(conflicts) > 0 {
			rt.Fatalf("who has seen commit %d contradicts it: %v", base, conflicts)
		}
		for path, v := range leaves(w.second, "") {
			if got, _ := lookUp(two.Fields, strings.Split(path, ".")); !equal(got, v) {
				rt.Fatalf("%s was set to %v and is %v", path, v, got)
			}
		}
	}
}

// otherFieldsCommute: changes of different fields give the same in any order,
// and no conflict.
func (w *merging) otherFieldsCommute(rt *rapid.T) {
	other := maps.Clone(w.second)
	maps.DeleteFunc(other, func(name string, _ any) bool { _, both := w.first[name]; return both })
	a, _ := w.lay(w.doc, 1, w.by[0], w.first)
	ab, conflictsAB := w.lay(a, 1, w.by[1], other)
	b, _ := w.lay(w.doc, 1, w.by[1], other)
	ba, conflictsBA := w.lay(b, 1, w.by[0], w.first)
	if !equal(ab.Fields, ba.Fields) || !maps.Equal(ab.Marks, ba.Marks) || len(conflictsAB)+len(conflictsBA) > 0 {
		rt.Fatalf("%v and %v give %v or %v; conflicts %v, %v", w.first, other, ab.Fields, ba.Fields, conflictsAB, conflictsBA)
	}
}

// elementsStay: an element is there unless somebody said that it is removed,
// with what was said of it last.
func (w *merging) elementsStay(rt *rapid.T) {
	there := map[string]bool{}
	list, _ := w.doc.Fields["items"].([]any)
	for _, e := range list {
		there[elementID(e)] = true
	}
	one, _ := w.lay(w.doc, 1, w.by[0], w.first)
	two, _ := w.lay(one, 1, w.by[1], w.second)
	for _, side := range []Fields{w.first, w.second} {
		list, _ := side["items"].([]any)
		for _, e := range list {
			gone, _ := e.(map[string]any)["removed"].(bool)
			there[elementID(e)] = !gone
		}
	}
	maps.DeleteFunc(there, func(_ string, ok bool) bool { return !ok })
	list, _ = two.Fields["items"].([]any)
	got := map[string]bool{}
	for _, e := range list {
		got[elementID(e)] = true
	}
	if !maps.Equal(got, there) || len(got) != len(list) {
		rt.Fatalf("elements %v, should be %v", list, there)
	}
}
