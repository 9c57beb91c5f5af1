// Package mongo keeps journals and what is read off them in MongoDB. It is the
// store of an installation that has outgrown one machine: any number of
// servers over one replica set. It needs no transactions, change streams,
// retryable writes or collations of the server.
//
// # Histories
//
// A workspace's name stands for a history, which has an id of its own; all
// else is kept by history. So a restored history can be made ready under a
// staged name, and takes the workspace's name by a change of one document.
//
// # The journal
//
// A segment is one document: the commits of one append. Its _id is the history
// and the number of its first commit, so that a history is read as one range
// of the primary index. Inserting it is the append; everything that must be
// there together (commits, their hashes, the tags by which outcomes are found)
// is in that document. A transaction would add nothing, because of this:
//
//   - A segment is only inserted by who knows that the number before its first
//     is the last of a segment which a majority has, and that the hash of that
//     commit is what the first one follows. Such a segment stays; so there is
//     never a gap, and never a commit that does not follow the one before.
//   - Of all who know the same head only one inserts a document with the number
//     after it: that is the compare-and-set. Whoever believes in a head of the
//     past finds the place after it taken, since segments stay where they are.
//     What a writer remembers of the head is therefore good enough to try.
//   - Writes are acknowledged by a majority that has them on disk, and only
//     what a majority has is read, from the primary. What was read once is
//     never rolled back.
//   - A place that is taken is read. The hash of a commit covers its nonce and
//     all before it, so it tells one's own segment, which has arrived after
//     all, from a rival's. Where nothing can be read yet, and after any error
//     with which the insert may have arrived, the outcome is unknown, until
//     the same append is repeated with an answer. An insert that arrives late
//     meets the same fate as a repeated one: its place is free only if it is
//     still what the writer meant.
//
// # Promotion
//
// A history ends with a closed segment behind its head: the place where the
// next append would have to go is taken for good, so it fences late writers,
// and it names the history that comes after it. Then the workspace's name is
// changed, by compare-and-set. Commits of the old history are removed, their
// segments stay as empty documents, since each of them is the fence against
// somebody who believes in the head before it. A promotion that is broken off
// is completed by repeating it (promotion has the steps).
//
// # What lies beside
//
// Notes and checkpoints belong to a history, as they tell of positions in it.
// Lists, histories of documents and current documents are projections: they
// follow the journal and are guarded by rev, so that it does no harm when two
// processes write them at once.
//
// # Names
//
// Which history a name stands for is remembered, and forgotten by whoever
// meets a conflict or a history that is gone. Head always asks, since that is
// how a reader learns that the name has moved.
package mongo
