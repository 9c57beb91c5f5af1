package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// moment is one commit with what was there before it.
type moment struct {
	w          *world
	c          *sync.Commit
	old        map[sync.Key]*doc // the changed documents before; nil: none
	mutations  []*sent           // pushed ones that took effect in it
	technician bool              // it was pushed by one
	before     map[sync.Key]*doc // and this is what he saw before
}

func (at *moment) check() error {
	if len(at.c.Encode()) > sync.MaxCommitBytes {
		return violated("size", "commit %d has %d bytes", at.c.Number, len(at.c.Encode()))
	}
	for _, f := range []func() error{at.checkOwnConflicts, at.checkMerging, at.checkElements, at.checkStates, at.checkAuthority} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// mark says who set a field last, and in which commit.
type mark struct {
	rev    uint64
	origin string
}

// merged are the fields whose merging is followed value by value: plain ones
// of the policies latest and office. Every value written to them is unique.
var merged = map[string][]string{
	"client":    {"note", "companyName", "custom.a", "custom.b"},
	"contact":   {"position"},
	"equipment": {"model", "custom.a"},
	"location":  {"accessNotes"},
	"task":      {"description", "custom.a", "custom.b"},
}

// valueAt gives the value at a path of one or two members.
func valueAt(f sync.Fields, path string) any {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		return f[first]
	}
	inner, _ := f[first].(map[string]any)
	return inner[rest]
}

