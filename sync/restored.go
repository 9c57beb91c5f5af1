package sync

import (
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
