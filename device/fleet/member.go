package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/device"
)

// member is one device at work.
type member struct {
	name   string
	client *device.Client
	net    *flaky
	dev    *device.Device
	rand   *rand.Rand
	items  []item
	syncs  int64
	lives  int64

	patient bool // see Options.Patience
}

// item is something added to a task in the field.
type item struct {
	mutation uuid.UUID
	task, id string
}

func newMember(ctx context.Context, c *device.Client, s *device.Session, r *rand.Rand, t *told) (*member, error) {
	m := &member{
		name: s.User.Name + " on " + s.DeviceID, client: c, rand: r,
		net: &flaky{inner: c, told: t, rand: rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))},
	}
	var err error
	m.dev, err = device.Open(ctx, device.Options{Store: device.NewMemory(), Transport: m.net, PageLimit: 1 + r.IntN(300)})
	return m, err
}

// work in the field until ctx ends: offline, on a bad connection, or following live.
func (m *member) work(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := m.turn(ctx); err != nil && ctx.Err() == nil && !m.passes(err) {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		pause(ctx, m.rand, 300*time.Millisecond)
	}
	return nil
}

// passes says whether trying again later is the right thing.
func (m *member) passes(err error) bool {
	if errors.Is(err, errLost) {
		return true
	}
	p, ok := errors.AsType[*device.Problem](err)
	return ok && p.Status == http.StatusServiceUnavailable || !ok && m.patient
}

func (m *member) turn(ctx context.Context) error {
	if m.rand.IntN(4) == 0 {
		m.lives++
		listening, end := context.WithTimeout(ctx, time.Duration(m.rand.Int64N(int64(2*time.Second))))
		defer end()
		if err := m.dev.Listen(listening); err != nil && listening.Err() == nil {
			return err
		}
		return nil
	}
	for range m.rand.IntN(3) {
		if err := m.change(ctx); err != nil {
			return err
		}
	}
	m.syncs++
	return m.dev.Sync(ctx)
}

// next is the state that work on a task leads to.
var next = map[string]string{"dispatched": "enRoute", "enRoute": "inProgress", "inProgress": "completed"}

// change does something to a task or a client that the device holds.
func (m *member) change(ctx context.Context) error {
	kind, fields := "task", m.taskFields
	if m.rand.IntN(3) == 0 {
		kind, fields = "client", m.clientFields
	}
	keys := m.dev.Keys(kind)
	if len(keys) == 0 {
		return nil
	}
	key := keys[m.rand.IntN(len(keys))]
	now, ok, err := m.dev.Get(key)
	if err != nil || !ok {
		return err
	}
	set, added := fields(now)
	made, err := m.dev.Do(ctx, device.Change{Op: device.Update, Key: key, Set: set})
	if err == nil && added != "" {
		m.items = append(m.items, item{made[0].ID, key.ID, added})
	}
	return err
}

func (m *member) clientFields(device.Fields) (device.Fields, string) {
	return device.Fields{"note": fmt.Sprintf("simulated note %d", m.rand.IntN(1_000_000))}, ""
}

// taskFields moves the task on, or adds an item to it.
func (m *member) taskFields(now device.Fields) (device.Fields, string) {
	state, _ := now["state"].(string)
	if to := next[state]; to != "" && m.rand.IntN(2) == 0 {
		return device.Fields{"state": to}, ""
	}
	id := uuid.NewString()
	return device.Fields{"items": []any{map[string]any{"id": id, "text": "simulated", "quantity": 1}}}, id
}
