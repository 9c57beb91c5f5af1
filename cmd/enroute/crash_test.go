package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// kills, in the environment, is how many times TestKilledUnderLoad kills.
const kills = "ENROUTE_TEST_KILLS"

// Killed again and again in the middle of load, the server has lost nothing it
// acknowledged, and what is sent again has no second effect.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	k := &killing{t: t, data: filepath.Join(t.TempDir(), "data"), listen: freeAddress(t)}
	k.start()
	k.token = k.signIn()
	before := k.clients()
	rounds := 10
	if text := os.Getenv(kills); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		k.round(1 + rand.IntN(60))
	}
	k.sendAllAgain()
	if got, want := k.clients(), before+len(k.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
	k.kill()
	out, errs, code := run(t, "verify", "--data", k.data)
	if code != 0 {
		t.Errorf("verify ends with %d:\n%s%s", code, out, errs)
	}
}

const perPush = 3

// killing is a server that is killed and started again, and what was sent to it.
type killing struct {
	t      *testing.T
	data   string
	listen string
	token  string
	env    []string // besides the test's own
	note   string   // of every client that is sent
	cmd    *exec.Cmd
	log    *output

	mu   sync.Mutex
	sent []*sentPush
}

// sentPush is one push, with its answer when there was one.
type sentPush struct {
	body    []byte
	results []pushed
}

type pushed struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Duplicate bool   `json:"duplicate"`
	Rev       uint64 `json:"rev"`
}

func (k *killing) start() {
	k.t.Helper()
	k.log = &output{}
	k.cmd = exec.Command(os.Args[0], "serve", "--demo", "--data", k.data, "--listen", k.listen)
	k.cmd.Env = append(append(os.Environ(), asProgram+"=1"), k.env...)
	k.cmd.Stdout, k.cmd.Stderr = k.log, k.log
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(k.kill)
	for end := time.Now().Add(patience); ; {
		res, err := http.Get("http://" + k.listen + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			k.t.Fatalf("it does not start: %v\n%s", err, k.log)
		}
		<-time.After(20 * time.Millisecond) // asks again until it answers
	}
}

func (k *killing) kill() {
	if k.cmd.ProcessState == nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
	}
}

func (k *killing) signIn() string {
	k.t.Helper()
	raw, err := k.ask("POST", "/v1/login", "", []byte(`{"workspace":"demo","email":"dispatcher@demo.example","password":"enroute-demo"}`))
	var session struct{ Token string }
	if err == nil {
		err = json.Unmarshal(raw, &session)
	}
	if err != nil || session.Token == "" {
		k.t.Fatalf("sign in: %v in %s", err, raw)
	}
	return session.Token
}

func (k *killing) clients() int {
	k.t.Helper()
	raw, err := k.ask("GET", "/v1/clients?limit=1&disabled=true,false", k.token, nil)
	var list struct{ Total int }
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		k.t.Fatalf("list clients: %v in %s", err, raw)
	}
	return list.Total
}

// round pushes from several sides until enough was acknowledged, kills the
// server while more is on its way, and starts it again.
func (k *killing) round(enough int) {
	k.t.Helper()
	acked := make(chan struct{}, 1000)
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !k.push(k.newPush()) {
					return // the server is gone
				}
				acked <- struct{}{}
			}
		})
	}
	for range enough {
		select {
		case <-acked:
		case <-time.After(patience):
			k.t.Fatalf("the pushes are not answered\n%s", k.log)
		}
	}
	k.kill()
	close(stop)
	senders.Wait()
	k.start()
}

func (k *killing) newPush() *sentPush {
	var all []map[string]any
	for range perPush {
		id := uuid.NewString()
		all = append(all, map[string]any{"id": uuid.NewString(), "kind": "client", "docId": id, "op": "create",
			"set": map[string]any{"name": "Load " + id, "note": k.note}})
	}
	body, err := json.Marshal(map[string]any{"sentAt": time.Now().UTC(), "mutations": all})
	if err != nil {
		k.t.Error(err)
	}
	p := &sentPush{body: body}
	k.mu.Lock()
	k.sent = append(k.sent, p)
	k.mu.Unlock()
	return p
}

// push sends and keeps the answer; false when there was none.
func (k *killing) push(p *sentPush) bool {
	raw, err := k.ask("POST", "/v1/sync/push", k.token, p.body)
	var answer struct{ Results []pushed }
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		return false
	}
	p.results = answer.Results
	return true
}

// sendAllAgain repeats every push: the acknowledged ones must be known, with
// the answers they had; the others must be there once now.
func (k *killing) sendAllAgain() {
	k.t.Helper()
	unanswered := 0
	for _, p := range k.sent {
		first := p.results
		if first == nil {
			unanswered++
		}
		if !k.push(p) {
			k.t.Fatalf("no answer when sent again\n%s", k.log)
		}
		for i, r := range p.results {
			if r.Status != "applied" {
				k.t.Errorf("mutation %s: %s", r.ID, r.Status)
			}
			if first != nil && (!r.Duplicate || r.Rev != first[i].Rev) {
				k.t.Errorf("mutation %s was acknowledged at %d and is now %+v", r.ID, first[i].Rev, r)
			}
		}
	}
	k.t.Logf("%d pushes of %d, %d of them unanswered before", len(k.sent), perPush, unanswered)
}

func (k *killing) ask(method, path, token string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(k.t.Context(), method, "http://"+k.listen+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Close = true // no connection outlives the server
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", res.Status, strings.TrimSpace(string(raw)))
	}
	return raw, err
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
