package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// job is what a load process is told to do: as many connections as there are
// lanes, each sending its requests in turn, one at a time. When the time is
// over, each ends after its last request, so that all have been sent equally
// often, and once at least.
type job struct {
	Address  string
	Duration time.Duration
	Lanes    []lane
}

// lane is what one connection sends.
type lane struct {
	Address  string   // "": the job's
	Requests [][]byte // whole HTTP requests, sent as they are
	// Serial, unless "", stands in every request at which a number that was
	// never sent before is to stand instead, in as many hexadecimal digits.
	Serial string
	First  uint64 // of the numbers; lanes must not overlap
	// Never, unless "", must not stand in an answer.
	Never string
}

// outcome is what a load process saw.
type outcome struct {
	Requests int
	Elapsed  time.Duration
	P50, P99 time.Duration
}

// perSecond is the rate of requests.
func (o outcome) perSecond() float64 { return float64(o.Requests) / o.Elapsed.Seconds() }

// Load is the load process: it reads a job from in and writes an outcome to out.
func Load(ctx context.Context, in io.Reader, out io.Writer) error {
	return perform(ctx, in, out, (*job).run)
}

// perform reads a job from in, does it, and writes what came of it to out.
func perform[Job, Result any](ctx context.Context, in io.Reader, out io.Writer, run func(*Job, context.Context) (Result, error)) error {
	var j Job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	result, err := run(&j, ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

func (j *job) run(ctx context.Context) (outcome, error) {
	took := make([][]time.Duration, len(j.Lanes))
	start := time.Now()
	g, within := errgroup.WithContext(ctx)
	for i := range j.Lanes {
		g.Go(func() (err error) {
			l := &j.Lanes[i]
			took[i], err = l.send(within, cmp.Or(l.Address, j.Address), start.Add(j.Duration))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return outcome{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return outcome{
		Requests: len(all), Elapsed: time.Since(start),
		P50: percentile(all, 50), P99: percentile(all, 99),
	}, nil
}

// percentile of sorted times; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)*p/100]
}

// send keeps one connection busy until the end and tells how long each answer took.
func (l *lane) send(ctx context.Context, address string, end time.Time) ([]time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }() // every answer was read
	serials := l.serials()
	in := bufio.NewReaderSize(conn, 64<<10)
	took := make([]time.Duration, 0, 1<<16)
	for now := time.Now(); len(took) == 0 || now.Before(end); {
		for n := range l.Requests {
			l.number(n, serials)
			if err := ask(ctx, conn, in, l.Requests[n], []byte(l.Never)); err != nil {
				return nil, err
			}
			done := time.Now()
			took = append(took, done.Sub(now))
			now = done
		}
	}
	return took, nil
}

// ask sends a request and reads the answer, in which never must not stand.
func ask(ctx context.Context, conn net.Conn, in *bufio.Reader, request, never []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return skipAnswer(in, never)
}

// serials finds where in each request the serial numbers stand.
func (l *lane) serials() [][]int {
	out := make([][]int, len(l.Requests))
	if l.Serial == "" {
		return out
	}
	for i, r := range l.Requests {
		for at := 0; ; {
			n := bytes.Index(r[at:], []byte(l.Serial))
			if n < 0 {
				break
			}
			out[i] = append(out[i], at+n)
			at += n + len(l.Serial)
		}
	}
	return out
}

// number writes fresh serial numbers into a request. Places come in groups of
// placesPerSerial that carry the same one.
func (l *lane) number(request int, serials [][]int) {
	for i, at := range serials[request] {
		if i%placesPerSerial == 0 {
			l.First++
		}
		hex := fmt.Appendf(nil, "%0*x", len(l.Serial), l.First)
		copy(l.Requests[request][at:], hex)
	}
}

// skipAnswer reads one answer, which must be a 200 with a length and without
// what must never stand in it.
func skipAnswer(in *bufio.Reader, never []byte) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		rest, _ := in.Peek(in.Buffered()) // for the error text only
		return fmt.Errorf("answer %s%s", status, rest)
	}
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return fmt.Errorf("read the answer's length: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no length")
	}
	if len(never) > 0 {
		if body, err := in.Peek(length); err != nil || bytes.Contains(body, never) {
			return errors.Join(fmt.Errorf("answer %s", body), err)
		}
	}
	_, err = in.Discard(length)
	return err
}
