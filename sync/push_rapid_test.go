package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A history is a sequence of pushes of five people on two clients, each based
// on what some earlier commit showed.
type historyStep struct {
	actor int
	doc   string
	back  uint64 // how many commits the base lies behind
	ago   int    // minutes
	paths []string
	drop  []string // elements to remove
}

var historyPeople = []Actor{office, office2, ann, ann2, bob}

func drawHistory(rt *rapid.T) []historyStep {
	path := rapid.SampledFrom([]string{"note", "visit", "position", "address.line", "address.city", "custom.a", "custom.b", "custom.deep.x", "items"})
	step := rapid.Custom(func(rt *rapid.T) historyStep {
		return historyStep{
			actor: rapid.IntRange(0, len(historyPeople)-1).Draw(rt, "actor"),
			doc:   rapid.SampledFrom([]string{"c1", "c2"}).Draw(rt, "doc"),
			back:  rapid.Uint64Range(0, 6).Draw(rt, "back"),
			ago:   rapid.IntRange(0, 4).Draw(rt, "ago"),
			paths: rapid.SliceOfNDistinct(path, 1, 4, rapid.ID).Draw(rt, "paths"),
			drop:  rapid.SliceOfN(rapid.SampledFrom([]string{"e1", "e2", "e3"}), 0, 1).Draw(rt, "drop"),
		}
	})
	return rapid.SliceOfN(step, 1, 25).Draw(rt, "history")
}

// setEvent is one value that somebody gave to a path.
type setEvent struct {
	doc, path, origin string
	value             any
	base, rev         uint64
}

// play runs the history; every value in it is another one.
func play(t *testing.T, steps []historyStep) (*pushWorld, []setEvent) {
	w := newPushWorld(t)
	both := []any{"ann", "bob"}
	w.mustWrite(admin, update("client", "c1", 0, Fields{"assignedIds": both}), update("client", "c2", 0, Fields{"assignedIds": both}))
	w.now = w.now.Add(time.Hour)
	var events []setEvent
	for i, s := range steps {
		a := historyPeople[s.actor]
		base := w.head() - min(s.back, w.head()-2)
		m := update("client", s.doc, base, Fields{})
		for _, path := range s.paths {
			e := setEvent{s.doc, path, a.Origin(), fmt.Sprint("v", i, path), base, w.head() + 1}
			switch path {
			case "items":
				list := []any{map[string]any{"id": fmt.Sprint("e", i%5), "text": e.value}}
				for _, id := range s.drop {
					list = append(list, map[string]any{"id": id, "removed": true})
				}
				m.Set["items"] = list
				continue
			case "position":
				e.value = map[string]any{"lat": float64(i), "lng": 0.0, "pinned": i%2 == 0}
			}
			setPath(m.Set, strings.Split(path, "."), e.value)
			events = append(events, e)
		}
		res := one(t, w.push(a, w.at(m, s.ago)))
		if res.Status == Rejected {
			t.Fatalf("refused: %v", res.Error)
		}
	}
	return w, events
}

func setPath(into map[string]any, names []string, v any) {
	if len(names) == 1 {
		into[names[0]] = v
		return
	}
	inner, _ := into[names[0]].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
		into[names[0]] = inner
	}
	setPath(inner, names[1:], v)
}

// Each value that anybody set is shown, or in a conflict, or was replaced by
// somebody who had seen it or by the same device.
func TestNoValueIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w, events := play(t, drawHistory(rt))
		conflicts := w.all(kindConflict)
		for i, e := range events {
			if equal(w.field("client", e.doc, e.path), e.value) || inConflict(conflicts, e) || replaced(events[i+1:], e) {
				continue
			}
			rt.Fatalf("%s of %s, set by %s at %d, is lost: %v", e.path, e.doc, e.origin, e.rev, e.value)
		}
	})
}

func inConflict(conflicts []*Document, e setEvent) bool {
	return slices.ContainsFunc(conflicts, func(c *Document) bool {
		f := c.Fields
		return f["docId"] == e.doc && f["field"] == e.path && (equal(f["kept"], e.value) || equal(f["discarded"], e.value))
	})
}

func replaced(later []setEvent, e setEvent) bool {
	return slices.ContainsFunc(later, func(l setEvent) bool {
		return l.doc == e.doc && l.path == e.path && (l.base >= e.rev || l.origin == e.origin)
	})
}

