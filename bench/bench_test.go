package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // one for the whole program
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // notices the end within ten seconds
	)
}

// TestViewsAreEqual: every technician sees as many clients as any other, and a
// delta brings exactly as many documents to each.
func TestViewsAreEqual(t *testing.T) {
	t.Parallel()
	for _, s := range []spread{{200, 20_000}, {200, 250_000}, {20, 200}, {3, 15}} {
		if err := s.check(); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		visible, touched := make([]int, s.technicians), make([]int, s.technicians)
		for i := range s.clients {
			first, second := s.assigned(i)
			if first == second {
				t.Fatalf("%+v: client %d is assigned to one technician only", s, i)
			}
			for _, tech := range []int{first, second} {
				visible[tech]++
				if i < s.touched() {
					touched[tech]++
				}
			}
		}
		for tech := range s.technicians {
			if visible[tech] != 2*s.clients/s.technicians || touched[tech] != changed {
				t.Errorf("%+v: technician %d sees %d clients, %d of them changed", s, tech, visible[tech], touched[tech])
			}
		}
	}
}

func TestSizeCheck(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Size{"full": Full(), "small": Small()} {
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Size){
		"no connections":          func(s *Size) { s.Connections = 0 },
		"uneven":                  func(s *Size) { s.Clients++ },
		"uneven when grown":       func(s *Size) { s.Grown[1] += family },
		"too few clients":         func(s *Size) { s.Clients = s.Technicians },
		"too many technicians":    func(s *Size) { s.Technicians, s.Clients, s.Grown = 400, 20_000, [2]int{16_000, 32_000} },
		"uneven streams":          func(s *Size) { s.Streams++ },
		"more than a push can be": func(s *Size) { s.Moved = 1001 },
		"no time":                 func(s *Size) { s.Live = 0 },
	} {
		s := Small()
		if change(&s); s.check() == nil {
			t.Errorf("%s: %+v is accepted", name, s)
		}
	}
}

// collected is a server that keeps what it is sent.
type collected struct {
	mu     stdsync.Mutex
	bodies []string
	answer string
	status int
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a short one is seen below
	c.mu.Lock()
	c.bodies = append(c.bodies, string(body))
	c.mu.Unlock()
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.answer)
}

// load runs a job in this process as the load process would.
func load(t *testing.T, c *collected, j job) (outcome, error) {
	t.Helper()
	server := httptest.NewServer(c)
	defer server.Close()
	j.Address, j.Duration = strings.TrimPrefix(server.URL, "http://"), 100*time.Millisecond
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Load(t.Context(), bytes.NewReader(raw), &out); err != nil {
		return outcome{}, err
	}
	var o outcome
	return o, json.Unmarshal(out.Bytes(), &o)
}

// TestLoadNumbersDocuments: no two documents pushed have the same id, name or
// mutation, and those of one document belong together.
func TestLoadNumbersDocuments(t *testing.T) {
	t.Parallel()
	c := &collected{answer: `{"results":[]}`, status: http.StatusOK}
	o, err := load(t, c, job{Lanes: []lane{pushLane("t", 0), pushLane("t", 1<<28)}})
	if err != nil {
		t.Fatal(err)
	}
	if o.Requests != len(c.bodies) || o.P50 <= 0 || o.P99 < o.P50 || o.Elapsed < 100*time.Millisecond {
		t.Errorf("%+v after %d requests", o, len(c.bodies))
	}
	seen := map[string]bool{}
	for _, body := range c.bodies {
		for _, m := range mutations(t, body) {
			serial := strings.TrimPrefix(m.DocID, "pushed-")
			if seen[serial] || !strings.HasSuffix(m.ID, "-"+serial) || m.Set["name"] != "Client "+serial {
				t.Fatalf("document %s again, or mutation %s, name %v", m.DocID, m.ID, m.Set["name"])
			}
			seen[serial] = true
		}
	}
}

type mutation struct {
	ID, DocID string
	Set       map[string]any
}

func mutations(t *testing.T, body string) []mutation {
	t.Helper()
	var push struct{ Mutations []mutation }
	if err := json.Unmarshal([]byte(body), &push); err != nil || len(push.Mutations) != perPush {
		t.Fatalf("%d mutations, %v: %s", len(push.Mutations), err, body)
	}
	return push.Mutations
}

// TestLoadSendsAllRequests: a first pull of several pages must not count as
// one of its first pages more often.
func TestLoadSendsAllRequests(t *testing.T) {
	t.Parallel()
	c := &collected{answer: "{}", status: http.StatusOK}
	l := lane{Requests: [][]byte{pullRequest("t", ""), pullRequest("t", "a"), pullRequest("t", "b")}}
	o, err := load(t, c, job{Lanes: []lane{l}})
	if err != nil || o.Requests < 3 || o.Requests%3 != 0 || len(c.bodies) != o.Requests {
		t.Errorf("%d requests in turns of 3, %d came, %v", o.Requests, len(c.bodies), err)
	}
}

// TestLoadNoticesFailure: a measurement of refusals would look very good.
func TestLoadNoticesFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*collected{
		"refused mutation": {answer: `{"results":[{"status":"rejected"}]}`, status: http.StatusOK},
		"error":            {answer: `{"code":"unavailable"}`, status: http.StatusServiceUnavailable},
	} {
		if _, err := load(t, c, job{Lanes: []lane{pushLane("t", 0)}}); err == nil || !strings.Contains(err.Error(), c.answer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBareGivesTheSameAnswer: status, headers and bytes are those recorded.
func TestBareGivesTheSameAnswer(t *testing.T) {
	t.Parallel()
	want := recorded{Status: 200, Type: "application/json", Headers: [][2]string{{"Cache-Control", "no-store"}}, Body: []byte(`{"cursor":"x"}`)}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, announce := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Bare(ctx, bytes.NewReader(raw), announce) }()
	var address string
	if _, err := fmt.Fscanf(out, "serves http://%s\n", &address); err != nil {
		t.Fatal(err)
	}
	for _, request := range [][]byte{pullRequest("t", "c"), pushRequest("t")} {
		res, body, err := exchange(t.Context(), address, request)
		if err != nil {
			t.Fatal(err)
		}
		got := record(res, body)
		if got.Status != want.Status || got.Type != want.Type || string(got.Body) != string(want.Body) || fmt.Sprint(got.Headers) != fmt.Sprint(want.Headers) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestRawSQLite(t *testing.T) {
	t.Parallel()
	s := Small()
	s.Duration = 50 * time.Millisecond
	rows, err := rawSQLite(t.Context(), t.TempDir(), s, 900)
	if err != nil || rows < perPush {
		t.Errorf("%.0f rows a second, %v", rows, err)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	same := func(n int) int { return n }
	for _, c := range []struct {
		all  []int
		want int
	}{{[]int{3}, 3}, {[]int{9, 1, 5}, 5}, {[]int{1, 100, 2, 3, 4}, 3}} {
		if got := median(c.all, same); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.all, got, c.want)
		}
	}
}
