package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// Receipts writes on dispatched tasks when each employee received them: when
// one of his devices came back with a cursor that covers the dispatch. It
// gathers what there is into at most one commit a second per workspace, and
// writes nothing when there is nothing.
type Receipts struct {
	engine *sync.Engine
	clock  func() time.Time
	log    *slog.Logger
	every  time.Duration
	ledger *ledger
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

// gathering is the time between two commits of receipts.
const gathering = time.Second

// NewReceipts starts it: before the first workspace is opened. Stop it before
// the engine is closed.
func NewReceipts(engine *sync.Engine, clock func() time.Time, log *slog.Logger) *Receipts {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Receipts{
		engine: engine, clock: clock, log: log, every: gathering,
		ledger: newLedger(), wake: make(chan struct{}, 1),
		cancel: cancel, done: make(chan struct{}),
	}
	engine.Follow(sync.Follower{Name: "receipts", Handle: r.follow})
	go r.run(ctx)
	return r
}

// Stop ends it, waits for that and writes what is still due. A second Stop
// does no harm.
func (r *Receipts) Stop(ctx context.Context) error {
	r.cancel()
	select {
	case <-r.done:
		r.settle(ctx)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the receipts: %w", context.Cause(ctx))
	}
}

// Presented notes that an actor's device has everything up to a commit. It
// does not block.
func (r *Receipts) Presented(workspace string, actor sync.Actor, number uint64) {
	if actor.User == "" || actor.Device == "" {
		return
	}
	if r.ledger.show(workspace, actor.User, number, r.clock()) {
		r.rouse()
	}
}

func (r *Receipts) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it will see what is new when it gets there
	}
}

// run writes what is due whenever there is something, then rests.
func (r *Receipts) run(ctx context.Context) {
	defer close(r.done)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			r.round(ctx)
		}
		rest.Reset(r.every)
	}
}

// round reads what the ledger does not know yet and writes what is due.
func (r *Receipts) round(ctx context.Context) {
	for _, name := range r.ledger.begin() {
		err := r.read(ctx, name)
		if err != nil && ctx.Err() == nil {
			r.log.Error("read the tasks that wait for receipts", "workspace", name, "err", err)
		}
		r.ledger.end(name, err != nil)
	}
	r.settle(ctx)
}

// settle writes what is due. One task that cannot be written holds up no other.
func (r *Receipts) settle(ctx context.Context) {
	for name, due := range r.ledger.take() {
		if r.write(ctx, name, due) == nil {
			continue
		}
		for task, one := range due {
			err := r.write(ctx, name, map[string]receipts{task: one})
			if err != nil && ctx.Err() == nil {
				r.log.Error("write receipts", "workspace", name, "task", task, "err", err)
				r.ledger.outdate(name)
			}
		}
	}
}

// read the open tasks of a workspace into the ledger.
func (r *Receipts) read(ctx context.Context, name string) error {
	w, err := r.engine.Open(ctx, name)
	if err != nil {
		return err
	}
	value := sync.Entry{Field: "category", Exact: string(Open), Order: string(Open)}
	open := sync.Filter{Field: value.Field, Op: sync.Equal, Values: []sync.Entry{value}}
	req := sync.ListRequest{Kind: KindTask, Filters: []sync.Filter{open}, Limit: pageOfTasks}
	for {
		page, err := w.List(ctx, sync.System("receipts"), req)
		if err != nil {
			return err
		}
		for _, body := range page.Items {
			if err := r.awaitListed(ctx, w, body); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		req.After = page.Next
	}
}

const pageOfTasks = 500

func (r *Receipts) awaitListed(ctx context.Context, w *sync.Workspace, body []byte) error {
	var h struct {
		ID  string `json:"id"`
		Rev uint64 `json:"rev"`
	}
	if err := json.Unmarshal(body, &h); err != nil {
		return fmt.Errorf("read a listed task: %w", err)
	}
	f, err := sync.FieldsOf(body)
	if err != nil {
		return err
	}
	return r.await(ctx, w, h.ID, h.Rev, f)
}

// follow keeps the ledger up with the journal.
func (r *Receipts) follow(ctx context.Context, w *sync.Workspace, c *sync.Commit) error {
	for i := range c.Changes {
		v := &c.Changes[i]
		switch {
		case v.Kind == company.KindTeam:
			r.ledger.outdate(w.Name()) // other employees wait now
			r.rouse()
		case v.Kind == KindTask && v.Deleted:
			r.ledger.await(w.Name(), waiting{task: v.ID, rev: v.Rev}, r.clock())
		case v.Kind == KindTask:
			f, err := sync.FieldsOf(v.Body)
			if err != nil {
				return fmt.Errorf("read %s: %w", v.Key, err)
			}
			if err := r.await(ctx, w, v.ID, v.Rev, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// await notes by whom a task, as a commit left it, waits to be received.
func (r *Receipts) await(ctx context.Context, w *sync.Workspace, id string, rev uint64, f sync.Fields) error {
	at := waiting{task: id, rev: rev}
	if Category(members.Text(f, "category")) == Open {
		all, since, err := assignees(ctx, w, f)
		if err != nil {
			return err
		}
		given := members.Object(f, "receipts")
		at.number = max(rev, since)
		at.employees = slices.DeleteFunc(all, func(employee string) bool {
			return members.Text(members.Object(given, employee), "receivedAt") != ""
		})
	}
	if r.ledger.await(w.Name(), at, r.clock()) {
		r.rouse()
	}
	return nil
}

// assignees are the employees of a task, those of its teams included, each
// once, and the commit since when the teams have been what they are.
func assignees(ctx context.Context, w *sync.Workspace, f sync.Fields) (all []string, since uint64, err error) {
	all = members.Texts(f, "employeeIds")
	for _, team := range members.Texts(f, "teamIds") {
		doc, err := w.Document(ctx, sync.Key{Kind: company.KindTeam, ID: team})
		if errors.Is(err, sync.ErrMissing) {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read team %s: %w", team, err)
		}
		all, since = append(all, members.Texts(doc.Fields, "memberIds")...), max(since, doc.Rev)
	}
	slices.Sort(all)
	return slices.Compact(all), since, nil
}

// write one commit with the receipts that are due, by task.
func (r *Receipts) write(ctx context.Context, name string, due map[string]receipts) error {
	w, err := r.engine.Open(ctx, name)
	if err != nil {
		return err
	}
	var changes []sync.Mutation
	for _, task := range slices.Sorted(maps.Keys(due)) {
		rev, err := w.Rev(ctx, Key(task))
		if err != nil {
			return err
		}
		if rev > 0 { // not deleted meanwhile
			changes = append(changes, due[task].mutation(task))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	_, err = w.Write(ctx, sync.System("receipts"), sync.Write{
		Cause: sync.Cause{Kind: "system", Ref: "receipts"}, Mutations: changes, Admit: true,
	})
	return err
}

// mutation that writes the receipts on their task.
func (r receipts) mutation(task string) sync.Mutation {
	set := map[string]any{}
	for employee, at := range r {
		set[employee] = map[string]any{"receivedAt": members.Instant(at)}
	}
	return sync.Mutation{
		ID: uuid.New(), Kind: KindTask, DocID: task, Op: sync.Update,
		Set: sync.Fields{"receipts": set},
	}
}
