package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"syscall"

	"github.com/enroute-field/enroute/sync"
)

// live: every technician's device follows while documents are changed at a
// steady pace, in turn those of a few technicians and those of everybody.
func (r *run) live(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "book")
	if err != nil {
		return err
	}
	defer s.end(&err)
	groups := []marked{forFew(r.Size), forAll(r.Size)}
	for _, m := range groups {
		if err := s.change(ctx, m.documents); err != nil {
			return err
		}
	}
	got := make([][]followed, len(groups))
	devices, marks := s.Devices, 0
	for round := range r.Size.Rounds {
		r.say("round %d of %d", round+1, r.Size.Rounds)
		for i := range groups {
			if devices, err = s.atHead(ctx, devices); err != nil { // what came before is not of this measurement
				return err
			}
			n := (i + round) % len(groups)
			j := groups[n].job(s, devices, marks)
			j.Every = r.Size.Every
			marks += len(j.Writes)
			var saw followed
			if err := work(ctx, r.Self, "follow", j, &saw); err != nil {
				return err
			}
			got[n] = append(got[n], saw)
		}
	}
	r.reportLive(groups, got, len(devices))
	return nil
}

func (r *run) reportLive(groups []marked, got [][]followed, streams int) {
	for i, m := range groups {
		r.rep.add(fmt.Sprintf("write sent to event read, %d streams, seen by %s: p99", streams, m.who), "%.2f ms", m.aim,
			each(got[i], func(f followed) float64 { return milliseconds(f.Seen.P99) })...)
		r.rep.add("the same: p50", "%.2f ms", target{}, each(got[i], func(f followed) float64 { return milliseconds(f.Seen.P50) })...)
		r.rep.add("4 KiB forced to disk halfway between these writes: p99", "%.2f ms", target{},
			each(got[i], func(f followed) float64 { return milliseconds(f.Synced.P99) })...)
	}
	r.rep.note("a write each %s; %d and %d events a round, none missing, none for the wrong device", r.Size.Every, got[0][0].Events, got[1][0].Events)
}

// marked are documents that are made to be changed, one by each write.
type marked struct {
	who         string // sees them
	aim         target
	documents   []sync.Mutation
	path, field string            // where a write puts its mark
	seen        func(i int) []int // the technicians who see document i; nil is all
}

// forFew are clients of one, two and three technicians.
func forFew(s Size) marked {
	seen := func(i int) []int {
		return []int{i % s.Technicians, (i + 1) % s.Technicians, (i + 2) % s.Technicians}[:1+i%3]
	}
	m := marked{who: "1 to 3", aim: most(10), path: "/v1/clients/", field: "searchCode", seen: seen}
	for i := range s.writes() {
		var assigned []any
		for _, tech := range seen(i) {
			assigned = append(assigned, technician(tech))
		}
		name := fmt.Sprintf("few-%d", i)
		f := clientFields(name)
		f["assignedEmployeeIds"] = assigned
		m.documents = append(m.documents, create("client", name, f))
	}
	return m
}

// forAll are places of the company itself.
func forAll(s Size) marked {
	m := marked{who: "all", path: "/v1/locations/", field: "accessNotes"}
	for i := range s.writes() {
		m.documents = append(m.documents, create("location", fmt.Sprintf("all-%d", i), sync.Fields{"name": fmt.Sprintf("Depot %d", i)}))
	}
	return m
}

// job has a write for each document, with marks from first on.
func (m *marked) job(s *server, devices []device, first int) followJob {
	j := followJob{Address: s.address, First: first, Folder: s.data, Patience: patience}
	for _, d := range devices {
		j.Streams = append(j.Streams, liveRequest(d.Token, d.Cursor))
	}
	for i, d := range m.documents {
		w := write{Request: patchRequest(s.Admin, m.path+d.DocID, m.field, mark(first+i))}
		if m.seen != nil {
			w.Seen = m.seen(i)
		}
		j.Writes = append(j.Writes, w)
	}
	return j
}

