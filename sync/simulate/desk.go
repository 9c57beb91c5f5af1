package simulate

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// errand is one write by somebody at a desk, or by the server itself.
type errand struct {
	actor sync.Actor
	at    *node // that is asked; nil: any
	sync.Write
}

// deskWork does one errand.
func (w *world) deskWork(ctx context.Context) error { return w.deskWorkAt(ctx, nil) }

// deskWorkAt does it at a node.
func (w *world) deskWorkAt(ctx context.Context, n *node) error {
	e := w.prepareDesk()
	if e == nil {
		return nil
	}
	e.at = n
	return w.write(ctx, e)
}

// write does an errand; one with a key is done again while nobody knows
// whether it was.
func (w *world) write(ctx context.Context, e *errand) error {
	w.sends(e.actor, e.Mutations, 0, true)
	if e.Key != uuid.Nil {
		w.sends(e.actor, []sync.Mutation{{ID: e.Key, Kind: "write", Op: "write"}}, 0, true)
	}
	const tries = 4
	for range tries {
		got, how, err := ask(w.server, e.at, func(n *node) (*sync.Written, error) { return n.ws.Write(ctx, e.actor, e.Write) })
		if err == nil {
			return w.written(e, got)
		}
		_ = w.refused("write", how, err)
		if e.Key == uuid.Nil || !fault.Is(err, fault.Unavailable) {
			return nil
		}
		w.count("write again with its key")
	}
	return nil
}

// written notes that a keyed write was acknowledged.
func (w *world) written(e *errand, got *sync.Written) error {
	w.learns(got.Rev)
	if e.Key == uuid.Nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[e.Key].answered = &sync.Result{ID: e.Key, Status: sync.Applied, Rev: got.Rev}
	return nil
}

// prepareDesk draws an errand; nil if nobody can do it.
func (w *world) prepareDesk() *errand {
	var office []string
	for _, e := range w.model.all("employee") {
		if e.flag("active") && e.text("role") != "technician" {
			office = append(office, e.key.ID)
		}
	}
	who := pick(w, office)
	if w.chance(50) {
		who = "anne" // many things only an administrator may do
	}
	job := pick(w, jobs())
	all := job.do(w)
	if len(all) == 0 {
		return nil
	}
	e := &errand{actor: sync.Actor{User: who, Name: who}, Write: sync.Write{Cause: sync.Cause{Kind: "api"}, Mutations: all}}
	if job.system {
		e.actor, e.Admit = sync.System("simulation"), true
	}
	if w.chance(30) {
		e.Key = w.uuid()
	}
	w.logf("%s: %s: %s", e.actor.Name, job.name, describe(all))
	return e
}

func describe(all []sync.Mutation) string {
	text := ""
	for i := range all {
		text += fmt.Sprintf(" %s %s %v %v", all[i].Op, all[i].Key(), all[i].Set, all[i].Unset)
	}
	return text
}

// job is something that is done at a desk.
type job struct {
	name   string
	do     func(*world) []sync.Mutation
	system bool
}

func jobs() []job {
	return []job{
		{name: "assign", do: (*world).assign},
		{name: "assign", do: (*world).assign},
		{name: "staff the team", do: (*world).staffTeam},
		{name: "change the profile", do: (*world).changeProfile},
		{name: "change the employee", do: (*world).changeEmployee},
		{name: "disable or enable", do: (*world).disable},
		{name: "delete", do: (*world).remove},
		{name: "move", do: (*world).move},
		{name: "move", do: (*world).move},
		{name: "register", do: (*world).register},
		{name: "plan", do: (*world).planTask},
		{name: "plan", do: (*world).planTask},
		{name: "step", do: (*world).stepTask},
		{name: "step", do: (*world).stepTask},
		{name: "step", do: (*world).stepTask},
		{name: "replan", do: (*world).replanTask},
		{name: "replan", do: (*world).replanTask},
		{name: "rename", do: (*world).edit},
		{name: "edit", do: (*world).edit},
		{name: "edit", do: (*world).edit},
		{name: "settle", do: (*world).settleConflict},
		{name: "change the settings", do: (*world).changeSettings},
		{name: "keep a secret", do: (*world).keepSecret, system: true},
	}
}

func one(m sync.Mutation) []sync.Mutation { return []sync.Mutation{m} }

