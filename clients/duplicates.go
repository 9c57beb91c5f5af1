package clients

import (
	"fmt"

	"github.com/enroute-field/enroute/internal/fold"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// maxName is the length of a client's name in characters.
const maxName = 200

// settleDuplicates lets a client that was made or renamed offline in, though
// another has its name or one of its codes: the phone cannot be asked again.
// The name gets the lowest free number behind it, a code is left as it was,
// and a person decides whether the two are one. Of a clash from a console the
// engine says so by itself.
func settleDuplicates(r sync.Reader, ch *sync.Change) error {
	if !ch.Offline {
		return nil
	}
	if err := numberName(r, ch); err != nil {
		return err
	}
	for _, field := range []string{"code", "userId", "cardId"} {
		if err := leaveOut(r, ch, field); err != nil {
			return err
		}
	}
	return nil
}

// numberName puts the lowest free number behind a name that another has.
func numberName(r sync.Reader, ch *sync.Change) error {
	name := members.Text(ch.New.Fields, "name")
	free := name
	for n := 2; ; n++ {
		taken, err := takenByOther(r, ch.Key, "name", free)
		if err != nil {
			return err
		}
		if !taken {
			break
		}
		free = numbered(name, n)
	}
	if free != name {
		ch.New.Fields["name"] = free
		ch.Conflict(duplicate("name", free, name))
	}
	return nil
}

// numbered is a name with a number behind it, cut where it would be too long.
func numbered(name string, n int) string {
	suffix := fmt.Sprintf(" (%d)", n)
	if runes := []rune(name); len(runes)+len(suffix) > maxName {
		name = string(runes[:maxName-len(suffix)])
	}
	return name + suffix
}

// leaveOut puts a field whose value another client has back to what it was.
func leaveOut(r sync.Reader, ch *sync.Change, field string) error {
	value := members.Text(ch.New.Fields, field)
	taken, err := takenByOther(r, ch.Key, field, value)
	if err != nil || !taken {
		return err
	}
	delete(ch.New.Fields, field)
	var kept any
	if ch.Old != nil && !ch.Old.Deleted && ch.Old.Fields[field] != nil {
		kept = ch.Old.Fields[field]
		ch.New.Fields[field] = kept
	}
	ch.Conflict(duplicate(field, kept, value))
	return nil
}

func takenByOther(r sync.Reader, self sync.Key, field, value string) (bool, error) {
	if value == "" {
		return false, nil
	}
	id, err := r.ByUnique(KindClient, field, fold.Name(value))
	if err != nil {
		return false, fmt.Errorf("look for a client by %s: %w", field, err)
	}
	return id != "" && id != self.ID, nil
}

func duplicate(field string, kept, discarded any) sync.Conflict {
	return sync.Conflict{
		Field: field, Kept: kept, Discarded: discarded,
		Level: sync.LevelDecide, Reason: "duplicate",
	}
}
