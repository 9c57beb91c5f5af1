package web_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// TestManyFaultsAreNotAllTold: a body of a million mistakes does not get a
// million explanations, which would take many times its room.
func TestManyFaultsAreNotAllTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	tim := w.token("tim", "phone")
	id := `"id":"0199f3c2-7d1e-7b7a-9d51-2f0c6a4b1e55"`
	var names strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&names, `"x%d":0,`, i)
	}
	for what, a := range map[string]*answer{
		"texts that are numbers": w.do("POST", "/v1/sync/push", tim, `{"mutations":[{`+id+`,"unset":[0`+strings.Repeat(",0", 1_000_000)+`]}]}`),
		"unknown members":        w.do("POST", "/v1/sync/push", tim, `{`+names.String()+`"mutations":[]}`),
		"unknown parameters":     w.do("GET", "/healthz?"+strings.Repeat("a&", 3000), "", nil),
	} {
		errors, _ := a.problem(422, "invalid").object()["errors"].([]any)
		if len(errors) == 0 || len(errors) > 50 {
			t.Errorf("%s: %d explanations", what, len(errors))
		}
	}
}

// TestHostileInput: what no honest client sends gets a clear problem in the
// language asked for, changes nothing and gives nothing away.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana, tim := w.token("ana", ""), w.token("tim", "phone")
	tom := w.do("GET", "/v1/sync/pull", w.token("tom", "toms"), nil).text("cursor")
	head := w.head()
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, tt := range []struct {
		name, method, path, token, body string
		status                          int
		code                            string
	}{
		{"no JSON", "POST", "/v1/clients", ana, `{"name":`, 400, "malformed_json"},
		{"no body", "POST", "/v1/clients", ana, ``, 400, "malformed_json"},
		{"two bodies", "POST", "/v1/clients", ana, `{"name":"a"}{"name":"b"}`, 400, "malformed_json"},
		{"a member twice", "POST", "/v1/clients", ana, `{"name":"a","name":"b"}`, 400, "duplicate_member"},
		{"bad UTF-8", "POST", "/v1/clients", ana, "{\"name\":\"\xff\"}", 400, "bad_utf8"},
		{"too deep", "POST", "/v1/clients", ana, `{"name":"a","custom":` + deep + `}`, 400, "too_deep"},
		{"a list", "POST", "/v1/clients", ana, `[]`, 422, "invalid"},
		{"a number for a name", "POST", "/v1/clients", ana, `{"name":5}`, 422, "invalid"},
		{"an unknown field", "POST", "/v1/clients", ana, `{"name":"a","isAdmin":true}`, 422, "invalid"},
		{"an id with a path", "POST", "/v1/clients", ana, `{"id":"../a","name":"a"}`, 422, "invalid"},
		{"an id that is none", "POST", "/v1/clients", ana, `{"id":5,"name":"a"}`, 422, "invalid"},
		{"an id too long", "POST", "/v1/clients", ana, `{"id":"` + strings.Repeat("a", 65) + `","name":"a"}`, 422, "invalid"},
		{"an id that is taken", "POST", "/v1/clients", ana, `{"id":"c2","name":"a"}`, 409, "id_exists"},
		{"a document too large", "POST", "/v1/clients", ana, `{"name":"a","note":"` + strings.Repeat("n", 300<<10) + `"}`, 0, ""},
		{"a body too large", "POST", "/v1/clients", ana, `{"name":"` + strings.Repeat("a", 600<<10) + `"}`, 413, "too_large"},
		{"a body far too large", "POST", "/v1/clients", ana, `{"name":"` + strings.Repeat("a", 9<<20) + `"}`, 413, "too_large"},
		{"a push too large", "POST", "/v1/sync/push", tim, `{"mutations":[],"x":"` + strings.Repeat("a", 5<<20) + `"}`, 413, "push_too_large"},
		{"a sign-in too large", "POST", "/v1/login", "", `{"password":"` + strings.Repeat("a", 20<<10) + `"}`, 413, "too_large"},
		{"a push of another shape", "POST", "/v1/sync/push", tim, `{"mutations":{}}`, 422, "invalid"},
		{"an unknown kind", "GET", "/v1/secrets", ana, "", 404, "not_found"},
		{"an unknown path", "GET", "/wp-admin.php", "", "", 404, "not_found"},
		{"a path up", "GET", "/v1/clients/..%2f..%2fetc%2fpasswd", ana, "", 404, "not_found"},
		{"a path of another case", "GET", "/V1/Clients", ana, "", 404, "not_found"},
		{"a method that is not there", "PUT", "/v1/clients/c1", ana, `{}`, 405, "method_not_allowed"},
		{"a forged cursor", "GET", "/v1/sync/pull?cursor=AAAAAAAA", tim, "", 400, "bad_cursor"},
		{"a cursor that is long", "GET", "/v1/sync/pull?cursor=" + strings.Repeat("A", 3000), tim, "", 400, "bad_cursor"},
		{"another's cursor", "GET", "/v1/sync/pull?cursor=" + tom, tim, "", 400, "bad_cursor"},
		{"one's cursor on another device", "GET", "/v1/sync/pull?cursor=" + tom, w.token("tom", "another"), "", 400, "bad_cursor"},
		{"SQL", "GET", "/v1/clients?name=%27%20OR%201=1--", ana, "", 200, ""},
		{"SQL in a sort", "GET", "/v1/clients?sort=name;DROP%20TABLE%20documents", ana, "", 422, "invalid"},
		{"SQL in a member", "GET", "/v1/clients?custom.%27%29--=1", ana, "", 200, ""},
		{"a search of signs", "GET", "/v1/clients?q=%22%2A%28%29%20NEAR", ana, "", 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			head := w.head()
			var body any
			if tt.body != "" || tt.method == "POST" {
				body = tt.body
			}
			a := w.do(tt.method, tt.path, tt.token, body, "Accept-Language", "fr-CA, en;q=0.5")
			a.without("goroutine", "runtime", "SQL", "sqlite", ".go:", "Zinc")
			if tt.status == 0 {
				a.problem(a.status, a.text("code"))
			} else if tt.code == "" {
				a.want(tt.status)
				if got := a.ids("items"); len(got) != 0 {
					t.Errorf("%v were found", got)
				}
			} else {
				a.problem(tt.status, tt.code)
			}
			if a.status >= 400 && a.header.Get("Content-Language") != "fr" {
				t.Errorf("language %q: %s", a.header.Get("Content-Language"), a.body)
			}
			if w.head() != head {
				t.Errorf("the head went from %d to %d", head, w.head())
			}
		})
	}
	if got := w.head(); got > head+1 { // the one is the sign-in of another device
		t.Errorf("the head went from %d to %d", head, got)
	}
}

