package sync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	stdsync "sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The kinds of these tests: accounts, settings and folders that are assigned
// to accounts and have papers in them.
func kinds() []*sync.Kind {
	office := map[sync.Role]sync.Access{
		sync.RoleAdmin:      {Create: true, Update: true, Delete: true},
		sync.RoleDispatcher: {Create: true, Update: true, Delete: true},
		sync.RoleTechnician: {Update: true},
	}
	inWorkspace := func(sync.Reader, string, sync.Fields) (string, error) { return sync.ScopeWorkspace, nil }
	text := func(f sync.Fields, name string) string { s, _ := f[name].(string); return s }
	return []*sync.Kind{
		{Name: "settings", Scope: inWorkspace, Access: office,
			Fields: []sync.Field{{Name: "zone", Type: sync.Text}},
			Edges:  func(_ string, f sync.Fields) sync.Edges { return sync.Edges{Zone: text(f, "zone")} }},
		{Name: "user", Plural: "users", Scope: inWorkspace, Access: office,
			Fields: []sync.Field{{Name: "role", Type: sync.Text, Filter: true}, {Name: "active", Type: sync.Boolean, Default: true}},
			Edges: func(id string, f sync.Fields) sync.Edges {
				active, _ := f["active"].(bool)
				return sync.Edges{
					Principal: &sync.Principal{Role: sync.Role(text(f, "role")), Active: active, Profile: sync.Key{Kind: "profile", ID: "closed"}},
					Grants:    []sync.Grant{{Principals: []string{id}, Scopes: []string{sync.ScopeWorkspace, "employee:" + id}, Always: true}},
				}
			}},
		{Name: "profile", Scope: inWorkspace, Access: office,
			Edges: func(string, sync.Fields) sync.Edges { return sync.Edges{Profile: &sync.Profile{}} }},
		{Name: "folder", Plural: "folders", Access: office,
			Scope:  func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "folder:" + id, nil },
			Fields: []sync.Field{{Name: "name", Type: sync.Text, Filter: true, Search: true}, {Name: "holders", Type: sync.Texts}, {Name: "due", Type: sync.DateTime}},
			Edges: func(id string, f sync.Fields) sync.Edges {
				g := sync.Grant{Scopes: []string{"folder:" + id}, Always: f["due"] == nil}
				list, _ := f["holders"].([]any)
				for _, h := range list {
					g.Principals = append(g.Principals, h.(string))
				}
				if due := text(f, "due"); due != "" {
					g.Start, _ = time.Parse(time.RFC3339, due)
				}
				return sync.Edges{Open: true, Grants: []sync.Grant{g}}
			}},
		{Name: "paper", Access: office, Fields: []sync.Field{{Name: "folder", Type: sync.Reference, Refs: "folder"}},
			Scope: func(_ sync.Reader, _ string, f sync.Fields) (string, error) {
				return "folder:" + text(f, "folder"), nil
			}},
	}
}

func newWorld(t *testing.T, o sync.Options) *enginetest.World {
	t.Helper()
	t.Parallel()
	return enginetest.New(t, enginetest.Options{Kinds: kinds(), Engine: o, Seed: []sync.Mutation{
		enginetest.Create("settings", "settings", sync.Fields{"zone": "America/Toronto"}),
		enginetest.Create("profile", "closed", nil),
		enginetest.Create("user", "boss", sync.Fields{"role": "admin"}),
		enginetest.Create("user", "ann", sync.Fields{"role": "technician"}),
		enginetest.Create("user", "bob", sync.Fields{"role": "technician"}),
	}})
}

var (
	boss = enginetest.Console("boss")
	ann  = enginetest.Phone("ann")
	bob  = enginetest.Phone("bob")
)

func folder(id string, holders ...any) sync.Mutation {
	return enginetest.Create("folder", id, sync.Fields{"name": id, "holders": holders})
}

func assign(id string, holders ...any) sync.Mutation {
	return enginetest.Update("folder", id, 0, sync.Fields{"holders": holders})
}

