// Package cluster decides which of several nodes over one database serves a
// workspace. It knows no store and no engine: what the nodes tell each other
// stands in a Ledger.
//
// # What stands in the ledger
//
// Each node has an entry with a beat that it alone counts up. Each workspace
// that was ever served has a seat: the node that serves it, and a turn that
// grows with every change. Both change by compare-and-set only. A node holds
// a workspace while the seat names it and its entry stands: one write and two
// small reads per interval keep any number of workspaces.
//
// # Who may believe what, and when
//
// All durations are of one node's own clock; nodes never compare times. With
// the term T (10 s unless set):
//
//   - A node beats every T/5. It believes in its entry for 3T/5 from the start
//     of its last beat that succeeded. So a slow beat gives less time, and a
//     beat that failed none, even if it had its effect.
//   - A rival removes an entry whose beat it has seen unchanged for 3T/4, from
//     the end of the reading that first showed it, and only if the beat is
//     still that one. Time in which it could not read the ledger does not
//     count: nobody may have been able to beat. What it saw had been written after the start of that
//     beat, so 3T/4 later the node's belief is over. The difference is there
//     for clocks that run at rates up to a tenth apart.
//   - A seat is taken from another node only if that node's entry was not
//     among those read after the seat. An entry stands before its node takes a
//     seat, so it was removed: by the rule above, or by the node itself, which
//     then had ceased to believe.
//   - A belief in a seat begins only with a change of the seat that this node
//     saw succeed, and that raised its turn. Whatever is still under way from
//     before, an earlier attempt or its own giving back, was made for a lower
//     turn and fails.
//
// So two nodes never believe in the same seat, however slow the ledger, and
// whatever it leaves unanswered. A node that stood still for longer than that
// (a frozen process, a machine that slept) finds its belief over when it wakes,
// and learns from its next beat that it was buried: it then loses everything
// and joins anew under another name, so that an entry that was once removed
// never stands again.
//
// A node that dies is replaced within T: its beat was seen T/10 after it at
// the latest, 3T/4 later its entry is removed, and its seats are free for
// whoever is asked. Seats nobody asks for are shared out by a hash that all
// survivors compute alike.
//
// # Why it does no harm to be wrong
//
// A ledger that was restored, an administrator who edits it, a primary that
// does not know it was deposed, a clock that stands still while its machine
// sleeps: then two nodes can believe the same. What they write remains right,
// since each append to a journal is a compare-and-set on its head: the slower
// one is refused, reads what the other wrote, and does its work again. What
// they read is at worst as old as the belief, for at most T/5 until a node
// compares its seats with the ledger. Seats are there to make it fast: the one
// node that holds a workspace need not ask the database whether it is up to date.
package cluster
