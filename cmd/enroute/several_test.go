package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/store/mongo"
	"github.com/enroute-field/enroute/store/mongotest"
)

// severalTerm leaves room for a busy machine, and is long enough to tell a
// handing over from a taking over.
const severalTerm = 20 * time.Second

// nodesOf starts servers over one database, all at the same moment.
func nodesOf(t *testing.T, uri string, count int, args ...string) []*program {
	t.Helper()
	nodes := make([]*program, count)
	var starts sync.WaitGroup
	for i := range nodes {
		nodes[i] = begin(t, []string{"ENROUTE_STORE=" + uri}, append(args, "--lease-term", severalTerm.String())...)
	}
	for _, p := range nodes {
		starts.Go(func() { p.ready() })
	}
	starts.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return nodes
}

// endAll ends the servers that run still, one after the other.
func endAll(t *testing.T, nodes ...*program) {
	t.Helper()
	for i, p := range nodes {
		if code := p.end(); code != exitOK {
			t.Errorf("node %d ends with %d:\n%s", i, code, p.stderr)
		}
		for line := range strings.Lines(p.stderr.String()) {
			if strings.Contains(line, "level=ERROR") {
				t.Errorf("node %d: %s", i, line)
			}
		}
	}
}

// TestThreeFirstStartsAtOnce: three nodes on an empty database make one
// workspace and one administrator, of whom one of them tells.
func TestThreeFirstStartsAtOnce(t *testing.T) {
	t.Parallel()
	nodes := nodesOf(t, mongotest.Database(t), 3)
	var told string
	for _, p := range nodes {
		if out := p.stdout.String(); strings.Contains(out, "password") {
			if told != "" {
				t.Errorf("two nodes tell of an administrator:\n%s%s", told, out)
			}
			told = out
		}
	}
	workspace, email, password := credentials(t, told)
	for _, p := range nodes {
		docs := p.pull(p.login(workspace, email, password))
		if len(docs["workspaceSettings"]) != 1 || len(docs["employee"]) != 1 {
			t.Errorf("the administrator sees %v", docs)
		}
	}
	endAll(t, nodes...)
}

// TestThreeDemosAtOnce: the same for the demo, which takes many commits.
func TestThreeDemosAtOnce(t *testing.T) {
	t.Parallel()
	nodes := nodesOf(t, mongotest.Database(t), 3, "--demo")
	made := 0
	for _, p := range nodes {
		if strings.Contains(p.stdout.String(), "was made anew") {
			made++
		}
		if all := p.pull(p.login(demo.Workspace, "dispatcher@demo.example", demo.Password)); len(all["client"]) != 300 {
			t.Errorf("the dispatcher sees %d clients", len(all["client"]))
		}
	}
	if made != 1 {
		t.Errorf("%d nodes made the demo", made)
	}
	endAll(t, nodes...)
}

// held reads from a node's metrics how many workspaces it holds.
func (p *program) held() (seats int) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/metrics", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "enroute_cluster_seats_held %d", &seats); err == nil {
			return seats
		}
	}
	p.t.Fatal("the metrics do not tell of seats")
	return 0
}

