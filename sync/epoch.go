package sync

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// restored is the cause of a commit that begins a new epoch.
var restored = Cause{Kind: "system", Ref: "restore"}

// RestoredCommit ends a journal that was put back from a backup, whose head it
// follows. With it a new epoch begins: every cursor from before starts over,
// also those of devices that have seen nothing that was lost. So each of them
// learns of the restore, and sends again what the journal no longer has.
func RestoredCommit(head Head, now time.Time) *Commit {
	c := &Commit{
		Number: head.Number + 1, Prev: head.Hash, Nonce: uuid.New(), At: laterOf(now, head.At),
		Actor: System("restore"), Cause: restored,
	}
	c.Seal()
	return c
}

// BeginsEpoch says whether the commit is one that RestoredCommit made.
func (c *Commit) BeginsEpoch() bool { return c.Cause == restored && len(c.Changes) == 0 }

// tenureCause begins the Ref of a commit with which a tenure begins; its turn
// follows.
const tenureCause = "tenure "

func tenureBegins(turn uint64) *Commit {
	return &Commit{Actor: System("node"), Cause: Cause{Kind: "system", Ref: tenureCause + strconv.FormatUint(turn, 10)}}
}

// begin sees to what begins with the commit: an epoch, in which turns are
// counted anew, or a tenure.
func (s *state) begin(c *Commit) {
	if c.Cause.Kind != restored.Kind || len(c.Changes) > 0 {
		return
	}
	if c.BeginsEpoch() {
		s.turn = 0
		s.forget(c.Number)
	}
	if text, ok := strings.CutPrefix(c.Cause.Ref, tenureCause); ok {
		if turn, err := strconv.ParseUint(text, 10, 64); err == nil {
			s.turn = turn
		}
	}
}
