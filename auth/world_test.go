package auth

import (
	"context"
	"log/slog"
	"path/filepath"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The accounts of every world; all but nopass have the password.
const (
	admin    = "ada"
	office   = "otto"
	tech     = "tess"
	other    = "theo"
	gone     = "gus" // not active
	nopass   = "nina"
	password = "twelve chars and more"
)

func roles() map[string]sync.Role {
	return map[string]sync.Role{
		admin: sync.RoleAdmin, office: sync.RoleDispatcher, tech: sync.RoleTechnician,
		other: sync.RoleTechnician, gone: sync.RoleTechnician, nopass: sync.RoleTechnician,
	}
}

// clock is a time that moves when told to.
type clock struct {
	mu  stdsync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// counted is a store that counts what is asked of it.
type counted struct {
	sync.Store
	calls atomic.Int64
}

func (c *counted) Head(ctx context.Context, ws string) (sync.Head, error) {
	c.calls.Add(1)
	return c.Store.Head(ctx, ws)
}

func (c *counted) Documents(ctx context.Context, ws string, keys []sync.Key) ([]sync.Version, error) {
	c.calls.Add(1)
	return c.Store.Documents(ctx, ws, keys)
}

func (c *counted) Journal(ctx context.Context, ws string, from, to uint64, yield func(*sync.Commit) error) error {
	c.calls.Add(1)
	return c.Store.Journal(ctx, ws, from, to, yield)
}

func (c *counted) Append(ctx context.Context, ws string, commits []*sync.Commit) error {
	c.calls.Add(1)
	return c.Store.Append(ctx, ws, commits)
}

func (c *counted) SaveNotes(ctx context.Context, ws string, notes map[string][]byte) error {
	c.calls.Add(1)
	return c.Store.SaveNotes(ctx, ws, notes)
}

// world is a company with accounts, on a real store.
type world struct {
	t      *testing.T
	clock  *clock
	store  *counted
	engine *sync.Engine
	auth   *Service
	ws     *sync.Workspace
	hashed atomic.Int64 // passwords compared
}

func newWorld(t *testing.T, limits Limits) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)}}
	registry := w.registry()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "enroute.db"), registry, sqlite.Options{})
	w.ok(err)
	w.store = &counted{Store: store}
	t.Cleanup(func() { w.ok(store.Close()) })
	w.start(limits)
	t.Cleanup(w.stop)
	w.ws, err = w.engine.Create(t.Context(), "demo", w.firstCommit())
	w.ok(err)
	w.change(gone, sync.Fields{"active": false})
	return w
}

func (w *world) registry() *sync.Registry {
	registry, err := sync.NewRegistry(append(company.Kinds(), Kinds()...)...)
	w.ok(err)
	return registry
}

func (w *world) start(limits Limits) {
	quiet := slog.New(slog.DiscardHandler)
	w.engine = sync.New(sync.Options{Store: w.store, Registry: w.registry(), Clock: w.clock.Now, Logger: quiet})
	w.auth = New(Options{Engine: w.engine, Clock: w.clock.Now, Logger: quiet, Limits: limits, Params: quick()})
	compare := w.auth.hasher.compare
	w.auth.hasher.compare = func(password, hash string) (bool, error) {
		w.hashed.Add(1)
		return compare(password, hash)
	}
}

func (w *world) stop() {
	w.ok(w.auth.Close(context.Background()))
	w.ok(w.engine.Close(context.Background()))
}

// restart is what another start of the program finds.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start(Limits{})
	var err error
	w.ws, err = w.engine.Open(w.t.Context(), "demo")
	w.ok(err)
}

func (w *world) firstCommit() sync.Write {
	hash, err := w.auth.Hash(w.t.Context(), password)
	w.ok(err)
	first := sync.Write{Cause: sync.Cause{Kind: "system", Ref: "test"}, Admit: true}
	add := func(kind, id string, set sync.Fields) {
		first.Mutations = append(first.Mutations, sync.Mutation{Kind: kind, DocID: id, Op: sync.Create, Set: set})
	}
	add(company.KindSettings, company.SettingsID, sync.Fields{"name": "Plomberie Démo", "timeZone": "America/Toronto"})
	for id, role := range roles() {
		add(company.KindEmployee, id, sync.Fields{"name": id, "email": id + "@demo.example", "role": string(role)})
		if id != nopass {
			first.Mutations = append(first.Mutations, Credential(id, hash))
		}
	}
	return first
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused fails the test unless err has the code.
func (w *world) refused(err error, code fault.Code) {
	w.t.Helper()
	if !fault.Is(err, code) {
		w.t.Errorf("gives %v, want %s", err, code)
	}
}

// change an employee as the server would.
func (w *world) change(id string, set sync.Fields) {
	w.t.Helper()
	_, err := w.ws.Write(w.t.Context(), sync.System("test"), sync.Write{Mutations: []sync.Mutation{
		{Kind: company.KindEmployee, DocID: id, Op: sync.Update, Set: set},
	}})
	w.ok(err)
}

// login tries to sign in; without a device it is a console.
func (w *world) login(id, password, device string) (*Session, error) {
	req := LoginRequest{Workspace: "demo", Email: id + "@demo.example", Password: password, Address: "192.0.2.1"}
	if device != "" {
		req.Device = &DeviceInput{ID: device, Name: "Pixel", Platform: "android", AppVersion: "1.0", PushToken: "p-" + device}
	}
	return w.auth.Login(w.t.Context(), req)
}

// signIn signs in and gives the token.
func (w *world) signIn(id, device string) string {
	w.t.Helper()
	s, err := w.login(id, password, device)
	w.ok(err)
	return s.Token
}

// who a token belongs to.
func (w *world) who(token string) *Identity {
	w.t.Helper()
	id, err := w.auth.Identify(w.t.Context(), token)
	w.ok(err)
	return id
}

// out fails the test unless the token is answered with the code.
func (w *world) out(token string, code fault.Code) {
	w.t.Helper()
	id, err := w.auth.Identify(w.t.Context(), token)
	if id != nil {
		w.t.Errorf("the token is still %+v", id.Actor)
	}
	w.refused(err, code)
}