// streams: the memory of a server while very many devices follow, after one
// change that all of them saw.
func (r *run) streams(ctx context.Context) (err error) {
	if err := enoughFiles(r.Size.Streams); err != nil {
		return err
	}
	s, err := r.serve(ctx, "streams")
	if err != nil {
		return err
	}
	defer s.end(&err)
	m := forAll(r.Size)
	m.documents = m.documents[:1]
	if err := s.change(ctx, m.documents); err != nil {
		return err
	}
	j := m.job(s, s.Devices, 0)
	j.Folder, j.Every, j.Hold = "", r.Size.Every, true
	saw, memory, err := r.whileFollowed(ctx, s, j)
	if err != nil {
		return err
	}
	open := fmt.Sprintf("%d streams of as many devices", len(s.Devices))
	r.rep.add(fmt.Sprintf("%s: memory after a change that all saw", open), "%.0f MB", most(1<<30/1e6), megabytes(memory.all))
	r.rep.add(fmt.Sprintf("%s: write sent to the last event read", open), "%.0f ms", target{}, milliseconds(saw.Seen.Most))
	return nil
}

// enoughFiles fails if a process may not have as many connections open, and
// some files. Programs in Go raise their limit to the hard one by themselves.
func enoughFiles(connections int) error {
	const files = 200
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("read how many files may be open: %w", err)
	}
	if need := uint64(connections + files); l.Max < need {
		return fmt.Errorf("%d files may be open, %d are needed: raise the hard limit (ulimit -Hn), or ask for fewer --streams", l.Max, need)
	}
	return nil
}

// whileFollowed reads the memory of a server while a follow process holds its
// streams open.
func (r *run) whileFollowed(ctx context.Context, s *server, j followJob) (saw followed, m resident, err error) {
	cmd := exec.CommandContext(ctx, r.Self[0], append(slices.Clone(r.Self[1:]), "bench", "follow")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return saw, m, fmt.Errorf("follow process: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return saw, m, fmt.Errorf("follow process: %w", err)
	}
	cmd.Stderr = r.Progress
	if err := cmd.Start(); err != nil {
		return saw, m, fmt.Errorf("follow process: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close(), cmd.Wait()) }()
	if err := json.NewEncoder(in).Encode(j); err != nil {
		return saw, m, fmt.Errorf("follow process: give it the job: %w", err)
	}
	if err := json.NewDecoder(out).Decode(&saw); err != nil {
		return saw, m, fmt.Errorf("follow process: read what it saw: %w", err)
	}
	m, err = r.silence(ctx, s)
	return saw, m, err
}

// move: one push takes clients from a technician to another, whose devices
// follow; then another gives them back, and so on.
func (r *run) move(ctx context.Context) (err error) {
	s, err := r.serve(ctx, "book")
	if err != nil {
		return err
	}
	defer s.end(&err)
	var clients []string
	var made []sync.Mutation
	for i := range r.Size.Moved {
		id := fmt.Sprint(handedPrefix, i)
		f := clientFields(id)
		f["assignedEmployeeIds"] = []any{s.Pushers[0].User}
		clients, made = append(clients, id), append(made, create("client", id, f))
	}
	if err := s.change(ctx, made); err != nil {
		return err
	}
	var got []handedOver
	for round := range r.Size.Rounds {
		r.say("round %d of %d", round+1, r.Size.Rounds)
		both, err := s.atHead(ctx, s.Pushers[:2])
		if err != nil {
			return err
		}
		from, to := both[round%2], both[(round+1)%2]
		var h handedOver
		err = work(ctx, r.Self, "handover", handoverJob{
			Address: s.address, Clients: clients, Patience: patience, Push: s.changeRequest(assigns(clients, to.User)),
			Loser: liveRequest(from.Token, from.Cursor), Gainer: liveRequest(to.Token, to.Cursor),
		}, &h)
		if err != nil {
			return err
		}
		got = append(got, h)
	}
	what := fmt.Sprintf("%d clients moved by one push, both devices complete", len(clients))
	r.rep.add(what+": since its answer", "%.3f s", most(0.1), each(got, func(h handedOver) float64 { return h.after().Seconds() })...)
	r.rep.add(what+": since it was sent", "%.3f s", most(0.3), each(got, func(h handedOver) float64 { return h.All.Seconds() })...)
	return nil
}

// assigns gives the clients to one technician alone.
func assigns(clients []string, user string) []sync.Mutation {
	return each(clients, func(id string) sync.Mutation {
		return sync.Mutation{Kind: "client", DocID: id, Op: sync.Update, Set: sync.Fields{"assignedEmployeeIds": []any{user}}}
	})
}