// technicians are the people of the field, whatever became of them.
func technicians() []string { return []string{"tom", "eve", "max", "lea"} }

func (w *world) assign() []sync.Mutation {
	c := pick(w, w.model.ids("client"))
	if c == "" {
		return nil
	}
	set := sync.Fields{"assignedEmployeeIds": some(w, technicians())}
	if w.chance(40) {
		set["assignedTeamIds"] = some(w, w.model.ids("team"))
	}
	return one(w.mutation(sync.Update, "client", c, set))
}

func (w *world) staffTeam() []sync.Mutation {
	set := sync.Fields{"memberIds": some(w, technicians())}
	if t := pick(w, w.model.ids("team")); t != "" && w.chance(85) {
		return one(w.mutation(sync.Update, "team", t, set))
	}
	set["name"] = w.value()
	return one(w.mutation(sync.Create, "team", w.value(), set))
}

func (w *world) changeProfile() []sync.Mutation {
	p := pick(w, w.model.ids("mobileProfile"))
	set := sync.Fields{"windowDaysPast": float64(w.rng.IntN(4)), "windowDaysFuture": float64(w.rng.IntN(4))}
	if w.chance(60) {
		set = sync.Fields{"filterClientsByAssignment": w.chance(50)}
	}
	return one(w.mutation(sync.Update, "mobileProfile", p, set))
}

func (w *world) changeEmployee() []sync.Mutation {
	who := pick(w, append(technicians(), "denis"))
	switch w.rng.IntN(10) {
	case 0, 1:
		return one(w.mutation(sync.Update, "employee", who, sync.Fields{"role": pick(w, []string{"technician", "technician", "dispatcher", "admin"})}))
	case 2, 3:
		return one(w.mutation(sync.Update, "employee", who, sync.Fields{"active": w.chance(70)}))
	case 4:
		if w.chance(20) {
			return one(w.mutation(sync.Delete, "employee", who, nil))
		}
	}
	set := sync.Fields{"mobileProfileId": pick(w, w.model.ids("mobileProfile")), "active": true}
	if w.chance(20) {
		set["mobileProfileId"] = nil
	}
	return one(w.mutation(sync.Update, "employee", who, set))
}

func (w *world) disable() []sync.Mutation {
	c := pick(w, w.model.all("client"))
	if c == nil {
		return nil
	}
	return one(w.mutation(sync.Update, "client", c.key.ID, sync.Fields{"disabled": !c.flag("disabled")}))
}

func (w *world) remove() []sync.Mutation {
	d := pick(w, w.model.all(pick(w, []string{"client", "contact", "location", "equipment", "equipment", "task", "team"})))
	if d == nil {
		return nil
	}
	return one(w.mutation(sync.Delete, d.key.Kind, d.key.ID, nil))
}

func (w *world) move() []sync.Mutation {
	d := pick(w, w.model.all(pick(w, []string{"contact", "location", "equipment", "equipment"})))
	c := pick(w, w.model.ids("client"))
	if d == nil || c == "" {
		return nil
	}
	m := w.mutation(sync.Update, d.key.Kind, d.key.ID, sync.Fields{"clientId": c})
	if d.key.Kind == "location" && w.chance(20) {
		m.Set, m.Unset = nil, []string{"clientId"}
	}
	return one(m)
}

func (w *world) register() []sync.Mutation {
	if w.chance(40) {
		return one(w.mutation(sync.Create, "client", w.value(), sync.Fields{"name": w.clientName(), "assignedEmployeeIds": some(w, technicians())}))
	}
	c := pick(w, w.model.ids("client"))
	if c == "" {
		return nil
	}
	kind := pick(w, []string{"contact", "location", "equipment"})
	return one(w.mutation(sync.Create, kind, w.value(), only(kind, sync.Fields{"name": "New", "clientId": c})))
}

// clientName is one of few, so that names clash.
func (w *world) clientName() string { return fmt.Sprintf("Dupont %d", w.rng.IntN(6)) }

// planTask makes a task, for a client and whatever else it may name.
func (w *world) planTask() []sync.Mutation {
	set := sync.Fields{"state": pick(w, []string{"draft", "scheduled", "dispatched", "dispatched"})}
	for name, v := range w.crew() {
		set[name] = v
	}
	for name, v := range w.days() {
		set[name] = v
	}
	for name, v := range w.place() {
		set[name] = v
	}
	return one(w.mutation(sync.Create, "task", w.value(), set))
}

