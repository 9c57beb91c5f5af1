package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"
)

// hub is a server whose streams show what is sent to it, through a function
// that says how often stream i shows it.
type hub struct {
	times func(stream int, body string) int

	mu      stdsync.Mutex
	streams []chan string
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		body, _ := io.ReadAll(r.Body) // a short one is seen below
		h.mu.Lock()
		defer h.mu.Unlock()
		for i, s := range h.streams {
			for range h.times(i, string(body)) {
				s <- string(body)
			}
		}
		_, _ = io.WriteString(w, "{}")
		return
	}
	var number int
	if _, err := fmt.Sscanf(r.URL.Query().Get("cursor"), "stream%d", &number); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	mine := h.streams[number]
	h.mu.Unlock()
	w.Header().Set("Transfer-Encoding", "identity") // no chunks, as in the program
	_, _ = io.WriteString(w, ": hello\n\n")
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case body := <-mine:
			fmt.Fprintf(w, "event: change\nid: c\ndata: %s\n\n", body)
			w.(http.Flusher).Flush()
		}
	}
}

// serveHub makes a hub with streams, and gives its address and the requests
// that open them.
func serveHub(t *testing.T, h *hub, streams int) (address string, open [][]byte) {
	t.Helper()
	for i := range streams {
		h.streams = append(h.streams, make(chan string, 100))
		open = append(open, liveRequest("t", fmt.Sprint("stream", i)))
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), open
}

// follow runs a job as the follow process would.
func follow(t *testing.T, j followJob) (saw followed, err error) {
	t.Helper()
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Follow(t.Context(), bytes.NewReader(raw), &out); err != nil {
		return saw, err
	}
	return saw, json.Unmarshal(out.Bytes(), &saw)
}

// writesTo are writes with marks from first on; the even ones are for stream
// 0 alone, the others for all.
func writesTo(n, first int) []write {
	out := make([]write, n)
	for i := range out {
		out[i].Request = patchRequest("t", fmt.Sprint("/v1/locations/", i), "accessNotes", mark(first+i))
		if i%2 == 0 {
			out[i].Seen = []int{0}
		}
	}
	return out
}

func even(body string) bool {
	return strings.ContainsAny(body[strings.Index(body, markPrefix)+len(mark(0))-1:][:1], "02468")
}

func TestFollowCountsAndTimes(t *testing.T) {
	t.Parallel()
	h := &hub{times: func(stream int, body string) int {
		if stream > 0 && even(body) {
			return 0
		}
		return 1
	}}
	address, open := serveHub(t, h, 3)
	saw, err := follow(t, followJob{
		Address: address, Streams: open, Writes: writesTo(6, 70), First: 70, Every: time.Millisecond, Folder: t.TempDir(), Patience: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if saw.Events != 3*1+3*3 {
		t.Errorf("%d events, want one of each even write and three of each odd one", saw.Events)
	}
	for _, d := range []delays{saw.Seen, saw.Synced} {
		if d.P50 <= 0 || d.P99 < d.P50 || d.Most < d.P99 || d.Most > time.Minute {
			t.Errorf("%+v", d)
		}
	}
}

// TestFollowNoticesWrongEvents: a server that shows too little or too much is
// not to look quick.
func TestFollowNoticesWrongEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		times func(stream int, body string) int
		want  string
	}{
		"missing": {func(stream int, body string) int {
			if stream == 0 && !even(body) {
				return 1
			}
			return 0
		}, "events are missing"},
		"for another": {func(int, string) int { return 1 }, "not for it"},
		"twice": {func(stream int, body string) int {
			if even(body) {
				return 2 * (1 - min(stream, 1))
			}
			return 2
		}, "again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, open := serveHub(t, &hub{times: c.times}, 2)
			_, err := follow(t, followJob{
				Address: address, Streams: open, Writes: writesTo(4, 0), Every: time.Millisecond, Patience: 100 * time.Millisecond,
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestHandoverWaitsForAll: the clock stops when both devices are complete, and
// one that is not is an error.
func TestHandoverWaitsForAll(t *testing.T) {
	t.Parallel()
	clients := []string{"handed-0", "handed-1"}
	const drop, put = `{"more":false,"drop":["client:handed-0","client:handed-1"]}`,
		`{"more":false,"put":[{"kind":"client","id":"handed-0"},{"kind":"client","id":"handed-1"}]}`
	for name, c := range map[string]struct {
		loser, gainer, want string
	}{
		"complete":           {drop, put, ""},
		"one is not dropped": {`{"more":false,"drop":["client:handed-0"]}`, put, "read a stream"},
		"one does not come":  {drop, `{"more":false,"put":[{"kind":"client","id":"handed-0"}]}`, "read a stream"},
		"one comes twice":    {drop, `{"more":false,"put":[{"kind":"client","id":"handed-0"},{"kind":"client","id":"handed-0"}]}`, "1 documents came"},
		"there is more":      {drop, strings.Replace(put, "false", "true", 1), "read a stream"},
		"another comes too":  {drop, strings.Replace(put, "]", `,{"id":"x"}]`, 1), "3 documents came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hub{}
			address, open := serveHub(t, h, 2)
			h.streams[0] <- c.loser
			h.streams[1] <- c.gainer
			h.times = func(int, string) int { return 0 }
			j := handoverJob{
				Address: address, Clients: clients, Loser: open[0], Gainer: open[1], Patience: 200 * time.Millisecond,
				Push: mutationsRequest("t", 1, assigns(clients, "b")),
			}
			got, err := j.run(t.Context())
			if c.want == "" && (err != nil || got.All <= 0 || got.Answer <= 0 || got.after() > got.All) {
				t.Errorf("%+v, %v", got, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestDelayIsSinceTheWrite: not since the start, nor since another write.
func TestDelayIsSinceTheWrite(t *testing.T) {
	t.Parallel()
	f := &following{
		followJob: followJob{Writes: writesTo(4, 10), First: 10}, complete: make(chan struct{}),
		sent: make([]atomic.Int64, 4), shown: [][]time.Duration{make([]time.Duration, 4)},
	}
	f.missing.Store(2)
	f.sent[1].Store(int64(40 * time.Millisecond))
	f.sent[3].Store(int64(50 * time.Millisecond))
	page := fmt.Sprintf(`{"put":[{"note":%q},{"note":%q}]}`, mark(13), mark(11))
	if err := f.note(0, []byte(page), 57*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	<-f.complete
	if f.shown[0][1] != 17*time.Millisecond || f.shown[0][3] != 7*time.Millisecond {
		t.Errorf("%v", f.shown[0])
	}
}
