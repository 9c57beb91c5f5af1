package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/clients"
)

// remoteSink creates clients through a running server.
type remoteSink struct {
	client *http.Client
	url    string
	token  string
	lang   string
	file   *clients.Import
}

// Limits of asking a server.
const (
	remoteTimeout = 30 * time.Second
	remoteAtOnce  = 16
	remoteTries   = 5
	longestWait   = 60 // seconds between two tries
)

// signIn opens a session on the server.
func signIn(ctx context.Context, o *importFlags, file *clients.Import) (*remoteSink, error) {
	if o.email == "" || o.passwordFile == "" {
		return nil, usageError{"--url needs --email and --password-file"}
	}
	password, err := os.ReadFile(o.passwordFile)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	s := &remoteSink{
		client: &http.Client{Timeout: remoteTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: remoteAtOnce}},
		url:    strings.TrimSuffix(o.url, "/"), lang: o.lang, file: file,
	}
	var session struct{ Token string }
	why, err := s.post(ctx, "/v1/login", uuid.Nil, map[string]any{
		"workspace": o.workspace, "email": o.email, "password": strings.TrimRight(string(password), "\r\n"),
	}, &session)
	if err == nil && why != nil {
		err = errors.New(why.Detail)
	}
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	s.token = session.Token
	return s, nil
}

// put creates the clients one by one, several at once.
func (s *remoteSink) put(ctx context.Context, rows []clients.ImportRow) ([]complaint, error) {
	wrong := make([][]complaint, len(rows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(remoteAtOnce)
	for i, r := range rows {
		g.Go(func() error {
			why, err := s.post(ctx, "/v1/clients", uuid.New(), r.Fields, nil)
			wrong[i] = why.complaints(r.Number, s.file)
			return err
		})
	}
	err := g.Wait()
	var out []complaint
	for _, w := range wrong {
		out = append(out, w...)
	}
	return out, err
}

// close ends the session.
func (s *remoteSink) close(ctx context.Context) error {
	_, err := s.post(ctx, "/v1/logout", uuid.Nil, nil, nil)
	s.client.CloseIdleConnections()
	return err
}

// problem is a refusal in the form of RFC 9457.
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
	} `json:"errors"`
}

func (p *problem) complaints(row int, file *clients.Import) []complaint {
	if p == nil {
		return nil
	}
	if len(p.Errors) == 0 {
		return []complaint{{row, "", p.Detail}}
	}
	out := make([]complaint, len(p.Errors))
	for i, e := range p.Errors {
		out[i] = complaint{row, file.Column(e.Field), e.Detail}
	}
	return out
}

// post sends a request until the server takes or refuses it: with a key, a
// repetition has no second effect.
func (s *remoteSink) post(ctx context.Context, path string, key uuid.UUID, body, into any) (*problem, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	for try := 1; ; try++ {
		why, wait, err := s.postOnce(ctx, path, key, raw, into)
		if err == nil || wait == 0 || try == remoteTries {
			return why, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// postOnce sends a request once. wait is how long to leave the server alone
// before sending it again; 0 means that this would not help.
func (s *remoteSink) postOnce(ctx context.Context, path string, key uuid.UUID, raw []byte, into any) (why *problem, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(raw))
	if err != nil {
		return nil, 0, fmt.Errorf("ask %s: %w", s.url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Language", s.lang)
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	if key != uuid.Nil {
		req.Header.Set("Idempotency-Key", key.String())
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, time.Second, fmt.Errorf("not reachable: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, time.Second, fmt.Errorf("read the answer: %w", err)
	}
	return understand(res, answer, into)
}

// understand an answer: done, refused for good, or to be asked again.
func understand(res *http.Response, answer []byte, into any) (*problem, time.Duration, error) {
	if res.StatusCode < 300 {
		if into == nil {
			return nil, 0, nil
		}
		return nil, 0, json.Unmarshal(answer, into)
	}
	var p problem
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, 0, fmt.Errorf("the server answered %s", res.Status)
	}
	switch {
	case res.StatusCode == http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // absent: ask again in a moment
		return nil, time.Duration(min(max(seconds, 1), longestWait)) * time.Second, errors.New(p.Detail)
	case res.StatusCode >= 500 || res.StatusCode == http.StatusUnauthorized && res.Request.URL.Path != "/v1/login":
		return nil, 0, errors.New(p.Detail)
	}
	return &p, 0, nil
}