func TestNobodyConflictsWithHimself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w, _ := play(t, drawHistory(rt))
		for _, c := range w.all(kindConflict) {
			by, _ := c.Fields["by"].(map[string]any)
			other, _ := c.Fields["other"].(map[string]any)
			me := Actor{User: by["user"].(string), Device: by["device"].(string)}.Origin()
			if other["origin"] == me {
				rt.Fatalf("%s in conflict with itself about %v", me, c.Fields["field"])
			}
		}
	})
}

func TestNoElementIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawHistory(rt)
		w, _ := play(t, steps)
		there := map[string]map[string]bool{"c1": {}, "c2": {}}
		for i, s := range steps {
			if slices.Contains(s.paths, "items") {
				there[s.doc][fmt.Sprint("e", i%5)] = true
				for _, id := range s.drop {
					delete(there[s.doc], id)
				}
			}
		}
		for doc, ids := range there {
			list, _ := w.field("client", doc, "items").([]any)
			if len(list) != len(ids) {
				rt.Fatalf("%s has %v, want %v", doc, list, ids)
			}
			for _, e := range list {
				if !ids[elementID(e)] {
					rt.Fatalf("%s has %v, want %v", doc, list, ids)
				}
			}
		}
	})
}

// The same pushes on the same state give the same documents, those of
// conflicts included: what is evaluated again after a failed append is the
// same.
func TestEvaluationIsDeterministic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawHistory(rt)
		a, _ := play(t, steps)
		b, _ := play(t, steps)
		for i := range a.journal {
			if !reflect.DeepEqual(a.journal[i].Changes, b.journal[i].Changes) || !reflect.DeepEqual(a.journal[i].Outcomes, b.journal[i].Outcomes) {
				rt.Fatalf("commit %d differs", i+1)
			}
		}
	})
}

// What a batch answers about documents is what the state answers once the
// batch has become part of it, whatever was refused and undone on the way.
func TestBatchAnswersLikeTheStateItBecomes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newPushWorld(t)
		b := w.batch()
		var all []*staged
		for range rapid.IntRange(1, 4).Draw(rt, "requests") {
			muts := rapid.SliceOfN(rapid.Custom(drawMutation), 1, 8).Draw(rt, "mutations")
			a := rapid.SampledFrom([]Actor{admin, office, ann, bob}).Draw(rt, "actor")
			s, err := b.push(context.Background(), a, w.head(), &PushRequest{Mutations: w.withIDs(muts)}, w.outcome)
			if err != nil {
				rt.Fatal(err)
			}
			all = append(all, s)
		}
		before := answers(rt, b)
		for _, s := range all {
			w.confirm(s)
		}
		after := answers(rt, w.batch())
		for question, answer := range before {
			if answer != after[question] {
				rt.Fatalf("%s: the batch says %s, the state %s", question, answer, after[question])
			}
		}
	})
}

func drawMutation(rt *rapid.T) Mutation {
	id := func(prefix string) string { return fmt.Sprint(prefix, rapid.IntRange(1, 3).Draw(rt, prefix)) }
	m := Mutation{Group: rapid.SampledFrom([]string{"", "", "g", "h"}).Draw(rt, "group")}
	m.Op = rapid.SampledFrom([]Op{Create, Create, Update, Update, Update, Delete}).Draw(rt, "op")
	switch rapid.IntRange(0, 3).Draw(rt, "kind") {
	case 0:
		m.Kind, m.DocID = "client", id("c")
		name := rapid.SampledFrom([]string{"one", "two", "refuse me"}).Draw(rt, "name")
		m.Set = Fields{"name": name, "parentId": id("c")}
	case 1:
		m.Kind, m.DocID = "place", id("p")
		m.Set = Fields{"name": rapid.SampledFrom([]string{"x", "too late"}).Draw(rt, "name"), "clientId": id("c"), "main": rapid.Bool().Draw(rt, "main")}
	case 2:
		m.Kind, m.DocID = "photo", id("f")
		m.Set = Fields{"placeId": id("p")}
	default:
		m.Kind, m.DocID = "task", id("t")
		m.Set = Fields{"clientId": id("c")}
	}
	return m
}

