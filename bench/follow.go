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
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// followJob is what a follow process is told to do: open streams, send writes
// at a steady pace, and see how long after each its mark comes out of the
// streams that are to show it.
type followJob struct {
	Address string
	Writer  string   // the address that writes are sent to; "": the same
	Streams [][]byte // the requests that open them
	Writes  []write  // each to another document
	First   int      // number of the first write's mark
	Every   time.Duration
	// Folder, unless "", is where a file is forced to disk at the same pace,
	// halfway between the writes.
	Folder string
	Hold   bool // streams stay open until the input ends
	// Patience is how long is waited for events after the last write.
	Patience time.Duration
}

// write is one request that puts a mark into a document.
type write struct {
	Request []byte
	Seen    []int // the streams that show it, and no other; nil is all
}

// A mark is a number in a text that stands nowhere else.
const (
	markPrefix = "mark-"
	markDigits = 10
)

func mark(number int) string { return fmt.Sprintf("%s%0*d", markPrefix, markDigits, number) }

// delays are percentiles of times.
type delays struct{ P50, P99, Most time.Duration }

func delaysOf(all []time.Duration) delays {
	if len(all) == 0 {
		return delays{}
	}
	slices.Sort(all)
	return delays{percentile(all, 50), percentile(all, 99), all[len(all)-1]}
}

// followed is what a follow process saw.
type followed struct {
	Events int    // marks that came out of streams
	Seen   delays // from a write's first byte sent to its event read
	Synced delays // of the file forced to disk meanwhile
}

// Follow is the follow process: it reads a job from in and writes what it saw
// to out.
func Follow(ctx context.Context, in io.Reader, out io.Writer) error {
	var j followJob
	from := json.NewDecoder(in)
	if err := from.Decode(&j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	return j.run(ctx, func(saw followed) error {
		if err := json.NewEncoder(out).Encode(saw); err != nil || !j.Hold {
			return err
		}
		_, err := io.Copy(io.Discard, in)
		return err
	})
}

// following is a job under way.
type following struct {
	followJob
	start    time.Time
	sent     []atomic.Int64    // per write, nanoseconds after the start
	missing  atomic.Int64      // marks that are still to come out of streams
	complete chan struct{}     // closed when none is
	over     atomic.Bool       // streams may end
	shown    [][]time.Duration // per stream and write, how long it took; 0: not yet
}

// senders is how many connections writes are sent on: one that is answered
// late does not hold up those after it.
const senders = 4

// run calls told with what was seen while the streams are still open.
func (j *followJob) run(ctx context.Context, told func(followed) error) error {
	streams, err := openStreams(ctx, j.Address, j.Streams)
	if err != nil {
		return err
	}
	f := &following{
		followJob: *j, start: time.Now(), complete: make(chan struct{}),
		sent: make([]atomic.Int64, len(j.Writes)), shown: make([][]time.Duration, len(streams)),
	}
	f.missing.Store(f.expected())
	reading, within := errgroup.WithContext(ctx)
	for i, s := range streams {
		f.shown[i] = make([]time.Duration, len(j.Writes))
		reading.Go(func() error { return f.read(i, s) })
	}
	synced, err := f.write(within)
	if err == nil {
		err = f.wait(within)
	}
	if err == nil {
		err = told(f.saw(synced))
	}
	f.over.Store(true)
	closeStreams(streams)
	return errors.Join(reading.Wait(), err)
}

// write sends all writes, and forces a file to disk meanwhile.
func (f *following) write(ctx context.Context) (synced []time.Duration, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		synced, err = f.sync(ctx)
		return err
	})
	for i := range senders {
		g.Go(func() error { return f.send(ctx, i) })
	}
	err = g.Wait()
	return synced, err
}

func (f *following) saw(synced []time.Duration) followed {
	all := slices.DeleteFunc(slices.Concat(f.shown...), func(d time.Duration) bool { return d == 0 })
	return followed{Events: len(all), Seen: delaysOf(all), Synced: delaysOf(synced)}
}

// expected is how many marks are to come out of streams.
func (f *following) expected() (n int64) {
	for _, w := range f.Writes {
		if w.Seen == nil {
			n += int64(len(f.Streams))
		}
		n += int64(len(w.Seen))
	}
	return n
}

// wait until all marks have come out.
func (f *following) wait(ctx context.Context) error {
	select {
	case <-f.complete:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) // or of what a stream showed
	case <-time.After(f.Patience):
		return fmt.Errorf("%d of %d events are missing %s after the last write", f.missing.Load(), f.expected(), f.Patience)
	}
}

// read follows one stream.
func (f *following) read(i int, s *stream) error {
	for {
		page, err := s.next()
		at := time.Since(f.start)
		switch {
		case f.over.Load():
			return nil
		case err != nil:
			return err
		}
		if err := f.note(i, page, at); err != nil {
			return fmt.Errorf("stream %d: %w", i, err)
		}
	}
}

// note the marks in a page of stream i.
func (f *following) note(i int, page []byte, at time.Duration) error {
	for {
		_, after, found := bytes.Cut(page, []byte(markPrefix))
		if !found {
			return nil
		}
		if len(after) < markDigits {
			return fmt.Errorf("a mark is cut off: %s", page)
		}
		number, err := strconv.Atoi(string(after[:markDigits]))
		if err != nil {
			return fmt.Errorf("read a mark: %w", err)
		}
		page = after[markDigits:]
		n := number - f.First
		if n < 0 || n >= len(f.Writes) || f.Writes[n].Seen != nil && !slices.Contains(f.Writes[n].Seen, i) {
			return fmt.Errorf("it shows write %d, which is not for it", n)
		}
		if f.shown[i][n] > 0 {
			return fmt.Errorf("it shows write %d again", n)
		}
		f.shown[i][n] = max(at-time.Duration(f.sent[n].Load()), 1)
		if f.missing.Add(-1) == 0 {
			close(f.complete)
		}
	}
}

// send every senders-th write, from the first-th, when its time has come.
func (f *following) send(ctx context.Context, first int) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", cmp.Or(f.Writer, f.Address))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }() // every answer was read
	in := bufio.NewReaderSize(conn, 64<<10)
	for n := first; n < len(f.Writes); n += senders {
		if err := f.until(ctx, time.Duration(n)*f.Every); err != nil {
			return err
		}
		f.sent[n].Store(int64(time.Since(f.start)))
		if err := ask(ctx, conn, in, f.Writes[n].Request, nil); err != nil {
			return fmt.Errorf("write %d: %w", n, err)
		}
	}
	return nil
}

func (f *following) until(ctx context.Context, at time.Duration) error {
	select {
	case <-time.After(at - time.Since(f.start)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sync forces a file to disk between the writes.
func (f *following) sync(ctx context.Context) (_ []time.Duration, err error) {
	if f.Folder == "" {
		return nil, nil
	}
	return forced(filepath.Join(f.Folder, "forced"), len(f.Writes), func(n int) error {
		return f.until(ctx, time.Duration(n)*f.Every+f.Every/2)
	})
}

// forced appends a block to a file and forces it to disk, n times, and tells
// how long each took. before is called before each.
func forced(path string, n int, before func(n int) error) (took []time.Duration, err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("force a file to disk: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(path)) }()
	block := make([]byte, 4096) // a page of the database
	for i := range n {
		if err := before(i); err != nil {
			return nil, err
		}
		began := time.Now()
		if _, err := file.Write(block); err != nil {
			return nil, fmt.Errorf("force a file to disk: %w", err)
		}
		if err := file.Sync(); err != nil {
			return nil, fmt.Errorf("force a file to disk: %w", err)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