// told is what a pull from cursor tells, and the cursor to go on with.
func told(t *testing.T, w *enginetest.World, a sync.Actor, cursor string) ([]string, string) {
	t.Helper()
	pages, next := w.Pull(a, cursor)
	var out []string
	for _, p := range pages {
		if p.Reset {
			out = append(out, "reset")
		}
		for _, s := range p.Drop {
			out = append(out, "drop "+s)
		}
		for _, k := range p.Remove {
			out = append(out, "remove "+k.String())
		}
		for _, b := range p.Put {
			var k sync.Key
			if err := json.Unmarshal(b, &k); err != nil {
				t.Fatal(err)
			}
			if k.Kind == "folder" {
				out = append(out, "put "+k.String())
			}
		}
	}
	return out, next
}

func wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("told %q, should be told %q", got, want)
	}
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("error %v, should be %s", err, code)
	}
}

func TestAssignmentFollowsExactly(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"), folder("f2"))
	got, cursor := told(t, w, ann, "")
	wantTold(t, got, "put folder/f1")
	w.MustWrite(boss, assign("f2", "ann"), assign("f1", "bob"))
	got, cursor = told(t, w, ann, cursor)
	wantTold(t, got, "drop folder:f1", "put folder/f2")
	got, _ = told(t, w, ann, cursor)
	wantTold(t, got)
	if _, err := w.Get(t.Context(), ann, sync.Key{Kind: "folder", ID: "f1"}); !fault.Is(err, fault.NotFound) {
		t.Fatalf("ann still reads f1: %v", err)
	}
}

// A technician's write by REST is judged by what he sees now; a push by what
// his device had been told.
func TestWriteAfterLossOfTheScope(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	told(t, w, ann, cursor)
	rev := w.RevOf("folder", "f1")
	w.MustWrite(boss, assign("f1"))
	wantCode(t, w.Write(ann, enginetest.Update("folder", "f1", 0, sync.Fields{"name": "x"})), fault.NotFound)
	if r := w.PushOne(ann, enginetest.Update("folder", "f1", rev, sync.Fields{"name": "mine"})); r.Status != sync.Applied {
		t.Fatalf("push from before the loss: %+v", r)
	}
	got, _ := told(t, w, ann, cursor)
	wantTold(t, got, "drop folder:f1")
	if r := w.PushOne(ann, enginetest.Update("folder", "f1", rev, sync.Fields{"name": "again"})); r.Status != sync.Applied {
		t.Fatalf("the device has not shown the newer cursor yet: %+v", r)
	}
	told(t, w, ann, mustCursor(t, w, ann, cursor))
	if r := w.PushOne(ann, enginetest.Update("folder", "f1", rev, sync.Fields{"name": "late"})); r.Status != sync.Rejected || r.Error.Code != fault.NotFound {
		t.Fatalf("push after the device was told: %+v", r)
	}
}

func mustCursor(t *testing.T, w *enginetest.World, a sync.Actor, cursor string) string {
	t.Helper()
	_, next := w.Pull(a, cursor)
	return next
}

func TestCursorsOfOthersAndForgedOnes(t *testing.T) {
	w := newWorld(t, sync.Options{})
	_, annsCursor := told(t, w, ann, "")
	other := sync.Actor{User: "ann", Device: "another"}
	flipped := []byte(annsCursor)
	flipped[3] ^= 1
	for name, c := range map[string]struct {
		a      sync.Actor
		cursor string
	}{
		"of another user":   {bob, annsCursor},
		"of another device": {other, annsCursor},
		"forged":            {ann, string(flipped)},
		"cut":               {ann, annsCursor[:8]},
		"no base64":         {ann, "%%%"},
	} {
		_, err := w.Workspace.Pull(t.Context(), c.a, c.cursor, 0)
		if !fault.Is(err, fault.BadCursor) {
			t.Errorf("cursor %s: %v", name, err)
		}
	}
}

func TestDayMovesBeforeAnythingIsAnswered(t *testing.T) {
	w := newWorld(t, sync.Options{})
	due := w.Clock.Now().AddDate(0, 0, 1).Format(time.RFC3339)
	w.MustWrite(boss, enginetest.Create("folder", "f1", sync.Fields{"holders": []any{"ann"}, "due": due}))
	got, cursor := told(t, w, ann, "")
	wantTold(t, got)
	w.Clock.Advance(24 * time.Hour)
	got, cursor = told(t, w, ann, cursor)
	wantTold(t, got, "put folder/f1")
	w.Clock.Advance(-72 * time.Hour) // a clock that goes back moves nothing
	got, cursor = told(t, w, ann, cursor)
	wantTold(t, got)
	w.Clock.Advance(96 * time.Hour)
	got, _ = told(t, w, ann, cursor)
	wantTold(t, got, "drop folder:f1")
}