// answers asks a batch everything that rules can ask about documents.
func answers(rt *rapid.T, b *batch) map[string]string {
	out := map[string]string{}
	for _, kind := range []string{"client", "place", "photo", "task"} {
		for _, prefix := range []string{"c", "p", "f", "t"} {
			for n := range 4 {
				key := Key{kind, fmt.Sprint(prefix, n)}
				f, ok := b.find(key)
				out["find "+key.String()] = fmt.Sprint(f.rev, f.scope, f.deleted, ok)
				if ok {
					d, err := b.load(context.Background(), key)
					if err != nil {
						rt.Fatal(err)
					}
					out["load "+key.String()] = fmt.Sprint(d.version())
				}
				out["referrers "+key.String()] = fmt.Sprint(b.referrers(key, ""), b.referrers(key, "place"))
				out["scope "+key.String()] = fmt.Sprint(b.inScope(kind + ":" + key.ID))
			}
		}
	}
	for _, name := range []string{"ONE", "two", "one (2)", "bell", "ampère"} {
		id, err := b.byUnique(context.Background(), "client", "name", name)
		if err != nil {
			rt.Fatal(err)
		}
		out["name "+name] = id
	}
	return out
}

// jsonValue gives any JSON value, nested at most so deep.
func jsonValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.Int32(), func(v int32) any { return float64(v) }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(jsonValue(depth-1), 0, 3), func(v []any) any { return v }),
			rapid.Map(rapid.MapOfN(rapid.String(), jsonValue(depth-1), 0, 3), func(v map[string]any) any { return v }))
	}
	return rapid.OneOf(kinds...)
}

func TestCanonicalFormIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := jsonValue(3).Draw(rt, "value")
		got, err := appendJSON(nil, v)
		if err != nil {
			rt.Fatal(err)
		}
		want, err := marshal(v)
		if err != nil {
			rt.Fatal(err)
		}
		if string(got) != string(want) {
			rt.Fatalf("got %s, want %s", got, want)
		}
		var back any
		if err := json.Unmarshal(got, &back); err != nil {
			rt.Fatal(err)
		}
		if c := clone(back); !equal(back, c) || !reflect.DeepEqual(back, c) {
			rt.Fatalf("the clone of %v is %v", back, c)
		}
		if other := jsonValue(3).Draw(rt, "other"); equal(v, other) != reflect.DeepEqual(v, other) {
			rt.Fatalf("equal(%v, %v) is %v", v, other, equal(v, other))
		}
	})
}

func TestCanonicalStrings(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a\"\\b", "\x00\x1f\x7f", "<é&>", "\u2028\u2029", "\xff", "a\xc3", "\uFFFD", "\U0001F600"} {
		want, err := marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); string(got) != string(want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

func TestCanonicalFormRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	for _, v := range []any{7, []string{"a"}, time.Now(), map[string]any{"a": []any{uint8(1)}}, struct{}{}} {
		if b, err := appendJSON(nil, v); err == nil {
			t.Errorf("%T became %s", v, b)
		}
	}
}

func TestMarksAndDocumentsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		mark := rapid.Custom(func(rt *rapid.T) Mark {
			return Mark{
				Rev: rapid.Uint64().Draw(rt, "rev"), By: rapid.String().Draw(rt, "by"), Office: rapid.Bool().Draw(rt, "office"),
				At: time.UnixMicro(rapid.Int64Range(-1e15, 1e15).Draw(rt, "at")).UTC(),
			}
		})
		d := &Document{
			Key: Key{"client", "c1"}, Rev: rapid.Uint64().Draw(rt, "rev"), Scope: rapid.StringMatching(`[a-z:]*`).Draw(rt, "scope"),
			CreatedAt: time.UnixMicro(7).UTC(), UpdatedAt: time.UnixMicro(7e15).UTC(),
			Fields: rapid.MapOfN(rapid.StringMatching(`[a-z]{1,3}`), jsonValue(3), 1, 4).Draw(rt, "fields"),
			Marks:  Marks(rapid.MapOfN(rapid.String(), mark, 1, 4).Draw(rt, "marks")),
		}
		for name := range reserved {
			delete(d.Fields, name)
		}
		body, err := d.encode()
		if err != nil {
			rt.Fatal(err)
		}
		got, err := decodeDocument(&Version{Key: d.Key, Rev: d.Rev, Scope: d.Scope, Body: body, Marks: d.Marks.encode()})
		if err != nil {
			rt.Fatal(err)
		}
		again, err := got.encode()
		if err != nil || string(again) != string(body) {
			rt.Fatalf("%v: %s became %s", err, body, again)
		}
		if !reflect.DeepEqual(got.Marks, d.Marks) {
			rt.Fatalf("got %v, want %v", got.Marks, d.Marks)
		}
	})
}
