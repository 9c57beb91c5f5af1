package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// phone is one device of one person, and its connection. It is the Transport
// of the real device: what goes wrong on the way goes wrong here.
type phone struct {
	w        *world
	actor    sync.Actor
	store    *device.Memory
	dev      *device.Device
	backup   *device.Memory // a copy of the phone taken earlier
	skew     time.Duration  // of its clock
	limit    int            // rows a page
	at       *node          // that it asks; nil: any
	rough    bool           // things go wrong on the way
	offline  int            // until this step
	late     []latePage
	reached  map[string]uint64 // by cursor: a lower bound of what it covers
	given    map[string]given  // cursors of the present history
	shown    map[int]uint64    // by node: a lower bound of the greatest cursor it was shown
	complete map[string]bool   // cursors that cover exactly that
	rows     int               // of pages since it was last set to 0
	reported int               // how often it had to start over
}

// latePage is an answer that has not arrived yet.
type latePage struct {
	asked string
	page  *device.Page
}

// given is where a cursor comes from.
type given struct {
	head   uint64 // under which it was given
	oldest uint64 // the oldest commit that it may name
}

// limits of pages that devices ask for; 0 is the server's.
var limits = []int{1, 2, 3, 7, 0}

// errLost is a request or an answer that was lost on the way.
var errLost = errors.New("lost on the way")

func newPhone(ctx context.Context, w *world, user string, n int) (*phone, error) {
	p := &phone{
		w: w, actor: sync.Actor{User: user, Device: fmt.Sprintf("%s-%d", user, n), Name: user},
		store: device.NewMemory(), reached: map[string]uint64{"": 0}, complete: map[string]bool{},
		given: map[string]given{}, shown: map[int]uint64{},
		limit: pick(w, limits), rough: w.chance(50),
	}
	p.skew = pick(w, []time.Duration{0, 0, time.Minute, -time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour})
	if p.skew != 0 {
		w.count("skewed clock")
	}
	return p, p.open(ctx)
}

// open makes the device of what its store holds, as after a crash.
func (p *phone) open(ctx context.Context) (err error) {
	p.dev, err = device.Open(ctx, device.Options{
		Store: p.store, Transport: p, PageLimit: p.limit, BatchSize: 5,
		Clock:  func() time.Time { return p.w.clock.Now().Add(p.skew) },
		NewID:  p.w.uuid,
		Faults: omissions()[p.w.cfg.Sabotage].device,
	})
	return err
}

// fate of a request.
type fate int

const (
	arrives    fate = iota
	neverSent       // the request is lost
	answerLost      // it has its effect, the answer is lost
	answerLate      // the answer comes much later
	doubled         // the request is sent twice
)

var fates = map[fate]string{neverSent: "request lost", answerLost: "answer lost", answerLate: "answer late", doubled: "request doubled"}

func (p *phone) fate(what string) fate {
	if !p.rough || p.w.calm || p.w.chance(60) {
		return arrives
	}
	f := pick(p.w, []fate{neverSent, answerLost, answerLate, doubled})
	p.w.count(what + " " + fates[f])
	return f
}