func TestLiveWakesForWhatIsSeenAndNothingElse(t *testing.T) {
	w := newWorld(t, sync.Options{})
	_, cursor := told(t, w, ann, "")
	s, err := w.Workspace.Live(t.Context(), ann, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.MustWrite(boss, folder("f1", "bob"))
	w.MustWrite(boss, folder("f2", "ann"))
	page, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Put) != 1 || page.More {
		t.Fatalf("page %s", page.AppendJSON(nil))
	}
	w.MustWrite(boss, assign("f2"))
	if page, err = s.Next(t.Context()); err != nil || !slices.Equal(page.Drop, []string{"folder:f2"}) {
		t.Fatalf("page %+v, error %v", page, err)
	}
}

func TestLiveEndsWhenItMust(t *testing.T) {
	for name, end := range map[string]func(*enginetest.World) error{
		"account deactivated": func(w *enginetest.World) error {
			w.MustWrite(boss, enginetest.Update("user", "ann", 0, sync.Fields{"active": false}))
			return fault.New(fault.NotSignedIn)
		},
		"account deleted": func(w *enginetest.World) error {
			w.MustWrite(boss, enginetest.Delete("user", "ann", 0))
			return fault.New(fault.NotSignedIn)
		},
		"cut": func(w *enginetest.World) error {
			w.Cut("ann", ann.Device, fault.New(fault.DeviceRevoked))
			return fault.New(fault.DeviceRevoked)
		},
		"engine closed": func(w *enginetest.World) error {
			if err := w.Engine.Close(context.Background()); err != nil {
				return err
			}
			return sync.ErrClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sync.Options{})
			_, cursor := told(t, w, ann, "")
			s, err := w.Workspace.Live(t.Context(), ann, cursor)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ended := make(chan error, 1)
			go func() {
				_, err := s.Next(context.Background())
				ended <- err
			}()
			want := end(w)
			err = <-ended
			if code := fault.Of(want).Code; !errors.Is(err, want) && fault.Of(err).Code != code {
				t.Fatalf("ended with %v, should be %v", err, want)
			}
		})
	}
}

func TestEvictedWorkspaceGoesOn(t *testing.T) {
	w := newWorld(t, sync.Options{})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	before, err := w.StateHash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := w.StateHash(t.Context())
	if err != nil || before != after {
		t.Fatalf("state %x, before %x, error %v", after, before, err)
	}
	w.MustWrite(boss, assign("f1"))
	got, _ := told(t, w, ann, cursor)
	wantTold(t, got, "drop folder:f1")
}

func TestPullBeforeHorizonResets(t *testing.T) {
	w := newWorld(t, sync.Options{Horizon: 24 * time.Hour})
	w.MustWrite(boss, folder("f1", "ann"))
	_, cursor := told(t, w, ann, "")
	w.MustWrite(boss, assign("f1"))
	w.Clock.Advance(72 * time.Hour)
	w.MustWrite(boss, folder("f2", "ann"))
	if err := w.Evict(t.Context()); err != nil { // saves a checkpoint, which moves the horizon
		t.Fatal(err)
	}
	got, _ := told(t, w, ann, cursor)
	wantTold(t, got, "reset", "put folder/f2")
}

func TestNumbersAreLentOnce(t *testing.T) {
	w := newWorld(t, sync.Options{})
	seen := map[uint64]bool{}
	var mu stdsync.Mutex
	var g stdsync.WaitGroup
	for range 8 {
		g.Go(func() {
			from, to, err := w.Numbers(t.Context(), ann, "folder", 5)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || to-from != 4 {
				t.Errorf("block %d..%d, error %v", from, to, err)
			}
			for n := from; n <= to; n++ {
				if seen[n] {
					t.Errorf("%d was lent twice", n)
				}
				seen[n] = true
			}
		})
	}
	g.Wait()
	if len(seen) != 40 || !seen[1] || !seen[40] {
		t.Fatalf("lent %d numbers", len(seen))
	}
}