// TestMediaTypes: a body is JSON by its name, too, so that no form of another
// site can send one.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	head := w.head()
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/merge-patch+json", "nonsense;;"} {
		w.do("POST", "/v1/clients", ana, `{"name":"x"}`, "Content-Type", media).problem(http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	w.do("POST", "/v1/clients", ana, `{"name":"x"}`, "Content-Encoding", "gzip").problem(http.StatusUnsupportedMediaType, "unsupported_media_type")
	if w.head() != head {
		t.Errorf("the head went from %d to %d", head, w.head())
	}
	w.do("POST", "/v1/clients", ana, `{"name":"x"}`, "Content-Type", "Application/JSON; charset=UTF-8").want(http.StatusCreated)
}

// TestTokenOfAnotherWorkspace: it opens that workspace, and no other.
func TestTokenOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	w := open(t)
	other, err := w.Engine.Create(t.Context(), "other", sync.Write{Cause: sync.Cause{Kind: "system"}, Mutations: seed(t), Admit: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.auth.Issue(t.Context(), other, "ana", auth.DeviceInput{ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	made := w.do("POST", "/v1/clients", w.token("ana", ""), map[string]any{"id": "mine", "name": "Seulement ici"}).want(http.StatusCreated)
	cursor := w.do("GET", "/v1/sync/pull", w.token("ana", "x"), nil).text("cursor")
	w.do("GET", made.header.Get("Location"), token, nil).problem(http.StatusNotFound, "not_found").without("Seulement")
	w.do("GET", "/v1/clients", token, nil).want(http.StatusOK).without("Seulement")
	w.do("GET", "/v1/sync/pull", token, nil).want(http.StatusOK).without("Seulement")
	a := w.do("GET", "/v1/sync/pull?cursor="+cursor, token, nil)
	if a.status == http.StatusOK && a.object()["reset"] != true {
		t.Errorf("a cursor of another workspace was served: %s", a.body)
	}
	a.without("Seulement")
	w.do("GET", "/v1/clients", strings.Replace(token, "other", "test", 1), nil).problem(http.StatusUnauthorized, "not_signed_in")
}

// raw sends bytes as they are, and reads the first answer.
func (w *world) raw(t *testing.T, text string) (*http.Response, []byte) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to %.60q: %v", text, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, body
}

// TestWhatIsNoRequest: even that is answered by a problem.
func TestWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	w := open(t)
	for name, text := range map[string]string{
		"rubbish":            "\x16\x03\x01\x02\x00\r\n\r\n",
		"an unknown method":  "BREW /v1/clients HTTP/1.1\r\nHost: x\r\n\r\n",
		"a head too long":    "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n",
		"a length that lies": "POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
	} {
		r, body := w.raw(t, text)
		if r.StatusCode < 400 || r.StatusCode >= 500 || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, %s: %s", name, r.StatusCode, r.Header.Get("Content-Type"), body)
		}
	}
}

// TestABodyNobodyReadsIsNoRequest: what is left of a refused body is not
// taken for the next request on the connection.
func TestABodyNobodyReadsIsNoRequest(t *testing.T) {
	t.Parallel()
	w := open(t)
	inner := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, text := range map[string]string{
		"not signed in": fmt.Sprintf("POST /v1/clients HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(inner)+9000, strings.Repeat(" ", 9000)+inner),
		"chunked":       "POST /v1/clients HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n" + inner,
		"too long":      fmt.Sprintf("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", 20<<10, strings.Repeat(" ", 20<<10-len(inner))+inner),
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := bytes.Count(all, []byte("HTTP/1.1 ")); n != 1 {
			t.Errorf("%s: %d answers: %s", name, n, all)
		}
		if !bytes.Contains(all, []byte("\r\nConnection: close\r\n")) {
			t.Errorf("%s: the connection ends without a word: %s", name, all)
		}
		_ = conn.Close()
	}
}

// TestChunkedBodies have no length, and are read all the same, up to the limit.
func TestChunkedBodies(t *testing.T) {
	t.Parallel()
	w := open(t)
	ana := w.token("ana", "")
	send := func(body string) int {
		req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/clients", io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+ana)
		req.Header.Set("Content-Type", "application/json")
		r, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		return r.StatusCode
	}
	if got := send(`{"name":"En morceaux"}`); got != http.StatusCreated {
		t.Errorf("status %d", got)
	}
	if got := send(`{"name":"` + strings.Repeat("x", 600<<10) + `"}`); got != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: status %d", got)
	}
	if got := send(`{"name":"Encore"}`); got != http.StatusCreated {
		t.Errorf("afterwards: status %d", got)
	}
}
