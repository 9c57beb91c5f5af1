package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// server is "enroute serve" on a filled data folder.
type server struct {
	*process
	*world
	data   string
	began  time.Time
	after  func() error // the stop
	pushes int          // sent by change
}

// bodyCache is given to every server: the default, but figures of memory are
// to say what they are for.
const bodyCache = "16MiB"

// serve starts a server on a copy of the named folder.
func (r *run) serve(ctx context.Context, name string) (*server, error) {
	from, w, err := r.shelf.get(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(r.dir, "copy-")
	if err != nil {
		return nil, fmt.Errorf("make a data folder: %w", err)
	}
	if err := copyFolder(data, from); err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	return r.begin(ctx, data, w, func() error { return os.RemoveAll(data) })
}

// serveInPlace starts one on the folder itself, which it is only to read: the
// large folders take long to copy.
func (r *run) serveInPlace(ctx context.Context, name string, flags ...string) (*server, error) {
	data, w, err := r.shelf.get(ctx, name)
	if err != nil {
		return nil, err
	}
	return r.begin(ctx, data, w, func() error { return nil }, flags...)
}

func (r *run) begin(ctx context.Context, data string, w *world, after func() error, flags ...string) (*server, error) {
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "warn", "--body-cache", bodyCache}, flags...)
	began := time.Now()
	p, err := start(ctx, r.self(args...), nil)
	if err != nil {
		return nil, errors.Join(err, after())
	}
	return &server{process: p, world: w, data: data, began: began, after: after}, nil
}

// end stops the server and joins what goes wrong with *err, for use in defer.
func (s *server) end(err *error) { *err = errors.Join(*err, s.stop(), s.after()) }

// page is what matters of a pull's answer.
type page struct {
	Cursor string     `json:"cursor"`
	More   bool       `json:"more"`
	Put    []document `json:"put"`
	size   int        // bytes of the answer
}

// document is what matters of one.
type document struct{ Kind, ID string }

// ask sends one of the load's requests and expects a 200. A server that asks
// to be patient (503) gets a minute or five.
func (s *server) ask(ctx context.Context, request []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		res, body, err := exchange(ctx, s.address, request)
		if err == nil && res.StatusCode == http.StatusServiceUnavailable && ctx.Err() == nil {
			err = pause(ctx, 20*time.Millisecond)
			if err == nil {
				continue
			}
		}
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, body)
		}
		return res, body, err
	}
}

// pull asks for one page.
func (s *server) pull(ctx context.Context, d device, limit int) (page, error) {
	_, body, err := s.ask(ctx, pageRequest(d.Token, d.Cursor, limit))
	if err != nil {
		return page{}, fmt.Errorf("pull of %s: %w", d.User, err)
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return page{}, fmt.Errorf("read the page: %w", err)
	}
	p.size = len(body)
	return p, nil
}

// change pushes mutations of the administrator, none of which may be refused.
func (s *server) change(ctx context.Context, m []sync.Mutation) error {
	_, body, err := s.ask(ctx, s.changeRequest(m))
	if err == nil && bytes.Contains(body, []byte(refused)) {
		err = fmt.Errorf("a push was refused: %s", body)
	}
	return err
}

func (s *server) changeRequest(m []sync.Mutation) []byte {
	s.pushes++
	return mutationsRequest(s.Admin, s.pushes, m)
}

// atHead gives the devices with their cursors brought to the head.
func (s *server) atHead(ctx context.Context, devices []device) ([]device, error) {
	out := make([]device, len(devices))
	for i, d := range devices {
		for more := true; more; {
			p, err := s.pull(ctx, d, 0)
			if err != nil {
				return nil, err
			}
			d.Cursor, more = p.Cursor, p.More
		}
		out[i] = d
	}
	return out, nil
}
