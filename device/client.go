package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client speaks to a server over HTTP. It is a device's Transport and, by Do,
// a way to everything else.
type Client struct {
	base     string
	token    string
	language string
	http     *http.Client
}

var _ Transport = (*Client)(nil)

// ClientOptions of a Client.
type ClientOptions struct {
	Token    string       // of an earlier sign-in; "" until Login
	Language string       // of the texts in problems, BCP 47; "" is the server's choice
	HTTP     *http.Client // nil: one of its own, which compresses if Compress says so
	Compress bool         // ask for gzip
}

// NewClient makes a client of the server at base ("http://127.0.0.1:8080").
func NewClient(base string, o ClientOptions) *Client {
	if o.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = !o.Compress
		o.HTTP = &http.Client{Transport: t}
	}
	return &Client{strings.TrimRight(base, "/"), o.Token, o.Language, o.HTTP}
}

// WithToken is this client signed in with another token. They share their
// connections.
func (c *Client) WithToken(token string) *Client {
	other := *c
	other.token = token
	return &other
}

// Credentials are what a person signs in with.
type Credentials struct {
	Workspace string    `json:"workspace"`
	Email     string    `json:"email"`
	Password  string    `json:"password"`
	Device    *Hardware `json:"device,omitempty"` // nil for a console
}

// Hardware names the device a person signs in on.
type Hardware struct {
	ID         string `json:"id"`
	Name       string `json:"name,omitempty"`
	Platform   string `json:"platform,omitempty"`
	AppVersion string `json:"appVersion,omitempty"`
	PushToken  string `json:"pushToken,omitempty"`
}

// Session is what a sign-in gives.
type Session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
	Workspace Fields    `json:"workspace"`
	User      struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		Role       string `json:"role"`
		EmployeeID string `json:"employeeId"`
	} `json:"user"`
	DeviceID string `json:"deviceId"`
}

// Login signs in; the client it returns carries the token.
func (c *Client) Login(ctx context.Context, who Credentials) (*Client, *Session, error) {
	var s Session
	if err := c.Do(ctx, http.MethodPost, "/v1/login", who, &s); err != nil {
		return nil, nil, fmt.Errorf("sign in: %w", err)
	}
	return c.WithToken(s.Token), &s, nil
}

// Logout ends the session of the token.
func (c *Client) Logout(ctx context.Context) error {
	return c.Do(ctx, http.MethodPost, "/v1/logout", nil, nil)
}

// Pull implements Transport.
func (c *Client) Pull(ctx context.Context, cursor string, limit int) (*Page, error) {
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var p Page
	if err := c.Do(ctx, http.MethodGet, "/v1/sync/pull?"+q.Encode(), nil, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// Push implements Transport.
func (c *Client) Push(ctx context.Context, req PushRequest) (*PushResponse, error) {
	var resp PushResponse
	if err := c.Do(ctx, http.MethodPost, "/v1/sync/push", req, &resp); err != nil {
		return nil, err
	}
	return &resp, nil
}

// Report implements Transport.
func (c *Client) Report(ctx context.Context, r Report) error {
	return c.Do(ctx, http.MethodPost, "/v1/sync/report", r, nil)
}

// Do sends a request with the JSON of in, unless nil, and reads the JSON of
// the answer into out, unless nil. A refusal is an error that holds a *Problem.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	resp, err := c.open(c.http, req)
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s %s: %w", method, req.URL.Path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write request of %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.language != "" {
		req.Header.Set("Accept-Language", c.language)
	}
	return req, nil
}

// open sends a request and turns a refusal into an error.
func (c *Client) open(h *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := h.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer drain(resp.Body)
	return nil, readProblem(resp)
}

// longestRetry is the longest that a refusal makes a device wait, in seconds:
// it must come back by itself, whatever stood in a header.
const longestRetry = 3600

// readProblem reads a refusal. What is not a problem document was not said by
// the server but by something in between, and counts as no answer.
func readProblem(resp *http.Response) error {
	if t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); t != "application/problem+json" {
		return fmt.Errorf("status %s without a problem document", resp.Status)
	}
	p := &Problem{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(p); err != nil {
		return fmt.Errorf("read the problem of status %s: %w", resp.Status, err)
	}
	if p.Code == "" {
		return errors.New("a problem document without a code")
	}
	p.Status = resp.StatusCode
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(min(max(s, 0), longestRetry)) * time.Second
	}
	return p
}

// drain reads a little of what is left, so that the connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10) // a failure costs one connection
	_ = body.Close()
}
