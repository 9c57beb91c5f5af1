// Package bench measures a server of this program in a process of its own,
// over loopback, beside two yardsticks of the same machine and minute: a bare
// Fiber handler that sends the same bytes, and SQLite alone that stores them.
// Rounds of all are interleaved, so that a busy moment hits each alike, and
// the median of their ratios counts.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// Options of Run.
type Options struct {
	Size Size
	// Self is the command that runs this program: the first word of each
	// process that is measured.
	Self []string
	// Open opens the engine over a data folder, for filling it before the
	// server process takes it over.
	Open func(ctx context.Context, dir string) (engine *sync.Engine, a *auth.Service, stop func(context.Context) error, err error)
	// Progress is told what is being done.
	Progress io.Writer
}

// run is one run of the measurement.
type run struct {
	Options
	dir    string
	tokens *tokens
	server *process
	deltas []string // each technician's cursor, changed documents back
}

// Run fills a workspace, measures and reports.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	if err := o.Size.check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "enroute-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a data folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &run{Options: o, dir: dir}
	if err := r.fill(ctx); err != nil {
		return nil, fmt.Errorf("fill the workspace: %w", err)
	}
	r.say("starting the server")
	r.server, err = start(ctx, r.self("serve", "--data", r.data(), "--listen", "127.0.0.1:0", "--log-level", "warn"), nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.server.stop()) }()
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	return r.measure(ctx)
}

func (r *run) data() string { return filepath.Join(r.dir, "data") }

func (r *run) self(args ...string) []string { return append(r.Self[:len(r.Self):len(r.Self)], args...) }

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Progress, format+"\n", args...) }

func (r *run) fill(ctx context.Context) (err error) {
	r.say("filling a workspace: %d technicians, %d clients", r.Size.Technicians, r.Size.Clients)
	engine, a, stop, err := r.Open(ctx, r.data())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop(ctx)) }()
	r.tokens, err = population{r.Size, engine, a}.populate(ctx)
	return err
}

// prepare brings every technician's device up to date, and changes what a
// delta is to bring.
func (r *run) prepare(ctx context.Context) error {
	var err error
	if r.deltas, err = r.pullAll(ctx, nil); err != nil {
		return err
	}
	if _, _, err := r.ask(ctx, r.Size.touchRequest(r.tokens.admin)); err != nil {
		return fmt.Errorf("change documents: %w", err)
	}
	return nil
}

// page is what matters of a pull's answer.
type page struct {
	Cursor string            `json:"cursor"`
	More   bool              `json:"more"`
	Put    []json.RawMessage `json:"put"`
}

// pullAll brings every technician from his cursor (nil: from nothing) to the
// head and gives the cursors there.
func (r *run) pullAll(ctx context.Context, cursors []string) ([]string, error) {
	out := make([]string, len(r.tokens.technicians))
	copy(out, cursors)
	for i, token := range r.tokens.technicians {
		for more := true; more; {
			p, err := r.pull(ctx, token, out[i])
			if err != nil {
				return nil, fmt.Errorf("pull of technician %d: %w", i, err)
			}
			out[i], more = p.Cursor, p.More
		}
	}
	return out, nil
}

func (r *run) pull(ctx context.Context, token, cursor string) (page, error) {
	_, body, err := r.ask(ctx, pullRequest(token, cursor))
	if err != nil {
		return page{}, err
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return page{}, fmt.Errorf("read the page: %w", err)
	}
	return p, nil
}

// ask sends one of the load's requests and expects a 200.
func (r *run) ask(ctx context.Context, request []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	res, body, err := exchange(ctx, r.server.address, request)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return res, body, err
}
