package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const perPush = 3

// sender pushes to the demo at an address, and keeps what it sent.
type sender struct {
	t       *testing.T
	address string
	token   string
	note    string // of every client that is sent

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

// signIn signs in as a dispatcher.
func (s *sender) signIn() {
	s.t.Helper()
	raw, err := s.ask("POST", "/v1/login", "", []byte(`{"workspace":"demo","email":"dispatcher@demo.example","password":"enroute-demo"}`))
	var session struct{ Token string }
	if err == nil {
		err = json.Unmarshal(raw, &session)
	}
	if err != nil || session.Token == "" {
		s.t.Fatalf("sign in: %v in %s", err, raw)
	}
	s.token = session.Token
}

func (s *sender) clients() int {
	s.t.Helper()
	raw, err := s.ask("GET", "/v1/clients?limit=1&disabled=true,false", s.token, nil)
	var list struct{ Total int }
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		s.t.Fatalf("list clients: %v in %s", err, raw)
	}
	return list.Total
}

func (s *sender) newPush() *sentPush {
	var all []map[string]any
	for range perPush {
		id := uuid.NewString()
		all = append(all, map[string]any{"id": uuid.NewString(), "kind": "client", "docId": id, "op": "create",
			"set": map[string]any{"name": "Load " + id, "note": s.note}})
	}
	body, err := json.Marshal(map[string]any{"sentAt": time.Now().UTC(), "mutations": all})
	if err != nil {
		s.t.Error(err)
	}
	p := &sentPush{body: body}
	s.mu.Lock()
	s.sent = append(s.sent, p)
	s.mu.Unlock()
	return p
}

// push sends and keeps the answer; false when there was none.
func (s *sender) push(p *sentPush) bool {
	raw, err := s.ask("POST", "/v1/sync/push", s.token, p.body)
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

// keepPushing pushes one thing after another until ctx ends, each again until
// it is answered.
func (s *sender) keepPushing(ctx context.Context) error {
	for ctx.Err() == nil {
		for p := s.newPush(); !s.push(p); {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

// sendAllAgain repeats every push: the acknowledged ones must be known, with
// the answers they had; the others must be there once now.
func (s *sender) sendAllAgain() {
	s.t.Helper()
	unanswered := 0
	for _, p := range s.sent {
		first := p.results
		if first == nil {
			unanswered++
		}
		if !s.push(p) {
			s.t.Fatalf("no answer when sent again")
		}
		for i, r := range p.results {
			if r.Status != "applied" {
				s.t.Errorf("mutation %s: %s", r.ID, r.Status)
			}
			if first != nil && (!r.Duplicate || r.Rev != first[i].Rev) {
				s.t.Errorf("mutation %s was acknowledged at %d and is now %+v", r.ID, first[i].Rev, r)
			}
		}
	}
	s.t.Logf("%d pushes of %d, %d of them unanswered before", len(s.sent), perPush, unanswered)
}

func (s *sender) ask(method, path, token string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, bytes.NewReader(body))
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

// status asks, and gives whatever is answered.
func (s *sender) status(method, path string, body []byte) (status int, answer string) {
	s.t.Helper()
	status, answer, _ = s.exchange(method, path, body)
	return status, answer
}

func (s *sender) exchange(method, path string, body []byte) (status int, answer string, header http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header
}

// pullAll pulls until there is nothing new, and gives the cursor.
func (s *sender) pullAll() string {
	s.t.Helper()
	for cursor := ""; ; {
		raw, err := s.ask("GET", "/v1/sync/pull?cursor="+cursor, s.token, nil)
		var page struct {
			Cursor string
			More   bool
		}
		if err == nil {
			err = json.Unmarshal(raw, &page)
		}
		if err != nil {
			s.t.Fatalf("pull: %v in %s", err, raw)
		}
		if cursor = page.Cursor; !page.More {
			return cursor
		}
	}
}
