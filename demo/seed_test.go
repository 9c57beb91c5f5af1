package demo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/tasks"
)

// site is an engine and accounts over an empty folder.
type site struct {
	engine *sync.Engine
	auth   *auth.Service
}

func newSite(t *testing.T, clock func() time.Time) site {
	t.Helper()
	return newSiteOver(t, clock, func(s sync.Store) sync.Store { return s })
}

// newSiteOver wraps the store.
func newSiteOver(t *testing.T, clock func() time.Time, wrap func(sync.Store) sync.Store) site {
	t.Helper()
	registry, err := sync.NewRegistry(slices.Concat(company.Kinds(), clients.Kinds(), tasks.Kinds(), auth.Kinds())...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "demo.db"), registry, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := site{engine: sync.New(sync.Options{Store: wrap(store), Registry: registry, Clock: clock})}
	s.auth = auth.New(auth.Options{Engine: s.engine, Clock: clock})
	t.Cleanup(func() {
		ctx := context.Background() // the test's own has ended
		for _, stop := range []func(context.Context) error{s.auth.Close, s.engine.Close, func(context.Context) error { return store.Close() }} {
			if err := stop(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// view is what somebody's device holds after pulling everything, by kind.
func view(t *testing.T, w *sync.Workspace, user string) map[string][]map[string]any {
	t.Helper()
	docs := map[sync.Key]map[string]any{}
	for cursor, more := "", true; more; {
		page, err := w.Pull(t.Context(), sync.Actor{User: user, Device: "test-" + user}, cursor, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Put {
			var d map[string]any
			if err := json.Unmarshal(raw, &d); err != nil {
				t.Fatal(err)
			}
			docs[sync.Key{Kind: d["kind"].(string), ID: d["id"].(string)}] = d
		}
		cursor, more = page.Cursor, page.More
	}
	byKind := map[string][]map[string]any{}
	for k, d := range docs {
		byKind[k.Kind] = append(byKind[k.Kind], d)
	}
	return byKind
}

// moments are starts of the demo that differ in what has been done by then:
// a Wednesday at half past ten, and the Sunday on which clocks go forward.
var moments = map[string]time.Time{
	"Wednesday morning": time.Date(2026, 11, 18, 15, 30, 0, 0, time.UTC),
	"clocks go forward": time.Date(2026, 3, 8, 7, 30, 0, 0, time.UTC),
}

func TestSeed(t *testing.T) {
	t.Parallel()
	for name, now := range moments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func() time.Time { return now })
			o := demo.Options{Clock: func() time.Time { return now }, Password: "another-password"}
			if created, err := demo.Seed(t.Context(), s.engine, s.auth, o); err != nil || !created {
				t.Fatalf("created: %t, %v", created, err)
			}
			w, err := s.engine.Open(t.Context(), demo.Workspace)
			if err != nil {
				t.Fatal(err)
			}
			checkOffice(t, view(t, w, "dispatcher"), now)
			checkTechnician(t, view(t, w, "tech1"))
			checkAccounts(t, s, o.Password)

			before := head(t, w)
			created, err := demo.Seed(t.Context(), s.engine, s.auth, o)
			if after := head(t, w); err != nil || created || after != before {
				t.Errorf("seeding again: created %t, head %d after %d, %v", created, after, before, err)
			}
		})
	}
}

func head(t *testing.T, w *sync.Workspace) uint64 {
	t.Helper()
	n, err := w.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n.Number
}

func checkOffice(t *testing.T, docs map[string][]map[string]any, now time.Time) {
	t.Helper()
	if n := len(docs["client"]); n != 300 {
		t.Errorf("%d clients, want 300", n)
	}
	if n := len(docs["conflict"]) + len(docs["rejection"]); n != 0 {
		t.Errorf("the demo begins with %d conflicts and rejections", n)
	}
	states := map[any]int{}
	for _, task := range docs["task"] {
		states[task["state"]]++
		checkEvents(t, task, now)
	}
	for _, want := range []string{"draft", "scheduled", "dispatched", "completed", "incomplete"} {
		if states[want] == 0 {
			t.Errorf("no task is %s: %v", want, states)
		}
	}
	for _, c := range docs["client"] {
		if c["phoneE164"] == nil {
			t.Errorf("the telephone number %v of %v is none", c["phone"], c["name"])
		}
	}
}

// checkEvents: what was reported happened when the technician was there, not
// when the demo was made, and nothing of it is in doubt.
func checkEvents(t *testing.T, task map[string]any, now time.Time) {
	t.Helper()
	events, _ := task["events"].([]any)
	for _, e := range events {
		event := e.(map[string]any)
		at, err := time.Parse(time.RFC3339, event["at"].(string))
		if err != nil || at.After(now) || event["flagged"] == true {
			t.Errorf("%v: event %v at %s (%v)", task["id"], event, now, err)
		}
	}
	if task["state"] != "completed" {
		return
	}
	last, _ := time.Parse(time.RFC3339, events[len(events)-1].(map[string]any)["at"].(string))
	planned, _ := time.Parse(time.RFC3339, task["plannedEnd"].(string))
	if apart := last.Sub(planned).Abs(); apart > time.Hour {
		t.Errorf("%v was completed %s from its planned end", task["id"], apart)
	}
}

// checkTechnician: with option 11 on, a phone has its own clients and what
// its tasks need, and no more.
func checkTechnician(t *testing.T, docs map[string][]map[string]any) {
	t.Helper()
	if n := len(docs["client"]); n < 20 || n > 75 {
		t.Errorf("tech1 sees %d clients", n)
	}
	needed := map[any]bool{}
	for _, task := range docs["task"] {
		needed[task["clientId"]] = true
		if !slices.Contains(task["employeeIds"].([]any), any("tech1")) {
			t.Errorf("tech1 sees the task %v of %v", task["id"], task["employeeIds"])
		}
	}
	if len(needed) == 0 {
		t.Error("tech1 has no task")
	}
	for _, c := range docs["client"] {
		employees, _ := c["assignedEmployeeIds"].([]any)
		teams, _ := c["assignedTeamIds"].([]any)
		if !needed[c["id"]] && !slices.Contains(employees, any("tech1")) && !slices.Contains(teams, any("team-north")) {
			t.Errorf("tech1 sees %v, assigned to %v and %v", c["id"], employees, teams)
		}
	}
}

func checkAccounts(t *testing.T, s site, password string) {
	t.Helper()
	for email, role := range map[string]sync.Role{
		"admin@demo.example": sync.RoleAdmin, "dispatcher@demo.example": sync.RoleDispatcher, "tech12@demo.example": sync.RoleTechnician,
	} {
		session, err := s.auth.Login(t.Context(), auth.LoginRequest{Workspace: demo.Workspace, Email: email, Password: password})
		if err != nil || session.User.Role != role {
			t.Errorf("%s: %+v, %v", email, session, err)
		}
	}
	if _, err := s.auth.Login(t.Context(), auth.LoginRequest{Workspace: demo.Workspace, Email: "admin@demo.example", Password: demo.Password}); err == nil {
		t.Error("the published password opens a demo that was given its own")
	}
}

// breaking is a store that calls off its caller after some appends.
type breaking struct {
	sync.Store
	left atomic.Int32
	off  func()
}

func (b *breaking) Append(ctx context.Context, workspace string, commits []*sync.Commit) error {
	err := b.Store.Append(ctx, workspace, commits)
	if b.left.Add(-1) == 0 {
		b.off()
	}
	return err
}

// TestSeedBrokenOff: wherever a seeding ends, nobody signs in to half a demo,
// and the next start makes the rest, as if nothing had happened.
func TestSeedBrokenOff(t *testing.T) {
	t.Parallel()
	first := moments["Wednesday morning"]
	whole := newSite(t, func() time.Time { return first })
	if _, err := demo.Seed(t.Context(), whole.engine, whole.auth, demo.Options{Clock: func() time.Time { return first }}); err != nil {
		t.Fatal(err)
	}
	want := states(t, whole)
	for _, appends := range []int32{1, 7} {
		t.Run(fmt.Sprintf("after %d appends", appends), func(t *testing.T) {
			t.Parallel()
			var now atomic.Pointer[time.Time]
			now.Store(&first)
			clock := func() time.Time { return *now.Load() }
			ctx, off := context.WithCancel(t.Context())
			defer off()
			b := &breaking{off: off}
			b.left.Store(appends)
			s := newSiteOver(t, clock, func(inner sync.Store) sync.Store { b.Store = inner; return b })
			o := demo.Options{Clock: clock}
			if created, err := demo.Seed(ctx, s.engine, s.auth, o); err == nil || created {
				t.Fatalf("created: %t although it was broken off", created)
			}
			login := auth.LoginRequest{Workspace: demo.Workspace, Email: "admin@demo.example", Password: demo.Password}
			if _, err := s.auth.Login(t.Context(), login); !fault.Is(err, fault.BadCredentials) {
				t.Errorf("signing in to half a demo: %v", err)
			}
			later := first.Add(5 * time.Hour)
			now.Store(&later)
			if created, err := demo.Seed(t.Context(), s.engine, s.auth, o); err != nil || !created {
				t.Fatalf("created: %t, %v", created, err)
			}
			if got := states(t, s); !maps.Equal(got, want) {
				t.Errorf("%d documents, want %d, or their states differ", len(got), len(want))
			}
			if _, err := s.auth.Login(t.Context(), login); err != nil {
				t.Error(err)
			}
		})
	}
}

// states are all documents of the office's view with their states, if any.
func states(t *testing.T, s site) map[string]any {
	t.Helper()
	w, err := s.engine.Open(t.Context(), demo.Workspace)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for kind, docs := range view(t, w, "dispatcher") {
		for _, d := range docs {
			out[kind+"/"+d["id"].(string)] = d["state"]
		}
	}
	return out
}

// TestSeedLeavesAnotherDemoAlone: a workspace that somebody called demo is his.
func TestSeedLeavesAnotherDemoAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, time.Now)
	w, err := s.engine.Create(t.Context(), demo.Workspace, sync.Write{Mutations: []sync.Mutation{
		{Kind: "workspaceSettings", DocID: "settings", Op: sync.Create, Set: sync.Fields{"name": "Mine"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	before := head(t, w)
	created, err := demo.Seed(t.Context(), s.engine, s.auth, demo.Options{})
	if after := head(t, w); err != nil || created || after != before {
		t.Errorf("created %t, head %d after %d, %v", created, after, before, err)
	}
}