// Pull implements device.Transport.
func (p *phone) Pull(ctx context.Context, cursor string, limit int) (*device.Page, error) {
	f := p.fate("pull")
	if f == neverSent {
		return nil, errLost
	}
	page, err := p.pull(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	switch f {
	case answerLost:
		return nil, errLost
	case answerLate:
		p.late = append(p.late, latePage{cursor, page})
		return nil, errLost
	case doubled:
		p.late = append(p.late, latePage{cursor, page})
		return p.pull(ctx, cursor, limit)
	}
	return page, nil
}

// pull asks the server, and keeps what it gave for the checks.
func (p *phone) pull(ctx context.Context, cursor string, limit int) (*device.Page, error) {
	page, how, err := ask(p.w.server, p.at, func(n *node) (*sync.Page, error) {
		page, err := n.ws.Pull(ctx, p.actor, cursor, limit)
		if err == nil && !page.Reset {
			p.shown[n.number] = max(p.shown[n.number], p.reached[cursor])
		}
		return page, err
	})
	if err != nil {
		return nil, p.w.refused("pull of "+p.actor.Device, how, err)
	}
	return p.took(cursor, how, page, limit)
}

// took notes a page that the server gave, and reads it off the wire.
func (p *phone) took(cursor string, how asked, page *sync.Page, limit int) (*device.Page, error) {
	var out device.Page
	if err := json.Unmarshal(page.AppendJSON(nil), &out); err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	p.w.logf("  %s at %d gets %s%s", p.actor.Device, p.reached[cursor], outline(page), how.from())
	p.note(cursor, page)
	rows := len(page.Drop) + len(page.Remove) + len(page.Put)
	p.rows += rows
	if limit > 0 && rows > limit && cursor != "" && !page.Reset {
		p.w.complain(violated("pages", "%s asked for %d rows and got %d", p.actor.Device, limit, rows))
	}
	p.w.saw(&seenPage{p.actor, how, out})
	return &out, nil
}

// outline of a page, for the history.
func outline(p *sync.Page) string {
	text := fmt.Sprintf("head %d, drop %v, remove %v, %d put", p.Head, p.Drop, p.Remove, len(p.Put))
	if p.Reset {
		text += ", reset"
	}
	if p.More {
		text += ", more"
	}
	return text
}

// note keeps what the cursor of a page covers at least.
func (p *phone) note(asked string, page *sync.Page) {
	covered, from := p.reached[asked], p.given[asked]
	if page.Reset {
		covered = 0
		p.w.count("reset")
		if from.oldest >= p.w.horizon() {
			p.w.complain(violated("reset", "%s has to start over with a cursor of commit %d, which names none before %d", p.actor.Device, from.head, from.oldest))
		}
	}
	if !page.More {
		covered = page.Head
		p.complete[page.Cursor] = true
	}
	p.reached[page.Cursor] = max(p.reached[page.Cursor], covered)
	if _, again := p.given[page.Cursor]; !again {
		p.given[page.Cursor] = given{page.Head, p.oldest(asked, page)}
	}
}

// oldest is the oldest commit that the cursor of a page may name: what it
// covers, or the target of a first step.
func (p *phone) oldest(asked string, page *sync.Page) uint64 {
	if covered := p.reached[page.Cursor]; covered > 0 {
		return covered
	}
	if first := p.given[asked]; first.oldest > 0 && !page.Reset {
		return first.oldest
	}
	return page.Head
}

// Push implements device.Transport.
func (p *phone) Push(ctx context.Context, req device.PushRequest) (*device.PushResponse, error) {
	switch p.fate("push") {
	case neverSent:
		return nil, errLost
	case answerLost, answerLate:
		if _, err := p.push(ctx, req); err != nil {
			return nil, err
		}
		return nil, errLost
	case doubled:
		return p.pushTwice(ctx, req)
	}
	return p.push(ctx, req)
}

// pushTwice sends a push twice at the same moment.
func (p *phone) pushTwice(ctx context.Context, req device.PushRequest) (resp *device.PushResponse, err error) {
	var g errgroup.Group
	g.Go(func() error {
		_, err := p.push(ctx, req)
		return err
	})
	resp, err = p.push(ctx, req)
	return resp, errors.Join(err, g.Wait())
}

func (p *phone) push(ctx context.Context, req device.PushRequest) (*device.PushResponse, error) {
	wire, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("write push: %w", err)
	}
	var in struct {
		SentAt    time.Time
		Mutations []sync.Mutation
	}
	if err := json.Unmarshal(wire, &in); err != nil {
		return nil, fmt.Errorf("read push: %w", err)
	}
	resp, how, err := ask(p.w.server, p.at, func(n *node) (*sync.PushResponse, error) {
		p.w.sends(p.actor, in.Mutations, p.shown[n.number], false)
		return n.ws.Push(ctx, p.actor, sync.PushRequest{SentAt: in.SentAt, Mutations: in.Mutations})
	})
	p.w.logf("  %s pushes %d: %v%s", p.actor.Device, len(in.Mutations), err, how.from())
	if err != nil {
		return nil, p.w.refused("push of "+p.actor.Device, how, err)
	}
	if err := p.w.answered(in.Mutations, how, resp); err != nil {
		return nil, err
	}
	var out device.PushResponse
	if err := json.Unmarshal(resp.AppendJSON(nil, "en"), &out); err != nil {
		return nil, fmt.Errorf("read push response: %w", err)
	}
	return &out, nil
}

// Live implements device.Transport; streams are driven by a step of their own.
func (p *phone) Live(context.Context, string) (device.Stream, error) { return nil, errLost }

// Report implements device.Transport: no device may ever have to.
func (p *phone) Report(_ context.Context, r device.Report) error {
	p.reported++
	p.w.complain(violated("digest", "%s has %+v at %d, the server says %+v", p.actor.Device, r.Actual, r.Head, r.Expected))
	return nil
}

// refused turns the engine's error into what a device gets. Only while the
// store fails may it be the fault of the node that holds the seat.
func (w *world) refused(what string, how asked, err error) error {
	if v, ok := errors.AsType[*Violation](err); ok {
		return v
	}
	f := fault.Of(err)
	if f.Code.Status() >= http.StatusInternalServerError && how.sole && !w.server.failing() {
		w.complain(violated("errors", "%s: %v", what, err))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Refusals[string(f.Code)]++
	return &device.Problem{Status: f.Code.Status(), Code: string(f.Code), Detail: err.Error()}
}

// receiveLate hands over answers that come late.
func (p *phone) receiveLate(ctx context.Context, n int) error {
	for ; n > 0 && len(p.late) > 0; n-- {
		i := p.w.rng.IntN(len(p.late))
		l := p.late[i]
		p.late = append(p.late[:i:i], p.late[i+1:]...)
		if err := p.receive(ctx, l.asked, l.page); err != nil {
			return err
		}
	}
	return nil
}

// receive applies a page outside of a pull.
func (p *phone) receive(ctx context.Context, asked string, page *device.Page) error {
	if _, err := p.dev.Receive(ctx, asked, page); err != nil {
		return fmt.Errorf("receive on %s: %w", p.actor.Device, err)
	}
	return nil
}