func (w *world) crew() sync.Fields {
	f := sync.Fields{"employeeIds": []any{pick(w, technicians())}}
	if w.chance(30) {
		f["employeeIds"] = some(w, technicians())
	}
	if w.chance(30) {
		f["teamIds"] = some(w, w.model.ids("team"))
	}
	return f
}

func (w *world) days() sync.Fields {
	start := w.clock.Now().Add(time.Duration(w.rng.IntN(200)-100) * time.Hour)
	f := sync.Fields{"plannedStart": start.Format(time.RFC3339), "plannedEnd": nil}
	switch w.rng.IntN(4) {
	case 0, 1:
		f["plannedEnd"] = start.Add(time.Duration(w.rng.IntN(50)) * time.Hour).Format(time.RFC3339)
	case 2:
		f["plannedStart"] = nil
	}
	return f
}

func (w *world) place() sync.Fields {
	f := sync.Fields{}
	if c := pick(w, w.model.ids("client")); c != "" {
		f["clientId"] = c
	}
	if l := pick(w, w.model.ids("location")); l != "" && w.chance(30) {
		f["locationId"] = l
	}
	if k := pick(w, w.model.ids("contact")); k != "" && w.chance(30) {
		f["contactId"] = k
	}
	if e := pick(w, w.model.ids("equipment")); e != "" && w.chance(50) {
		f["equipmentIds"] = []any{e}
	}
	return f
}

// stepTask takes a task on its way, or back.
func (w *world) stepTask() []sync.Mutation {
	t := pick(w, w.model.all("task"))
	if t == nil {
		return nil
	}
	next := map[string][]string{
		"draft": {"scheduled"}, "scheduled": {"dispatched"}, "dispatched": {"scheduled", "enRoute", "inProgress"},
		"enRoute": {"inProgress", "dispatched"}, "inProgress": {"completed", "incomplete"},
		"completed": {"inProgress"}, "incomplete": {"scheduled"}, "cancelled": {"draft"},
	}
	to := pick(w, next[t.text("state")])
	if w.chance(10) {
		to = "cancelled"
	}
	set := sync.Fields{"state": to, "reason": "because"}
	if w.chance(50) {
		set["signature"] = map[string]any{"outcome": "absent", "reason": "nobody there"}
	}
	return one(w.mutation(sync.Update, "task", t.key.ID, set))
}

func (w *world) replanTask() []sync.Mutation {
	t := pick(w, w.model.ids("task"))
	if t == "" {
		return nil
	}
	set := pick(w, []func() sync.Fields{w.crew, w.days, w.place})()
	return one(w.mutation(sync.Update, "task", t, set))
}

// edit gives some field a new value.
func (w *world) edit() []sync.Mutation {
	kind := pick(w, []string{"client", "client", "contact", "equipment", "location", "task", "task"})
	id := pick(w, w.model.ids(kind))
	if id == "" {
		return nil
	}
	if kind == "client" && w.chance(15) {
		return one(w.mutation(sync.Update, kind, id, sync.Fields{"name": w.clientName()}))
	}
	return one(w.mutation(sync.Update, kind, id, w.newValue(kind)))
}

// newValue sets one of the fields whose merging is followed.
func (w *world) newValue(kind string) sync.Fields {
	return assignPath(pick(w, merged[kind]), w.value())
}

func (w *world) settleConflict() []sync.Mutation {
	x := pick(w, w.model.ids("conflict"))
	if x == "" {
		return nil
	}
	return one(w.mutation(sync.Update, "conflict", x, sync.Fields{"resolved": w.chance(70)}))
}

func (w *world) changeSettings() []sync.Mutation {
	set := sync.Fields{"name": w.value()}
	if w.chance(40) {
		set["timeZone"] = pick(w, []string{"America/Toronto", "Pacific/Auckland", "America/Vancouver", "Europe/Paris"})
	}
	return one(w.mutation(sync.Update, "workspaceSettings", "settings", set))
}

func (w *world) keepSecret() []sync.Mutation {
	return one(w.mutation(sync.Create, kindSecret, w.value(), sync.Fields{"of": pick(w, technicians())}))
}
