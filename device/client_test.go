package device_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/enroute-field/enroute/device"
)

// serve answers one path and says what it was asked.
func serve(t *testing.T, path string, h http.HandlerFunc) *device.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc(path, h)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return device.NewClient(server.URL+"/", device.ClientOptions{Token: "secret", Language: "fr-CA", HTTP: server.Client()})
}

func TestClientSignsIn(t *testing.T) {
	t.Parallel()
	c := serve(t, "POST /v1/login", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		const asked = `{"workspace":"demo","email":"a@example.com","password":"p","device":{"id":"d1","name":"Phone"}}`
		if string(body) != asked || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("asked %s as %s", body, r.Header.Get("Content-Type"))
		}
		_, _ = io.WriteString(w, `{"token":"t1","expiresAt":"2027-01-01T00:00:00Z","workspace":{"name":"demo"},"user":{"id":"e1","role":"technician"},"deviceId":"d1"}`)
	})
	signedIn, s, err := c.Login(t.Context(), device.Credentials{Workspace: "demo", Email: "a@example.com", Password: "p", Device: &device.Hardware{ID: "d1", Name: "Phone"}})
	if err != nil || signedIn == c || s.Token != "t1" || s.User.ID != "e1" || s.DeviceID != "d1" {
		t.Errorf("session %+v, error %v", s, err)
	}
}

func TestClientPullsAndPushes(t *testing.T) {
	t.Parallel()
	c := serve(t, "/v1/sync/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Accept-Language") != "fr-CA" {
			t.Errorf("headers are %v", r.Header)
		}
		switch r.Method + " " + r.URL.String() {
		case "GET /v1/sync/pull?cursor=a%2Bb&limit=3":
			_, _ = io.WriteString(w, `{"cursor":"c","more":false,"head":7,"remove":[{"kind":"note","id":"x"}],"put":[{"kind":"note","id":"y","rev":7,"scope":"workspace","t":"é"}],"digest":{"count":1,"sum":"00000000000000ff"}}`)
		case "POST /v1/sync/push":
			_, _ = io.WriteString(w, `{"results":[{"id":"00000000-0000-4000-8000-000000000001","status":"rejected","error":{"status":422,"code":"invalid","detail":"Non","errors":[{"field":"name","code":"required"}]}}],"head":8}`)
		default:
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
	})
	p, err := c.Pull(t.Context(), "a+b", 3)
	if err != nil || p.Head != 7 || p.Put[0].Rev != 7 || !strings.Contains(string(p.Put[0].Body), `"t":"é"`) || p.Remove[0] != note("x") || p.Digest.Sum != 255 {
		t.Errorf("page %+v, error %v", p, err)
	}
	resp, err := c.Push(t.Context(), device.PushRequest{SentAt: time.Now(), Mutations: []device.Mutation{{}}})
	if err != nil || resp.Results[0].Error.Code != "invalid" || resp.Results[0].Error.Errors[0].Field != "name" {
		t.Errorf("response %+v, error %v", resp, err)
	}
}

func TestClientTellsRefusalsFromOtherFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status      int
		contentType string
		body        string
		want        *device.Problem
	}{
		"a problem":          {503, "application/problem+json; charset=utf-8", `{"status":200,"code":"unavailable"}`, &device.Problem{Status: 503, Code: "unavailable", RetryAfter: 7 * time.Second}},
		"a proxy's page":     {401, "text/html", `<h1>Please pay for the wireless network</h1>`, nil},
		"JSON of a stranger": {404, "application/json", `{"code":"not_found"}`, nil},
		"not JSON":           {401, "application/problem+json", `<`, nil},
		"no code":            {401, "application/problem+json", `{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, "/", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := c.Pull(t.Context(), "", 0)
			var got *device.Problem
			if errors.As(err, &got); fmt.Sprint(got) != fmt.Sprint(tc.want) || err == nil {
				t.Errorf("got %+v of %v, want %+v", got, err, tc.want)
			}
			if got != nil && got.RetryAfter != tc.want.RetryAfter {
				t.Errorf("retry after %v", got.RetryAfter)
			}
		})
	}
}

func TestClientReadsTheLiveStream(t *testing.T) {
	t.Parallel()
	c := serve(t, "GET /v1/sync/live", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") != "a+b" {
			t.Errorf("asked %s", r.URL)
		}
		_, _ = io.WriteString(w, ": hello\n\nevent: other\ndata: {}\n\nevent: change\nid: c\ndata: {\"cursor\":\"c\",\ndata: \"head\":4}\n\n:\n\nevent:change\r\ndata:{\"cursor\":\"d\"}\r\n\r\nevent: change\ndata: {\"cursor\":\"cut off\"}\n")
	})
	s, err := c.Live(t.Context(), "a+b")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var cursors []string
	for {
		p, err := s.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		cursors = append(cursors, p.Cursor)
	}
	want(t, "cursors", cursors, []string{"c", "d"})
}

// silentServer answers a live request and then says nothing for ever.
type silentServer struct{}

func (silentServer) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	stop := func() { <-r.Context().Done(); pw.CloseWithError(r.Context().Err()) }
	go stop()
	return &http.Response{StatusCode: 200, Body: pr, Header: http.Header{}}, nil
}

func TestASilentLiveStreamIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := device.NewClient("http://server", device.ClientOptions{HTTP: &http.Client{Transport: silentServer{}}})
		s, err := c.Live(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := s.Next(t.Context()); err == nil {
			t.Error("no error")
		}
		if d := time.Since(began); d != time.Minute {
			t.Errorf("given up after %v", d)
		}
		_ = s.Close()
	})
}
