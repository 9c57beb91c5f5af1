package simulate

import (
	"context"
	"errors"
	"time"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// online are the devices that have a connection.
func (w *world) online() []*phone {
	var out []*phone
	for _, p := range w.phones {
		if p.offline <= w.step {
			out = append(out, p)
		}
	}
	return out
}

// contact is one device that talks to the server for a while.
func (w *world) contact(ctx context.Context) error {
	p := pick(w, w.online())
	if p == nil {
		return nil
	}
	w.logf("%s talks to the server", p.actor.Device)
	switch w.rng.IntN(4) {
	case 0:
		return tolerable(p.dev.Push(ctx))
	case 1:
		return tolerable(p.dev.Sync(ctx))
	}
	err := p.dev.Push(ctx)
	for range 1 + w.rng.IntN(4) {
		if err != nil {
			break
		}
		_, err = p.dev.PullPage(ctx)
	}
	return tolerable(err)
}

// tolerable leaves what a device must live with: lost messages and refusals.
func tolerable(err error) error {
	if v, ok := errors.AsType[*Violation](err); ok {
		return v
	}
	if _, ok := errors.AsType[*device.Problem](err); ok || errors.Is(err, errLost) {
		return nil
	}
	return err
}

func (w *world) lateAnswers(ctx context.Context) error {
	p := pick(w, w.phones)
	if len(p.late) == 0 {
		return nil
	}
	w.logf("late answers reach %s", p.actor.Device)
	return p.receiveLate(ctx, 1+w.rng.IntN(2))
}

// weather changes a device's connection.
func (w *world) weather(context.Context) error {
	p := pick(w, w.phones)
	switch w.rng.IntN(3) {
	case 0:
		p.rough = !p.rough
	case 1:
		p.offline = w.step + w.rng.IntN(60)
		w.logf("%s is offline until step %d", p.actor.Device, p.offline)
	case 2:
		p.limit = pick(w, limits)
		return p.open(context.Background())
	}
	return nil
}

func (w *world) timePasses(context.Context) error {
	d := time.Duration(w.rng.IntN(90)) * time.Minute
	switch {
	case w.chance(3):
		d = time.Duration(20+w.rng.IntN(60)) * 24 * time.Hour
	case w.chance(40):
		d = time.Duration(3+w.rng.IntN(40)) * time.Hour
	}
	before := w.clock.Now().In(w.model.zone()).YearDay()
	w.clock.advance(d)
	if w.clock.Now().In(w.model.zone()).YearDay() != before {
		w.count("new day")
	}
	w.logf("%v pass, it is %v", d, w.clock.Now())
	return nil
}

// repeatOldWork sends something again that was sent long ago, by hand.
func (w *world) repeatOldWork(ctx context.Context) error {
	s := w.sent[pick(w, w.sentIDs())]
	if s == nil || s.answered == nil {
		return nil
	}
	w.logf("%s sends %s %s again", s.actor.Device, s.Op, s.Key())
	w.count("old mutation again")
	all := []sync.Mutation{s.Mutation}
	w.sends(s.actor, all, s.since, false)
	resp, how, err := w.push(ctx, s.actor, all)
	if err != nil {
		return tolerable(w.refused("repetition", how, err))
	}
	return w.answered(all, how, resp)
}

// push by hand.
func (w *world) push(ctx context.Context, a sync.Actor, all []sync.Mutation) (*sync.PushResponse, asked, error) {
	return ask(w.server, nil, func(n *node) (*sync.PushResponse, error) {
		return n.ws.Push(ctx, a, sync.PushRequest{SentAt: w.clock.Now(), Mutations: all})
	})
}

// reuseID sends something else under the id of an old mutation.
func (w *world) reuseID(ctx context.Context) error {
	s := w.sent[pick(w, w.sentIDs())]
	if s == nil || s.answered == nil {
		return nil
	}
	w.logf("%s reuses the id of %s %s", s.actor.Device, s.Op, s.Key())
	w.count("mutation id reused")
	other := s.Mutation
	other.Set = sync.Fields{"note": w.value()}
	resp, how, err := w.push(ctx, s.actor, []sync.Mutation{other})
	if err != nil {
		return tolerable(w.refused("reuse", how, err))
	}
	if e := resp.Results[0].Error; e == nil || e.Code != fault.MutationIDReused {
		return violated("once", "the id of %s %s with another content was answered %+v", s.Op, s.Key(), resp.Results[0])
	}
	return nil
}

// foreignCursor shows the cursor of another device, or none at all.
func (w *world) foreignCursor(ctx context.Context) error {
	from, to := pick(w, w.phones), pick(w, w.phones)
	cursor := from.dev.Condition().Cursor
	if from == to || cursor == "" || !w.model.active(to.actor.User) {
		return nil
	}
	w.logf("%s shows the cursor of %s", to.actor.Device, from.actor.Device)
	w.count("foreign cursor")
	for _, c := range []string{cursor, cursor[1:], cursor + "A", "?"} {
		_, _, err := ask(w.server, nil, func(n *node) (*sync.Page, error) { return n.ws.Pull(ctx, to.actor, c, 0) })
		if !fault.Is(err, fault.BadCursor) && !w.server.failing() {
			return violated("access", "%s showed the cursor %q of %s: %v", to.actor.Device, c, from.actor.Device, err)
		}
	}
	return nil
}

// diskTrouble lets calls to the store fail for some steps.
func (w *world) diskTrouble(context.Context) error {
	n := w.someNode()
	on := !n.disk.failing()
	w.logf("disk trouble at %v: %v", n, on)
	n.disk.fail(on)
	return nil
}

// sweep removes the rejections that have been kept for long enough; now and
// then all of them have.
func (w *world) sweep(ctx context.Context) error {
	if w.chance(30) {
		w.logf("half a year passes")
		w.clock.advance(183 * 24 * time.Hour)
	}
	n, how, err := ask(w.server, nil, func(n *node) (int, error) { return n.ws.Sweep(ctx) })
	w.logf("%d rejections are swept", n)
	if err != nil {
		return tolerable(w.refused("sweep", how, err))
	}
	if n > 0 {
		w.count("rejections swept")
	}
	return nil
}

func (w *world) evict(ctx context.Context) error {
	n := w.someNode()
	w.logf("evict at %v", n)
	w.count("eviction")
	n.disk.fail(false)
	if w.server.many() {
		n.forgets() // others may have noted less
	}
	return n.saved(n.ws.Evict(ctx))
}

// someNode is one of the server's.
func (w *world) someNode() *node {
	if w.server.many() {
		return pick(w, w.server.nodes)
	}
	return w.server.holder()
}

func (w *world) restart(ctx context.Context) error {
	w.logf("restart")
	w.count("restart")
	if w.chance(30) {
		if err := w.read(ctx); err != nil {
			return err
		}
		return w.checkRestart(ctx)
	}
	return w.server.restart(ctx)
}

func (w *world) crash(ctx context.Context) error {
	n := w.someNode()
	w.logf("crash of %v", n)
	w.count("crash")
	return w.server.crash(ctx, n)
}

func (w *world) backup(ctx context.Context) error {
	w.logf("backup of %d", w.model.head)
	return w.server.backup(ctx)
}

// restore puts an earlier copy back, and begins the model anew.
func (w *world) restore(ctx context.Context) error {
	if w.server.copies == 0 || !w.chance(60) {
		return nil
	}
	before := w.model
	n := w.server.copies
	if w.chance(20) {
		n = 1 + w.rng.IntN(n) // mostly the newest, else the company never grows
	}
	if err := w.server.restore(ctx, n); err != nil {
		return err
	}
	w.model, w.fields = newModel(), map[sync.Key]map[string]mark{}
	if err := w.read(ctx); err != nil {
		return err
	}
	w.acknowledged, w.past = w.model.head, nil
	common := before.common(w.model)
	w.logf("restore of %d, head was %d, in common %d", w.model.head, before.head, common)
	if common < before.head {
		w.count("restored backup")
	}
	w.forgetLost(before)
	return nil
}

func (w *world) phoneCrash(ctx context.Context) error {
	p := pick(w, w.phones)
	w.logf("%s crashes", p.actor.Device)
	w.count("device crash")
	if w.chance(50) {
		p.backup = p.store.Snapshot()
	}
	return p.open(ctx)
}

// phoneRestored puts an earlier copy of a device back.
func (w *world) phoneRestored(ctx context.Context) error {
	p := pick(w, w.phones)
	if p.backup == nil {
		return nil
	}
	w.logf("%s is put back to an earlier copy", p.actor.Device)
	w.count("device restored")
	p.store = p.backup.Snapshot()
	return p.open(ctx)
}
