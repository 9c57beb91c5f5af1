package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// handoverJob is what a handover process is told to do: follow the devices of
// two technicians and send the push that takes clients from one to the other.
type handoverJob struct {
	Address string
	Loser   []byte // the request of the stream of who loses the clients
	Gainer  []byte
	Push    []byte
	Clients []string // whose ids begin with handedPrefix, as nobody else's do
	// Patience is how long the devices may take.
	Patience time.Duration
}

// handedPrefix begins the ids of the clients that are handed over.
const handedPrefix = "handed-"

// handedOver is how long it took until both devices were complete.
type handedOver struct {
	All    time.Duration // since the push's first byte was sent
	Answer time.Duration // of it, until the push's answer was read
}

// after is how much later than the answer both devices were complete; 0 if
// they were so before.
func (h handedOver) after() time.Duration { return max(h.All-h.Answer, 0) }

// Handover is the handover process: it reads a job from in and writes what it
// saw to out.
func Handover(ctx context.Context, in io.Reader, out io.Writer) error {
	return perform(ctx, in, out, (*handoverJob).run)
}

func (j *handoverJob) run(ctx context.Context) (h handedOver, err error) {
	streams, err := openStreams(ctx, j.Address, [][]byte{j.Loser, j.Gainer})
	if err != nil {
		return h, err
	}
	defer closeStreams(streams)
	ctx, cancel := context.WithTimeout(ctx, j.Patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { closeStreams(streams) })() // whoever still reads fails
	begun := time.Now()
	var ends [2]time.Time
	var pages [2][][]byte
	// The scopes of what is lost and the documents that are gained.
	signs := [2]string{`"client:` + handedPrefix, `"id":"` + handedPrefix}
	var g errgroup.Group
	for i, s := range streams {
		g.Go(func() (err error) {
			pages[i], ends[i], err = s.until(signs[i], len(j.Clients))
			return err
		})
	}
	err = accepted(ctx, j.Address, j.Push)
	h.Answer = time.Since(begun)
	if err = errors.Join(err, g.Wait()); err != nil {
		return h, err
	}
	for _, end := range ends {
		h.All = max(h.All, end.Sub(begun))
	}
	return h, errors.Join(j.lost(pages[0]), j.gained(pages[1]))
}

// accepted sends a push, of which nothing may be refused.
func accepted(ctx context.Context, address string, push []byte) error {
	res, body, err := exchange(ctx, address, push)
	if err == nil && (res.StatusCode != http.StatusOK || bytes.Contains(body, []byte(refused))) {
		err = fmt.Errorf("answer %s %s", res.Status, body)
	}
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	return nil
}

// until reads pages until the sign has come out so often and the last page
// says that there is no more. What the pages mean is looked at afterwards:
// the cores are the server's too.
func (s *stream) until(sign string, count int) (pages [][]byte, at time.Time, err error) {
	for {
		page, err := s.next()
		if err != nil {
			return nil, at, err
		}
		pages = append(pages, bytes.Clone(page))
		count -= bytes.Count(page, []byte(sign))
		if count <= 0 && bytes.Contains(page, []byte(`"more":false`)) {
			return pages, time.Now(), nil
		}
	}
}

// lost checks that the pages took away every client that was handed over, and
// nothing else.
func (j *handoverJob) lost(pages [][]byte) error {
	gone, there, err := differences(pages)
	if err == nil && (len(gone) != len(j.Clients) || len(there) > 0) {
		err = fmt.Errorf("%d documents came and %d scopes went, of %d", len(there), len(gone), len(j.Clients))
	}
	for _, id := range j.Clients {
		if err == nil && !gone["client:"+id] {
			err = fmt.Errorf("%s is still there", id)
		}
	}
	return err
}

// gained checks that the pages brought every client, and nothing else.
func (j *handoverJob) gained(pages [][]byte) error {
	gone, there, err := differences(pages)
	if err == nil && (len(there) != len(j.Clients) || len(gone) > 0) {
		err = fmt.Errorf("%d documents came and %d scopes went, of %d", len(there), len(gone), len(j.Clients))
	}
	for _, id := range j.Clients {
		if err == nil && !there[id] {
			err = fmt.Errorf("%s has not come", id)
		}
	}
	return err
}

// differences gives the scopes that pages drop and the ids that they put.
func differences(pages [][]byte) (gone, there map[string]bool, err error) {
	gone, there = map[string]bool{}, map[string]bool{}
	for _, raw := range pages {
		var p struct {
			Drop []string
			Put  []struct{ ID string }
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, nil, fmt.Errorf("read a page: %w", err)
		}
		for _, scope := range p.Drop {
			gone[scope] = true
		}
		for _, d := range p.Put {
			there[d.ID] = true
		}
	}
	return gone, there, nil
}
