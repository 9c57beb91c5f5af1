package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/config"
	"github.com/enroute-field/enroute/device"
	"github.com/enroute-field/enroute/store/archive"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/store/sqlite"
	"github.com/enroute-field/enroute/sync"
)

// term of the nodes and tools of these tests.
const term = 3 * time.Second

func newFolder(t *testing.T) place { return place{folder: filepath.Join(t.TempDir(), "data")} }

func newDatabase(t *testing.T) place { return place{uri: mongotest.Database(t)} }

// flags that name the place to a command.
func (p place) flags() []string {
	if p.uri == "" {
		return []string{"--data", p.folder}
	}
	return []string{"--store", p.uri}
}

// argument that names the place to migrate.
func (p place) argument() string { return p.folder + p.uri }

// serveFrom starts a server on a place.
func serveFrom(t *testing.T, p place, args ...string) *program {
	t.Helper()
	s := begin(t, nil, slices.Concat(args, p.flags(), []string{"--lease-term", term.String()})...)
	if !s.ready() {
		t.FailNow()
	}
	return s
}

// does runs a command on a place and expects it to end so.
func does(t *testing.T, want int, p place, args ...string) string {
	t.Helper()
	out, errs, code := run(t, append(args, p.flags()...)...)
	if code != want {
		t.Fatalf("enroute %s ends with %d:\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out + errs
}

// migrates everything.
func migrates(t *testing.T, from, to place) {
	t.Helper()
	out, errs, code := run(t, "migrate", "--from", from.argument(), "--to", to.argument(), "--lease-term", term.String())
	if code != exitOK {
		t.Fatalf("migrate ends with %d:\n%s%s", code, out, errs)
	}
}

// journalOf the workspace in a place that nobody serves.
func journalOf(t *testing.T, p place) []*sync.Commit {
	t.Helper()
	registry, err := newRegistry()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	s, err := p.read(t.Context(), &cfg, registry, (&Main{Stderr: t.Output()}).logger(&cfg))
	if err != nil {
		t.Fatal(err)
	}
	var all []*sync.Commit
	err = s.Journal(t.Context(), firstWorkspace, 1, 0, func(c *sync.Commit) error {
		all = append(all, c)
		return nil
	})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// isPrefix checks that a journal begins with another, and how much longer it is.
func isPrefix(t *testing.T, short, long []*sync.Commit, more int) {
	t.Helper()
	if len(long) != len(short)+more {
		t.Fatalf("there are %d commits, and %d in what it comes from", len(long), len(short))
	}
	if last := len(short) - 1; short[last].Hash != long[last].Hash {
		t.Fatal("it is another journal")
	}
}

// The technician of these tests.
const (
	techMail     = "tech@north.example"
	techPassword = "enroute and back"
)

// newCompany starts a server on an empty place, and founds a company with a
// technician and some clients. admin is a token of its administrator.
func newCompany(t *testing.T, at place) (s *program, admin string) {
	t.Helper()
	s = serveFrom(t, at)
	admin = s.login(credentials(t, s.stdout.String()))
	makes := func(method, path string, body map[string]any) {
		t.Helper()
		if status, answer := s.ask(method, path, admin, body); status >= 300 {
			t.Fatalf("%s %s: %d %v", method, path, status, answer)
		}
	}
	makes("POST", "/v1/employees", map[string]any{"id": "tech", "name": "Zoé", "email": techMail, "role": "technician"})
	makes("PUT", "/v1/employees/tech/password", map[string]any{"password": techPassword})
	for i := range 5 {
		makes("POST", "/v1/clients", map[string]any{"id": fmt.Sprint("c", i), "name": fmt.Sprint("Client ", i), "assignedEmployeeIds": []string{"tech"}})
	}
	return s, admin
}

// phone is a device of a technician, which follows the server wherever it is.
type phone struct {
	*device.Device
	t     *testing.T
	token string
	net   *counted
}

// counted is the way to a server, which counts what comes.
type counted struct {
	device.Transport
	resets, puts int
}

func (c *counted) Pull(ctx context.Context, cursor string, limit int) (*device.Page, error) {
	page, err := c.Transport.Pull(ctx, cursor, limit)
	if err == nil {
		c.puts += len(page.Put)
		if page.Reset {
			c.resets++
		}
	}
	return page, err
}

func newPhone(t *testing.T, s *program, id string) *phone {
	t.Helper()
	_, session, err := device.NewClient(s.url, device.ClientOptions{}).Login(t.Context(), device.Credentials{
		Workspace: firstWorkspace, Email: techMail, Password: techPassword,
		Device: &device.Hardware{ID: id, Name: "Phone"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{t: t, token: session.Token, net: &counted{}}
	p.Device, err = device.Open(t.Context(), device.Options{Store: device.NewMemory(), Transport: p.net, PageLimit: 200})
	if err != nil {
		t.Fatal(err)
	}
	p.follow(s)
	return p
}

// follow goes on with a server, by the token it has, and syncs.
func (p *phone) follow(s *program) {
	p.t.Helper()
	*p.net = counted{Transport: device.NewClient(s.url, device.ClientOptions{Token: p.token})}
	if err := p.Sync(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// notes a text on a client, and gives the mutation.
func (p *phone) notes(k device.Key, text string) uuid.UUID {
	p.t.Helper()
	made, err := p.Do(p.t.Context(), device.Change{Op: device.Update, Key: k, Set: device.Fields{"note": text}})
	if err != nil {
		p.t.Fatal(err)
	}
	return made[0].ID
}

// holds checks what a phone has, and that it has all that a new one is given.
func (p *phone) holds(s *program, want map[device.Key]string) {
	p.t.Helper()
	fresh := newPhone(p.t, s, uuid.NewString())
	for k, text := range want {
		for _, d := range []*phone{p, fresh} {
			if f, ok, err := d.Get(k); err != nil || !ok || f["note"] != text {
				p.t.Errorf("%s has the note %v, %v, %v, want %q", k, f["note"], ok, err, text)
			}
		}
	}
	if c := p.Condition(); c.Waiting > 0 || !c.StartedOver.IsZero() || c.Digest != fresh.Condition().Digest {
		p.t.Errorf("the phone is %+v, a new one %+v", c, fresh.Condition())
	}
}

// load pushes to a server until it is stopped.
func load(t *testing.T, s *program, token string) (stop func()) {
	t.Helper()
	people := &sender{t: t, address: strings.TrimPrefix(s.url, "http://"), token: token}
	done, begun := make(chan struct{}), make(chan struct{})
	var pushing stdsync.WaitGroup
	pushing.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			if !people.push(people.newPush()) {
				t.Error("a push is not answered")
			}
			if n == 3 {
				close(begun)
			}
		}
	})
	<-begun
	return func() {
		close(done)
		pushing.Wait()
	}
}

// TestRestoredBackup: a backup of a server under load is put back over it.
// Phones notice, keep their work, and send again what the backup lacks, once.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*testing.T) place{"folder": newFolder, "database": newDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restoredBackup(t, at(t))
		})
	}
}

func restoredBackup(t *testing.T, at place) {
	t.Helper()
	server, admin := newCompany(t, at)
	tech := newPhone(t, server, "phone-1")
	clients := tech.Keys("client")
	before := tech.notes(clients[0], "before the backup")
	tech.follow(server)

	stop := load(t, server, admin)
	file := filepath.Join(t.TempDir(), "backup")
	does(t, exitOK, at, "backup", "--to", file)
	stop()

	after := tech.notes(clients[1], "after the backup")
	tech.follow(server)
	unsent := tech.notes(clients[2], "not sent yet")
	if out := does(t, exitFailed, at, "restore", "--from", file, "--replace", "--lease-term", term.String()); !strings.Contains(out, "stop the server") {
		t.Errorf("over a server that runs: %s", out)
	}
	if server.end() != exitOK {
		t.Errorf("the server did not end well:\n%s", server.stderr)
	}
	if out := does(t, exitFailed, at, "restore", "--from", file); !strings.Contains(out, "--replace") {
		t.Errorf("over what is there: %s", out)
	}
	does(t, exitOK, at, "restore", "--from", file, "--replace")
	elsewhere := newFolder(t)
	does(t, exitOK, elsewhere, "restore", "--from", file)
	restored := journalOf(t, elsewhere)
	isPrefix(t, restored[:len(restored)-1], journalOf(t, at), 1)

	server = serveFrom(t, at)
	tech.follow(server)
	if tech.net.resets == 0 {
		t.Error("the phone has not noticed")
	}
	tech.follow(server)
	tech.holds(server, map[device.Key]string{
		clients[0]: "before the backup", clients[1]: "after the backup", clients[2]: "not sent yet",
	})
	server.end()
	hasOnce(t, journalOf(t, at), before, after, unsent)
	does(t, exitOK, at, "verify")
	does(t, exitOK, elsewhere, "verify")
}

// hasOnce checks that each mutation has one outcome.
func hasOnce(t *testing.T, journal []*sync.Commit, ids ...uuid.UUID) {
	t.Helper()
	times := map[uuid.UUID]int{}
	for _, c := range journal {
		for _, o := range c.Outcomes {
			times[o.ID]++
		}
	}
	for i, id := range ids {
		if times[id] != 1 {
			t.Errorf("mutation %d of the phone is in the journal %d times", i, times[id])
		}
	}
}

// TestMigratedThereAndBack: from a folder to a database and back, a phone goes
// on with its cursor, as if nothing had been.
func TestMigratedThereAndBack(t *testing.T) {
	t.Parallel()
	folder, base, back := newFolder(t), newDatabase(t), newFolder(t)
	server, _ := newCompany(t, folder)
	tech := newPhone(t, server, "phone-1")
	client := tech.Keys("client")[0]
	want := map[device.Key]string{}
	at := folder
	for _, next := range []place{base, back} {
		want[client] = "in " + fmt.Sprint(len(want)) + at.String()
		tech.notes(client, want[client])
		if server.end() != exitOK {
			t.Fatalf("the server did not end well:\n%s", server.stderr)
		}
		old := journalOf(t, at)
		migrates(t, at, next)
		isPrefix(t, old, journalOf(t, next), 0)
		migrates(t, at, next) // again: nothing to do
		server = serveFrom(t, next)
		tech.follow(server)
		if tech.net.resets > 0 || tech.net.puts > 3 {
			t.Errorf("the phone was given %d documents, and started over %d times", tech.net.puts, tech.net.resets)
		}
		tech.holds(server, want)
		at = next
	}
	server.end()
	does(t, exitOK, back, "verify")
	if _, errs, code := run(t, "migrate", "--from", back.argument(), "--to", folder.argument()); code != exitFailed || !strings.Contains(errs, "another one") {
		t.Errorf("over another workspace it ends with %d: %s", code, errs)
	}
}

// TestKilledTools: restore and migrate, killed anywhere, leave what was, or
// what becomes; a second run completes it.
func TestKilledTools(t *testing.T) {
	t.Parallel()
	from, file := newFolder(t), filepath.Join(t.TempDir(), "backup")
	server, _ := newCompany(t, from)
	server.end()
	lengthen(t, from, 3000)
	does(t, exitOK, from, "backup", "--to", file)
	want := journalOf(t, from)
	for name, to := range map[string]func(*testing.T) place{"folder": newFolder, "database": newDatabase} {
		t.Run("restore/"+name, func(t *testing.T) {
			t.Parallel()
			at := to(t)
			args := append([]string{"restore", "--from", file, "--lease-term", time.Second.String()}, at.flags()...)
			for range 2 {
				killedAnywhere(t, args...)
			}
			finishes(t, args...)
			isPrefix(t, want, journalOf(t, at), 1)
			does(t, exitOK, at, "verify")
		})
		t.Run("migrate/"+name, func(t *testing.T) {
			t.Parallel()
			at, source := to(t), newFolder(t)
			if err := os.CopyFS(source.folder, os.DirFS(from.folder)); err != nil {
				t.Fatal(err)
			}
			args := []string{"migrate", "--from", source.argument(), "--to", at.argument(), "--lease-term", time.Second.String()}
			for range 2 {
				killedAnywhere(t, args...)
			}
			finishes(t, args...)
			isPrefix(t, want, journalOf(t, at), 0)
			does(t, exitOK, at, "verify")
		})
	}
}

// lengthen a journal in a folder by commits that change nothing.
func lengthen(t *testing.T, p place, commits int) {
	t.Helper()
	registry, err := newRegistry()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), p.file(), registry, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := s.Head(t.Context(), firstWorkspace)
	var all []*sync.Commit
	for range commits {
		c := &sync.Commit{Number: at.Number + 1, Prev: at.Hash, Nonce: uuid.New(), At: at.At, Actor: sync.System(strings.Repeat("x", 2000))}
		c.Seal()
		all, at = append(all, c), sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
	}
	for some := range slices.Chunk(all, 1000) {
		if err == nil {
			err = s.Append(t.Context(), firstWorkspace, some)
		}
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

// killedAnywhere runs a command as a process of its own and kills it within
// the time that it takes; it may be faster.
func killedAnywhere(t *testing.T, args ...string) {
	t.Helper()
	p := &process{t: t, args: args, log: &output{}}
	if err := p.launch(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.gone:
	case <-time.After(rand.N(2 * time.Second)):
	}
	p.kill()
}

// finishes runs a command to its end.
func finishes(t *testing.T, args ...string) {
	t.Helper()
	out, errs, code := run(t, args...)
	if code != exitOK {
		t.Fatalf("enroute %s ends with %d:\n%s%s", strings.Join(args, " "), code, out, errs)
	}
}

// TestMistakenBackups: what cannot be, is refused and leaves nothing behind.
func TestMistakenBackups(t *testing.T) {
	t.Parallel()
	at, folder := newFolder(t), t.TempDir()
	file, empty := filepath.Join(folder, "backup"), newFolder(t)
	does(t, exitOK, at, "workspace", "create", "north")
	does(t, exitOK, at, "backup", "--to", file)
	other := filepath.Join(folder, "other")
	if err := os.WriteFile(other, []byte("enroute backup, format 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "cut"), content[:len(content)-1], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"file already exists", exitFailed, []string{"backup", "--to", file}},
		{"--to must", exitUsage, []string{"backup"}},
		{"no such file", exitFailed, []string{"backup", "--to", filepath.Join(folder, "nowhere", "x")}},
		{"--from must", exitUsage, []string{"restore"}},
		{"no such file", exitFailed, []string{"restore", "--from", file + "x"}},
		{archive.ErrVersion.Error(), exitFailed, []string{"restore", "--from", other}},
		{archive.ErrNotBackup.Error(), exitFailed, []string{"restore", "--from", filepath.Join(at.folder, database)}},
		{archive.ErrDamaged.Error(), exitFailed, []string{"restore", "--from", filepath.Join(folder, "cut"), "--replace"}},
		{"no workspace south", exitFailed, []string{"restore", "--from", file, "--workspace", "south"}},
		{"already is a workspace north", exitFailed, []string{"restore", "--from", file}},
	} {
		if out := does(t, c.code, at, c.args...); !strings.Contains(out, c.want) {
			t.Errorf("enroute %s says %s", strings.Join(c.args, " "), out)
		}
	}
	if out := does(t, exitFailed, empty, "backup", "--to", file+"2"); !strings.Contains(out, "data file") {
		t.Errorf("a backup of nothing says %s", out)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 3 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if _, err := os.Stat(empty.folder); err == nil {
		t.Error("a backup of nothing made a folder")
	}
	does(t, exitOK, at, "verify")
}
