package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails if a stopped program left something running. The HTTP
// library leaves goroutines that are nobody's: a clock and compressors of the
// whole process, and a cleaner that notices the end of its pool ten seconds late.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if control := os.Getenv(onDisk); control != "" {
			defer runtime.KeepAlive(spoilDisk(control))
		}
		main()
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// asProgram makes the test binary be the program, for tests that need it as a
// process of its own.
const asProgram = "TEST_AS_PROGRAM"

// patience is how long a test waits for something that takes moments.
const patience = 3 * time.Minute

// output collects what a program writes, while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// program is a run of Main that goes on while a test uses it.
type program struct {
	t      *testing.T
	url    string
	stdout *output
	stderr *output
	stop   context.CancelFunc
	code   chan int
	// answers gives the URL once it does.
	answers chan string
}

// run runs the program to its end; a server that starts is stopped at once.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, errs := &output{}, &output{}
	m := Main{Args: args, Stdout: out, Stderr: errs, Clock: time.Now, Ready: func(string) { stop() }}
	code = m.Run(ctx)
	return out.String(), errs.String(), code
}

// serve starts the program and waits until it answers.
func serve(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	p := begin(t, environ, args...)
	if !p.ready() {
		t.FailNow()
	}
	return p
}

// begin starts the program.
func begin(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &program{t: t, stdout: &output{}, stderr: &output{}, stop: stop, code: make(chan int, 1), answers: make(chan string, 1)}
	m := Main{
		Args: append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), Environ: environ,
		Stdout: p.stdout, Stderr: p.stderr, Clock: time.Now, Ready: func(url string) { p.answers <- url },
	}
	go func() { p.code <- m.Run(ctx) }()
	t.Cleanup(func() { p.stop() })
	return p
}

// ready waits until the program answers.
func (p *program) ready() bool {
	p.t.Helper()
	select {
	case p.url = <-p.answers:
		return true
	case code := <-p.code:
		p.t.Errorf("it ended with %d:\n%s", code, p.stderr)
	case <-time.After(patience):
		p.t.Errorf("it does not start:\n%s", p.stderr)
	}
	return false
}

// end stops the program and gives its exit code.
func (p *program) end() int {
	p.t.Helper()
	p.stop()
	select {
	case code := <-p.code:
		return code
	case <-time.After(patience):
		p.t.Fatalf("it does not stop:\n%s", p.stderr)
		return -1
	}
}

// ask sends a request and decodes the answer.
func (p *program) ask(method, path, token string, body any) (status int, answer map[string]any) {
	p.t.Helper()
	var content io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, content)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Close = true // no connection outlives the test
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		p.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
	}
	return res.StatusCode, answer
}

// login gives a token.
func (p *program) login(workspace, email, password string) string {
	p.t.Helper()
	status, answer := p.ask(http.MethodPost, "/v1/login", "", map[string]any{
		"workspace": workspace, "email": email, "password": password,
		"device": map[string]any{"id": "phone-of-" + strings.SplitN(email, "@", 2)[0], "name": "test"},
	})
	token, _ := answer["token"].(string)
	if status != http.StatusOK || token == "" {
		p.t.Fatalf("sign in as %s: %d %v", email, status, answer)
	}
	return token
}

// pull gives everything the token's user sees, by kind.
func (p *program) pull(token string) map[string][]map[string]any {
	p.t.Helper()
	byKind := map[string][]map[string]any{}
	for cursor, more := "", true; more; {
		status, page := p.ask(http.MethodGet, "/v1/sync/pull?cursor="+cursor, token, nil)
		if status != http.StatusOK {
			p.t.Fatalf("pull: %d %v", status, page)
		}
		put, _ := page["put"].([]any)
		for _, v := range put {
			doc, _ := v.(map[string]any)
			kind, _ := doc["kind"].(string)
			byKind[kind] = append(byKind[kind], doc)
		}
		cursor, _ = page["cursor"].(string)
		more, _ = page["more"].(bool)
	}
	return byKind
}