// TestNodesServeTogether: whichever node somebody asks, the same one serves,
// and what was written by one is read by the other at once. When that node is
// stopped, the next serves in the same moment, not a term later.
func TestNodesServeTogether(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	nodes := nodesOf(t, uri, 2)
	a, b := nodes[0], nodes[1]
	workspace, email, password := credentials(t, a.stdout.String()+b.stdout.String())
	if b.held() > a.held() {
		a, b = b, a
	}
	token := b.login(workspace, email, password)
	for i := range 5 {
		status, made := []*program{a, b}[i%2].ask(http.MethodPost, "/v1/clients", token, map[string]any{"name": fmt.Sprintf("client %d", i)})
		if status != http.StatusCreated {
			t.Fatalf("create: %d %v", status, made)
		}
		for _, p := range nodes {
			if n := len(p.pull(token)["client"]); n != i+1 {
				t.Fatalf("after %d clients a node shows %d", i+1, n)
			}
		}
	}
	if a.held() != 1 || b.held() != 0 {
		t.Errorf("the nodes hold %d and %d workspaces", a.held(), b.held())
	}
	if code := a.end(); code != exitOK {
		t.Errorf("it ends with %d:\n%s", code, a.stderr)
	}
	savedAll(t, uri, workspace)
	begun := time.Now()
	if n := len(b.pull(token)["client"]); n != 5 {
		t.Errorf("the other node shows %d clients", n)
	}
	if took := time.Since(begun); took > severalTerm/2 {
		t.Errorf("after %s, as if the first had been killed", took)
	}
	if b.held() != 1 {
		t.Error("the other node holds nothing")
	}
	endAll(t, b)
}

// savedAll checks that the workspace's checkpoint is of its head: whoever loads
// it need not replay anything.
func savedAll(t *testing.T, uri, workspace string) {
	t.Helper()
	registry, err := newRegistry()
	if err != nil {
		t.Fatal(err)
	}
	s, err := mongo.Open(t.Context(), uri, registry, mongo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // it was only read
	head, err := s.Head(t.Context(), workspace)
	if err != nil {
		t.Fatal(err)
	}
	saved, _, err := s.LoadCheckpoint(t.Context(), workspace)
	if err != nil || saved.Number != head.Number {
		t.Errorf("the checkpoint is of commit %d, %v; the head is %d", saved.Number, err, head.Number)
	}
}

// TestWorkspaceCreateBesideServers: a tool makes a workspace while nodes
// serve others, and they serve it as soon as it is done.
func TestWorkspaceCreateBesideServers(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	nodes := nodesOf(t, uri, 1)
	out, errs, code := run(t, "workspace", "create", "plombier", "--store", uri)
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, errs)
	}
	if docs := nodes[0].pull(nodes[0].login(credentials(t, out))); len(docs["employee"]) != 1 {
		t.Errorf("its administrator sees %v", docs)
	}
	if _, errs, code := run(t, "workspace", "create", "plombier", "--store", uri); code != exitFailed || !strings.Contains(errs, "there is a workspace plombier already") {
		t.Errorf("created twice: %d, %s", code, errs)
	}
	csv := filepath.Join(t.TempDir(), "clients.csv")
	if err := os.WriteFile(csv, []byte("name\nA client\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := run(t, "import", "clients", csv, "--workspace", "plombier", "--store", uri); code != exitFailed || !strings.Contains(errs, "a server that runs has it") {
		t.Errorf("imported beside the server: %d, %s", code, errs)
	}
	endAll(t, nodes...)
}

// TestIdleWorkspaceIsAnybodys: what nobody uses leaves a node's memory and its
// hands, and is served again by whoever is asked.
func TestIdleWorkspaceIsAnybodys(t *testing.T) {
	t.Parallel()
	nodes := nodesOf(t, mongotest.Database(t), 2, "--idle-after", "2s")
	workspace, email, password := credentials(t, nodes[0].stdout.String()+nodes[1].stdout.String())
	status := 0
	var session map[string]any
	for status == 0 || status == http.StatusServiceUnavailable { // it may be given back under the request's hands
		status, session = nodes[1].ask(http.MethodPost, "/v1/login", "", map[string]any{
			"workspace": workspace, "email": email, "password": password,
		})
	}
	token, _ := session["token"].(string)
	tick, enough := time.Tick(50*time.Millisecond), time.After(patience)
	for nodes[0].held()+nodes[1].held() > 0 {
		select {
		case <-tick:
		case <-enough:
			t.Fatal("it is held for ever")
		}
	}
	for _, p := range nodes {
		if docs := p.pull(token); len(docs["employee"]) != 1 {
			t.Errorf("after its idleness a node shows %v", docs)
		}
	}
	endAll(t, nodes...)
}
