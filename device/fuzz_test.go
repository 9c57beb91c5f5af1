package device_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/device"
)

// FuzzLive: of a stream the reader gives the pages of its changes, in order,
// up to the first that is none.
func FuzzLive(f *testing.F) {
	for _, seed := range []string{
		"event: change\ndata: {\"cursor\":\"x\"}\n\n", "data\n\n:\nevent\n\n", "event:change\r\nid: 7\r\ndata: {\"cursor\":\r\ndata: \"y\"}\r\n\r\n",
		"event: change\ndata: {}\n", "event: problem\ndata: {}\n\nevent: change\ndata: {\"head\":1}\n\n", "event: change\n\ndata: {}\n\n", "event: change\ndata: {\n\n", ": still here\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := device.NewClient("http://server", device.ClientOptions{HTTP: &http.Client{Transport: canned(text)}})
		s, err := c.Live(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		for _, want := range pagesOf(text) {
			if got, err := s.Next(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q gives %+v, %v, want %+v", text, got, err, want)
			}
		}
		if p, err := s.Next(t.Context()); err == nil {
			t.Fatalf("%q gives one more page: %+v", text, p)
		}
	})
}

// pagesOf a stream, read the plain way.
func pagesOf(text string) (pages []*device.Page) {
	name, data := "", []string(nil)
	lines := strings.SplitAfter(text, "\n")
	for _, line := range lines {
		if line == "" {
			break // after the last line end
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && name == "change" && data != nil:
			p := &device.Page{}
			if json.Unmarshal([]byte(strings.Join(data, "\n")), p) != nil {
				return pages
			}
			pages = append(pages, p)
			fallthrough
		case line == "":
			name, data = "", nil
		case field == "event":
			name = value
		case field == "data":
			data = append(data, value)
		}
	}
	return pages
}

type canned string

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(string(c))), Header: http.Header{}}, nil
}

// FuzzPage: whatever a server or something in between sends is a page that
// can be applied, or an error.
func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"cursor":"x","more":false,"head":3,"drop":["client:1"],"remove":[{"kind":"note","id":"a"}],"put":[{"kind":"note","id":"b","rev":3,"scope":"workspace","t":"é"}],"digest":{"count":1,"sum":"00000000000000ff"}}`))
	f.Add([]byte(`{"put":[{"kind":"note","id":"b"}]}`))
	f.Add([]byte(`{"digest":{"sum":"-1"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p device.Page
		if json.Unmarshal(b, &p) != nil {
			return
		}
		if written, err := json.Marshal(p); err != nil || json.Unmarshal(written, new(device.Page)) != nil {
			t.Fatalf("%+v cannot be written and read again: %v", p, err)
		}
		p.Digest = nil
		d := open(t, device.Options{})
		if !receive(t, d, "", p) {
			t.Fatal("not applied")
		}
		for _, k := range d.Keys("") {
			if _, ok, err := d.Get(k); !ok || err != nil || k.Kind == "" || k.ID == "" {
				t.Fatalf("%s: there %v, error %v", k, ok, err)
			}
		}
		if got := d.Condition().Digest; got != *digestOf(d.Received()...) {
			t.Fatalf("digest %+v of %v", got, d.Received())
		}
	})
}

// FuzzProblem: whatever answers in place of the server is an error; only a
// problem document counts as the server's word, and no device waits for years
// or not at all because of it.
func FuzzProblem(f *testing.F) {
	f.Add(503, "application/problem+json; charset=utf-8", "7", `{"status":200,"code":"unavailable"}`)
	f.Add(429, "application/problem+json", "99999999999999999", `{"code":"too_many_requests"}`)
	f.Add(429, "application/problem+json", "-5", `{"code":"x"}`)
	f.Add(502, "text/html", "1", `<html>`)
	f.Add(404, ";", "", `{"code":""}`)
	f.Fuzz(func(t *testing.T, status int, media, wait, body string) {
		if status < 100 || status > 999 || status/100 == 2 || status/100 == 3 || strings.ContainsAny(media+wait, "\r\n") {
			return
		}
		c := device.NewClient("http://server", device.ClientOptions{HTTP: &http.Client{Transport: refusal{status, media, wait, body}}})
		_, err := c.Pull(t.Context(), "x", 1)
		var p *device.Problem
		switch {
		case err == nil:
			t.Fatalf("status %d is no error", status)
		case !errors.As(err, &p):
			return
		}
		if p.Code == "" || p.Status != status || !strings.Contains(strings.ToLower(media), "application/problem+json") {
			t.Fatalf("%d %s %s is taken for %+v", status, media, body, p)
		}
		if p.RetryAfter < 0 || p.RetryAfter > 24*time.Hour {
			t.Fatalf("%q makes a device wait for %v", wait, p.RetryAfter)
		}
	})
}

// refusal answers every request.
type refusal struct {
	status            int
	media, wait, body string
}

func (r refusal) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: r.status, Status: http.StatusText(r.status), Body: io.NopCloser(strings.NewReader(r.body)),
		Header: http.Header{"Content-Type": {r.media}, "Retry-After": {r.wait}},
	}, nil
}
