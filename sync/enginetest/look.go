package enginetest

import (
	"encoding/json"

	"github.com/enroute-field/enroute/sync"
)

// Console is an employee at a desk.
func Console(employee string) sync.Actor { return sync.Actor{User: employee, Name: employee} }

// Phone is an employee with a device.
func Phone(employee string) sync.Actor {
	return sync.Actor{User: employee, Device: "phone-" + employee, Name: employee}
}

// Write does as a console or an integration: all of it, or an error.
func (w *World) Write(a sync.Actor, changes ...sync.Mutation) error {
	w.t.Helper()
	_, err := w.Workspace.Write(w.t.Context(), a, sync.Write{
		Cause: sync.Cause{Kind: "api"}, Mutations: changes, Admit: a.User == "",
	})
	return err
}

// MustWrite is a Write that must succeed.
func (w *World) MustWrite(a sync.Actor, changes ...sync.Mutation) {
	w.t.Helper()
	if err := w.Write(a, changes...); err != nil {
		w.t.Fatalf("write as %q: %v", a.Name, err)
	}
}

// Push does as a device whose clock is right.
func (w *World) Push(a sync.Actor, changes ...sync.Mutation) []sync.Result {
	w.t.Helper()
	out, err := w.Workspace.Push(w.t.Context(), a, sync.PushRequest{SentAt: w.Clock.Now(), Mutations: changes})
	if err != nil {
		w.t.Fatalf("push as %q: %v", a.Name, err)
	}
	return out.Results
}

// PushOne pushes one mutation.
func (w *World) PushOne(a sync.Actor, change sync.Mutation) sync.Result {
	w.t.Helper()
	return w.Push(a, change)[0]
}

// Fields of a live document; the test ends if there is none.
func (w *World) Fields(kind, id string) sync.Fields {
	w.t.Helper()
	return w.doc(kind, id).Fields
}

// RevOf a live document; the test ends if there is none.
func (w *World) RevOf(kind, id string) uint64 {
	w.t.Helper()
	return w.doc(kind, id).Rev
}

func (w *World) doc(kind, id string) *sync.Document {
	w.t.Helper()
	d, err := w.Document(w.t.Context(), sync.Key{Kind: kind, ID: id})
	if err != nil {
		w.t.Fatalf("read %s/%s: %v", kind, id, err)
	}
	return d
}

// Has says whether there is such a document.
func (w *World) Has(kind, id string) bool {
	w.t.Helper()
	rev, err := w.Rev(w.t.Context(), sync.Key{Kind: kind, ID: id})
	if err != nil {
		w.t.Fatalf("look for %s/%s: %v", kind, id, err)
	}
	return rev > 0
}

// All are the fields of the live documents of a kind, by id.
func (w *World) All(kind string) map[string]sync.Fields {
	w.t.Helper()
	keys, err := w.Keys(w.t.Context(), kind)
	if err != nil {
		w.t.Fatalf("keys of %s: %v", kind, err)
	}
	out := map[string]sync.Fields{}
	for _, k := range keys {
		out[k.ID] = w.Fields(k.Kind, k.ID)
	}
	return out
}

// Pull everything from a cursor on ("" is from nothing), and the cursor to go on with.
func (w *World) Pull(a sync.Actor, cursor string) (pages []*sync.Page, next string) {
	w.t.Helper()
	for {
		page, err := w.Workspace.Pull(w.t.Context(), a, cursor, 0)
		if err != nil {
			w.t.Fatalf("pull as %q: %v", a.Name, err)
		}
		pages, cursor = append(pages, page), page.Cursor
		if !page.More {
			return pages, cursor
		}
	}
}

// View is what an actor sees: the fields of each document, from a pull from nothing.
func (w *World) View(a sync.Actor) map[sync.Key]sync.Fields {
	w.t.Helper()
	view := map[sync.Key]sync.Fields{}
	pages, _ := w.Pull(a, "")
	for _, page := range pages {
		for _, body := range page.Put {
			var k struct{ Kind, ID string }
			if err := json.Unmarshal(body, &k); err != nil {
				w.t.Fatalf("read a body: %v", err)
			}
			f, err := sync.FieldsOf(body)
			if err != nil {
				w.t.Fatalf("read a body: %v", err)
			}
			view[sync.Key{Kind: k.Kind, ID: k.ID}] = f
		}
	}
	return view
}

// Sees says whether an actor sees a document.
func (w *World) Sees(a sync.Actor, kind, id string) bool {
	w.t.Helper()
	_, ok := w.View(a)[sync.Key{Kind: kind, ID: id}]
	return ok
}
