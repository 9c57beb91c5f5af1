package simulate

import (
	"context"
	"errors"
	"strings"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/sync"
)

// fieldWork is what somebody does on a device, with or without a connection.
func (w *world) fieldWork(ctx context.Context) error {
	p := pick(w, w.phones)
	var changes []device.Change
	for range pick(w, []int{1, 1, 1, 2, 3}) {
		if c := pick(w, w.tasksInHand())(p); c != nil {
			changes = append(changes, *c)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	w.logf("%s does %v", p.actor.Device, changes)
	_, err := p.dev.Do(ctx, changes...)
	if errors.Is(err, device.ErrRevoked) {
		return nil
	}
	return err
}

// tasksInHand are the things that are done on devices.
func (w *world) tasksInHand() []func(*phone) *device.Change {
	return []func(*phone) *device.Change{
		w.editOnPhone, w.editOnPhone, w.editOnPhone, w.editOnPhone,
		w.stepOnPhone, w.stepOnPhone, w.stepOnPhone, w.addItem, w.addItem,
		w.createOnPhone, w.createOnPhone, w.taskOnPhone, w.moveOnPhone,
		w.deleteOnPhone, w.trespass, w.namePieces, w.assignOnPhone,
	}
}

// seen is a document of a kind that the device shows; nil if there is none.
func (w *world) seen(p *phone, kind string) *device.Key {
	keys := p.dev.Keys(kind)
	if len(keys) == 0 {
		return nil
	}
	return &keys[w.rng.IntN(len(keys))]
}

func (w *world) editOnPhone(p *phone) *device.Change {
	kind := pick(w, []string{"client", "client", "equipment", "contact", "location", "task", "task"})
	k := w.seen(p, kind)
	if k == nil {
		return nil
	}
	if kind == "client" && w.chance(10) {
		return &device.Change{Op: device.Update, Key: *k, Set: device.Fields{"name": w.clientName()}}
	}
	return &device.Change{Op: device.Update, Key: *k, Set: w.newValue(kind)}
}

// stepOnPhone reaches some state, allowed or not.
func (w *world) stepOnPhone(p *phone) *device.Change {
	k := w.seen(p, "task")
	if k == nil {
		return nil
	}
	state := pick(w, []string{"enRoute", "enRoute", "inProgress", "inProgress", "completed", "incomplete", "dispatched", "scheduled"})
	set := device.Fields{"state": state, "reason": "because"}
	if w.chance(40) {
		set["signature"] = map[string]any{"outcome": "signed", "name": w.value(), "drawing": "M0 0"}
	}
	return &device.Change{Op: device.Update, Key: *k, Set: set}
}

func (w *world) addItem(p *phone) *device.Change {
	k := w.seen(p, "task")
	if k == nil {
		return nil
	}
	items := []any{map[string]any{"id": w.value(), "text": "Filter", "quantity": 1.0}}
	return &device.Change{Op: device.Update, Key: *k, Set: device.Fields{"items": items}}
}

func (w *world) createOnPhone(p *phone) *device.Change {
	kind := pick(w, []string{"client", "contact", "location", "equipment"})
	key := device.Key{Kind: kind, ID: w.value()}
	if kind == "client" {
		return &device.Change{Op: device.Create, Key: key, Set: device.Fields{"name": w.clientName()}}
	}
	c := w.seen(p, "client")
	if c == nil {
		return nil
	}
	return &device.Change{Op: device.Create, Key: key, Set: only(kind, device.Fields{"name": "Found", "clientId": c.ID})}
}

// only leaves what the kind has: a contact has a last name.
func only(kind string, f sync.Fields) sync.Fields {
	if kind == "contact" {
		f["lastName"] = f["name"]
		delete(f, "name")
	}
	return f
}

func (w *world) taskOnPhone(p *phone) *device.Change {
	set := device.Fields{"summary": "Seen on site", "description": w.value()}
	if c := w.seen(p, "client"); c != nil {
		set["clientId"] = c.ID
	}
	if e := w.seen(p, "equipment"); e != nil && w.chance(50) {
		set["equipmentIds"] = []any{e.ID}
	}
	return &device.Change{Op: device.Create, Key: device.Key{Kind: "task", ID: w.value()}, Set: set}
}

func (w *world) moveOnPhone(p *phone) *device.Change {
	k, c := w.seen(p, pick(w, []string{"equipment", "contact"})), w.seen(p, "client")
	if k == nil || c == nil {
		return nil
	}
	return &device.Change{Op: device.Update, Key: *k, Set: device.Fields{"clientId": c.ID}}
}

func (w *world) deleteOnPhone(p *phone) *device.Change {
	k := w.seen(p, pick(w, []string{"equipment", "contact", "client", "task"}))
	if k == nil || w.chance(50) {
		return nil
	}
	return &device.Change{Op: device.Delete, Key: *k}
}

// trespass tries to reach what may not be this person's: any document at all,
// or a field that is not for the field.
func (w *world) trespass(p *phone) *device.Change {
	d := pick(w, w.model.all(""))
	if d == nil {
		return nil
	}
	key := device.Key(d.key)
	switch w.rng.IntN(4) {
	case 0:
		return &device.Change{Op: device.Delete, Key: key}
	case 1:
		return &device.Change{Op: device.Update, Key: key, Set: device.Fields{"clientId": pick(w, w.model.ids("client"))}}
	case 2:
		k := w.seen(p, "task")
		if e := pick(w, w.model.ids("equipment")); k != nil && e != "" {
			return &device.Change{Op: device.Update, Key: *k, Set: device.Fields{"equipmentIds": []any{e}}}
		}
	}
	return &device.Change{Op: device.Update, Key: key, Set: device.Fields{"note": w.value(), "description": w.value()}}
}

// namePieces changes what a task says it is about.
func (w *world) namePieces(p *phone) *device.Change {
	k, e := w.seen(p, "task"), w.seen(p, "equipment")
	if k == nil || e == nil {
		return nil
	}
	return &device.Change{Op: device.Update, Key: *k, Set: device.Fields{"equipmentIds": []any{e.ID}}}
}

// assignOnPhone is for dispatchers; technicians are refused.
func (w *world) assignOnPhone(p *phone) *device.Change {
	k := w.seen(p, pick(w, []string{"client", "task"}))
	if k == nil {
		return nil
	}
	field := map[string]string{"client": "assignedEmployeeIds", "task": "employeeIds"}[k.Kind]
	return &device.Change{Op: device.Update, Key: *k, Set: device.Fields{field: some(w, technicians())}}
}

// assignPath makes the fields that set one path.
func assignPath(path string, value any) sync.Fields {
	first, rest, nested := strings.Cut(path, ".")
	if nested {
		value = sync.Fields{rest: value}
	}
	return sync.Fields{first: value}
}
