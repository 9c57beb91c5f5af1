package auth

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Seen is what a device tells about itself along with a call. What it leaves
// out stays as it was.
type Seen struct {
	AppVersion string
	Pending    *int // unsent mutations
}

// Notes beside the journal, one per device and fact, so that each can be
// written without reading the others.
const (
	notePrefix  = "auth/"
	noteSeen    = notePrefix + "seen/"
	noteVersion = notePrefix + "version/"
	notePending = notePrefix + "pending/"
)

// Seen remembers that a session is in use. It costs no commit and no store
// access: what comes in within a few seconds is stored together.
func (s *Service) Seen(id *Identity, info Seen) {
	now := s.clock()
	if again := id.session.seen.Swap(now.Unix()) == now.Unix(); again && info == (Seen{}) {
		return // notes have seconds
	}
	s.seen.add(sighting{id.Workspace.Name(), id.SessionID}, facts{at: now, version: info.AppVersion, pending: info.Pending})
}

// notes are what was told about all devices of a workspace, up to now.
func (s *Service) notes(ctx context.Context, ws *sync.Workspace) (map[string][]byte, error) {
	s.seen.flush(ctx)
	notes, err := ws.Notes(ctx, notePrefix)
	if err != nil {
		return nil, fmt.Errorf("read what devices told: %w", err)
	}
	return notes, nil
}

// saveNotes stores what was gathered for one workspace.
func (s *Service) saveNotes(ctx context.Context, workspace string, gathered map[string]facts) error {
	ws, err := s.workspace(ctx, workspace)
	if err != nil || ws == nil {
		return err
	}
	notes := map[string][]byte{}
	for id, f := range gathered {
		f.note(notes, id)
	}
	if err := ws.SaveNotes(ctx, notes); err != nil {
		return fmt.Errorf("save what devices told: %w", err)
	}
	return nil
}

// forget the notes about sessions that are gone, as those of consoles go: all
// but those of the devices with these keys, which were read after the notes.
func forget(ctx context.Context, ws *sync.Workspace, notes map[string][]byte, devices []sync.Key) error {
	there := make(map[string]bool, len(devices))
	for _, key := range devices {
		there[key.ID] = true
	}
	gone := map[string][]byte{}
	for name := range notes {
		if !there[name[strings.LastIndexByte(name, '/')+1:]] { // ids have no slash
			gone[name] = nil
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := ws.SaveNotes(ctx, gone); err != nil {
		return fmt.Errorf("forget what is told of sessions that are gone: %w", err)
	}
	return nil
}

// note adds the facts about a device to the notes.
func (f *facts) note(notes map[string][]byte, id string) {
	notes[noteSeen+id] = []byte(stamp(f.at))
	if f.version != "" {
		notes[noteVersion+id] = []byte(f.version)
	}
	if f.pending != nil {
		notes[notePending+id] = strconv.AppendInt(nil, int64(*f.pending), 10)
	}
}

// fill takes from the notes what they say about the device.
func (d *DeviceInfo) fill(notes map[string][]byte) {
	if t, err := time.Parse(time.RFC3339, string(notes[noteSeen+d.ID])); err == nil {
		d.LastSeenAt = &t
	}
	if v := notes[noteVersion+d.ID]; len(v) > 0 {
		d.AppVersion = string(v)
	}
	if n, err := strconv.Atoi(string(notes[notePending+d.ID])); err == nil {
		d.Pending = &n
	}
}