// checkMerging: each value is current, or in a conflict, or was replaced by
// one whose base had seen it; and notes who set what.
func (at *moment) checkMerging() error {
	for i := range at.c.Changes {
		key := at.c.Changes[i].Key
		now := at.w.model.docs[key]
		if at.w.fields[key] == nil {
			at.w.fields[key] = map[string]mark{}
		}
		for _, path := range merged[key.Kind] {
			if err := at.checkField(key, now, path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (at *moment) checkField(key sync.Key, now *doc, path string) error {
	var was any
	if old := at.old[key]; old != nil {
		was = valueAt(old.f, path)
	}
	is := valueAt(now.f, path)
	writers := at.writersOf(key, path)
	for i, s := range writers {
		v := valueAt(s.Set, path)
		later := i+1 < len(writers) // by the same device, in order
		if v != nil && v != is && !later && !now.deleted && !at.inConflict(key, path, v) {
			return violated("merging", "commit %d: %v of %s %s is neither shown nor in a conflict", at.c.Number, v, key, path)
		}
	}
	if was == is {
		return nil
	}
	before := at.w.fields[key][path]
	at.w.fields[key][path] = mark{at.c.Number, at.c.Actor.Origin()}
	if was == nil || at.c.Cause.Kind != "push" || before.origin == at.c.Actor.Origin() || at.inConflict(key, path, was) {
		return nil
	}
	if slices.ContainsFunc(writers, func(s *sent) bool { return s.Base >= before.rev }) {
		return nil
	}
	return violated("merging", "commit %d: %v of %s %s (commit %d by %s) was replaced by %v, whose base had not seen it", at.c.Number, was, key, path, before.rev, before.origin, is)
}

// writersOf are the mutations of this commit that touch the field, in order.
func (at *moment) writersOf(key sync.Key, path string) []*sent {
	first, _, _ := strings.Cut(path, ".")
	var out []*sent
	for _, s := range at.mutationsOf(key) {
		if valueAt(s.Set, path) != nil || slices.Contains(s.Unset, first) {
			out = append(out, s)
		}
	}
	return out
}

// conflicts are those that this commit made.
func (at *moment) conflicts() []*doc {
	var out []*doc
	for i := range at.c.Changes {
		if k := at.c.Changes[i].Key; k.Kind == "conflict" && at.old[k] == nil {
			out = append(out, at.w.model.docs[k])
		}
	}
	return out
}

func (at *moment) inConflict(key sync.Key, path string, value any) bool {
	return slices.ContainsFunc(at.conflicts(), func(x *doc) bool {
		return x.text("docKind") == key.Kind && x.text("docId") == key.ID && x.text("field") == path && x.f["discarded"] == value
	})
}

// checkOwnConflicts: nobody is ever in conflict with himself.
func (at *moment) checkOwnConflicts() error {
	for _, x := range at.conflicts() {
		other, _ := x.f["other"].(map[string]any)
		if other["origin"] == at.c.Actor.Origin() {
			return violated("merging", "commit %d: %s is in conflict with itself about %s of %s/%s", at.c.Number, other["origin"], x.text("field"), x.text("docKind"), x.text("docId"))
		}
	}
	return nil
}

// checkElements: no element of a list is lost, whoever adds to it.
func (at *moment) checkElements() error {
	for i := range at.c.Changes {
		key := at.c.Changes[i].Key
		now, old := at.w.model.docs[key], at.old[key]
		if key.Kind != "task" || now.deleted {
			continue
		}
		var want []string
		if old != nil {
			want = append(elementIDs(old.f, "items"), elementIDs(old.f, "events")...)
		}
		for _, s := range at.mutationsOf(key) {
			want = append(want, elementIDs(s.Set, "items")...)
		}
		have := append(elementIDs(now.f, "items"), elementIDs(now.f, "events")...)
		for _, id := range want {
			if !slices.Contains(have, id) {
				return violated("merging", "commit %d: element %s of %s is lost", at.c.Number, id, key)
			}
		}
	}
	return nil
}

func elementIDs(f sync.Fields, field string) []string {
	list, _ := f[field].([]any)
	var out []string
	for _, v := range list {
		e, _ := v.(map[string]any)
		if id, _ := e["id"].(string); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// checkStates: a state that a technician reached is an event of the task,
// whatever became of the task meanwhile.
func (at *moment) checkStates() error {
	if !at.technician {
		return nil
	}
	want := map[sync.Key]map[string]int{}
	for _, s := range at.mutations {
		if state, ok := s.Set["state"].(string); ok && s.Kind == "task" {
			if want[s.Key()] == nil {
				want[s.Key()] = map[string]int{}
			}
			want[s.Key()][state]++
		}
	}
	for key, states := range want {
		var before sync.Fields
		if at.old[key] != nil {
			before = at.old[key].f
		}
		for state, n := range states {
			got := eventsOf(at.w.model.docs[key].f, state) - eventsOf(before, state)
			if got < n {
				return violated("facts", "commit %d: %s reached %s %d times, %d events say so", at.c.Number, key, state, n, got)
			}
		}
	}
	return nil
}

func eventsOf(f sync.Fields, state string) int {
	n := 0
	list, _ := f["events"].([]any)
	for _, v := range list {
		if e, _ := v.(map[string]any); e["state"] == state {
			n++
		}
	}
	return n
}

// grace is how long a lost scope still counts for what a device sends.
const grace = 30 * 24 * time.Hour

// checkAuthority: what a technician changed was his to change, what he
// referred to was his to see, and he sees no more than he did but for what he
// made, or had when he last heard from the server.
func (at *moment) checkAuthority() error {
	if !at.technician {
		return nil
	}
	for _, s := range at.mutations {
		if err := at.checkReach(s); err != nil {
			return err
		}
	}
	since := at.since()
	for key, d := range at.w.model.view(at.c.Actor.User) {
		if at.before[key] == nil && d.rev != at.c.Number && !at.had(d.scope, since, at.c.Number-1) && !at.broughtBack(d.scope) {
			return violated("authority", "commit %d: %s gave himself %s in %s by%s", at.c.Number, at.c.Actor.Device, key, d.scope, at.done())
		}
	}
	return nil
}

// broughtBack says whether a task that had left the actor's phone, because it
// was finished or deleted, brings a scope along as it returns: with a task
// comes all that it named before.
func (at *moment) broughtBack(scope string) bool {
	for key, old := range at.old {
		if key.Kind != "task" || old == nil {
			continue
		}
		if scope == "clientFile:"+old.text("clientId") || scope == "client:"+old.text("clientId") {
			return true
		}
		for _, ref := range references(old.f) {
			if d := at.w.model.docs[ref]; d != nil && !d.deleted && d.scope == scope {
				return true
			}
		}
	}
	return false
}

// done tells what took effect in the commit.
func (at *moment) done() string {
	var all []sync.Mutation
	for _, s := range at.mutations {
		all = append(all, s.Mutation)
	}
	return describe(all)
}

func (at *moment) since() uint64 {
	since := at.c.Number
	for _, s := range at.mutations {
		since = min(since, s.since)
	}
	return since
}

// had says whether the commit's actor held a scope in that time.
func (at *moment) had(scope string, from, to uint64) bool {
	return at.w.model.heldSince(at.c.Actor.User, scope, from, to, at.c.At, grace)
}

func (at *moment) checkReach(s *sent) error {
	now := at.w.model.docs[s.Key()]
	old, changed := at.old[s.Key()]
	if !changed {
		old = now
	}
	if now == nil {
		return violated("authority", "commit %d: %s %s took effect on nothing", at.c.Number, s.Op, s.Key())
	}
	if old != nil && !at.had(old.scope, s.since, at.c.Number) {
		return violated("authority", "commit %d: %s changed %s in %s, which was not his since %d: %v", at.c.Number, at.c.Actor.Device, s.Key(), old.scope, s.since, at.w.model.spans[at.c.Actor.User][old.scope])
	}
	alone := len(at.mutationsOf(s.Key())) == 1 // else a later one may have given away what this one made
	if (old != nil || alone) && !at.had(now.scope, s.since, at.c.Number) {
		return violated("authority", "commit %d: %s put %s into %s, which was not his since %d: %v", at.c.Number, at.c.Actor.Device, s.Key(), now.scope, s.since, at.w.model.spans[at.c.Actor.User][now.scope])
	}
	var known []sync.Key // named before, and no news
	if old != nil {
		known = references(old.f)
	}
	for _, ref := range references(s.Set) {
		if slices.Contains(known, ref) {
			continue
		}
		d, was := at.w.model.docs[ref], at.old[ref]
		made := was == nil && d != nil && d.rev == at.c.Number
		if was == nil {
			was = d
		}
		if d == nil || !made && !at.broughtBack(d.scope) && !at.had(d.scope, s.since, at.c.Number-1) && !at.had(was.scope, s.since, at.c.Number-1) {
			return violated("authority", "commit %d: %s referred to %s, in %s, which was not his to see since %d, by%s", at.c.Number, at.c.Actor.Device, ref, d.scope, s.since, at.done())
		}
	}
	return nil
}

// mutationsOf are those of this commit that are about a document.
func (at *moment) mutationsOf(key sync.Key) []*sent {
	var out []*sent
	for _, s := range at.mutations {
		if s.Key() == key {
			out = append(out, s)
		}
	}
	return out
}

// references to other documents among the fields.
func references(set sync.Fields) []sync.Key {
	var out []sync.Key
	for field, kind := range map[string]string{"clientId": "client", "locationId": "location", "contactId": "contact"} {
		if id, ok := set[field].(string); ok && id != "" {
			out = append(out, sync.Key{Kind: kind, ID: id})
		}
	}
	list, _ := set["equipmentIds"].([]any)
	for _, v := range list {
		out = append(out, sync.Key{Kind: "equipment", ID: fmt.Sprint(v)})
	}
	return out
}