// One user with far too much data slows nobody: his pages are bounded, and
// what others ask goes between them.
func TestCase32OneUserWithFarTooMuch(t *testing.T) {
	w := newWorld(t, sync.Options{})
	for i := range 5 {
		var all []sync.Mutation
		for j := range 1000 {
			all = append(all, folder(fmt.Sprintf("f%d-%d", i, j), "ann"))
		}
		w.MustWrite(boss, all...)
	}
	page, err := w.Workspace.Pull(t.Context(), ann, "", 0)
	if err != nil || !page.More || len(page.Put) > sync.DefaultLimit+500 {
		t.Fatalf("first page: %d documents, more %v, error %v", len(page.Put), page.More, err)
	}
	got, _ := told(t, w, bob, "")
	wantTold(t, got)
}

func TestFollowersSeeEveryCommitOnceMoreAfterARestart(t *testing.T) {
	t.Parallel()
	var mu stdsync.Mutex
	var numbers []uint64
	heard := make(chan uint64, 100)
	fail := true
	w := enginetest.New(t, enginetest.Options{
		Kinds: kinds(), Seed: []sync.Mutation{enginetest.Create("settings", "settings", sync.Fields{"zone": "UTC"})},
		Started: func(e *sync.Engine) func(context.Context) error {
			e.Follow(sync.Follower{Name: "test", Handle: func(_ context.Context, _ *sync.Workspace, c *sync.Commit) error {
				mu.Lock()
				defer mu.Unlock()
				if c.Number == 2 && fail {
					fail = false
					return errors.New("not now")
				}
				numbers = append(numbers, c.Number)
				heard <- c.Number
				return nil
			}})
			return nil
		}})
	system := sync.System("test")
	w.MustWrite(system, folder("f1"))
	w.MustWrite(system, folder("f2"))
	for n := uint64(0); n < 3; {
		n = <-heard
	}
	w.Restart()
	w.MustWrite(system, folder("f3"))
	for n := uint64(0); n < 4; {
		n = <-heard
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.IsSorted(numbers) || !slices.Equal(slices.Compact(slices.Clone(numbers)), []uint64{1, 2, 3, 4}) {
		t.Fatalf("heard %v", numbers)
	}
}

// A follower that is about to write while its workspace is being evicted
// neither blocks that nor loses its commit.
func TestEvictionWhileAFollowerWrites(t *testing.T) {
	t.Parallel()
	entered, goOn, heard := make(chan struct{}, 1), make(chan struct{}), make(chan uint64, 100)
	w := enginetest.New(t, enginetest.Options{
		Kinds: kinds(), Seed: []sync.Mutation{enginetest.Create("settings", "settings", sync.Fields{"zone": "UTC"})},
		Started: func(e *sync.Engine) func(context.Context) error {
			e.Follow(sync.Follower{Name: "writer", Handle: func(ctx context.Context, w *sync.Workspace, c *sync.Commit) error {
				if c.Number == 2 {
					select {
					case entered <- struct{}{}:
					default:
					}
					<-goOn
					_, err := w.Write(ctx, sync.System("writer"), sync.Write{
						Mutations: []sync.Mutation{folder("made")}, Key: sync.DerivedID(w.Name(), "writer", c.Hash, 0)})
					if err != nil {
						return err
					}
				}
				heard <- c.Number
				return nil
			}})
			return nil
		}})
	w.MustWrite(sync.System("test"), folder("f1"))
	<-entered
	evicted := make(chan error, 1)
	go func() { evicted <- w.Evict(context.Background()) }()
	close(goOn)
	if err := <-evicted; err != nil {
		t.Fatal(err)
	}
	w.MustWrite(sync.System("test"), folder("f2")) // brings it back into memory
	for n := uint64(0); n < 4; {
		n = <-heard
	}
	if !w.Has("folder", "made") || len(w.All("folder")) != 3 {
		t.Fatalf("folders %v", w.All("folder"))
	}
}
