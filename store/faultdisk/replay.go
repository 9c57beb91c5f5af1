package faultdisk

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
)

// Sizes of what a disk writes whole, and of what the system takes as written
// or not.
const (
	sectorSize = 512
	pageSize   = 4096
)

// Replay makes a log's operations again, and knows at every point what must
// be on the disk and what may be there: a file as of its last sync, and of
// what was written to it since, any sectors in any of their versions. A name
// is there for certain once its folder has been synced.
type Replay struct {
	log   []Op
	at    int
	names map[string][]*inode // by path: the certain one, then what followed; nil: none
}

// inode is the content of a file.
type inode struct {
	seen    []byte             // as the system shows it
	certain []byte             // on the disk
	loose   map[int64][][]byte // by sector: versions after the certain one
	sizes   []int64            // after the certain one
	dirty   map[int64]bool     // pages written since the last sync
}

// NewReplay begins before the first operation.
func NewReplay(log []Op) *Replay { return &Replay{log: log, names: map[string][]*inode{}} }

// To goes on until n operations have been made.
func (r *Replay) To(n int) {
	for ; r.at < n; r.at++ {
		r.do(r.log[r.at])
	}
}

func (r *Replay) do(op Op) {
	switch op.Kind {
	case Found:
		r.names[op.Path] = []*inode{newInode(op.Data)}
	case Create:
		r.names[op.Path] = append(r.history(op.Path), newInode(nil))
	case Delete:
		r.names[op.Path] = append(r.history(op.Path), nil)
	case Write:
		r.newest(op.Path).write(op.Offset, op.Data)
	case Truncate:
		r.newest(op.Path).truncate(op.Offset)
	case Sync:
		r.newest(op.Path).sync()
	case SyncFailed:
		clear(r.newest(op.Path).dirty) // the system takes them for written
	case SyncFolder:
		r.syncFolder(filepath.Dir(op.Path))
	case Open, Read: // leave no trace
	}
}

// history of a name, which at first stood for no file.
func (r *Replay) history(path string) []*inode {
	if h := r.names[path]; h != nil {
		return h
	}
	return []*inode{nil}
}

func (r *Replay) newest(path string) *inode {
	h := r.names[path]
	return h[len(h)-1]
}

func (r *Replay) syncFolder(folder string) {
	for path, h := range r.names {
		if filepath.Dir(path) == folder {
			r.names[path] = h[len(h)-1:]
		}
	}
}

func newInode(content []byte) *inode {
	return &inode{
		seen: slices.Clone(content), certain: slices.Clone(content),
		loose: map[int64][][]byte{}, dirty: map[int64]bool{},
	}
}

func (f *inode) write(offset int64, data []byte) {
	if end := offset + int64(len(data)); end > int64(len(f.seen)) {
		f.resize(end)
	}
	copy(f.seen[offset:], data)
	f.touch(offset, offset+int64(len(data)))
}

// truncate makes what lies beyond the size nothing, should the file grow again.
func (f *inode) truncate(size int64) {
	was := int64(len(f.seen))
	f.resize(size)
	f.touch(size, was)
}

func (f *inode) resize(size int64) {
	if size <= int64(len(f.seen)) {
		f.seen = f.seen[:size]
	} else {
		f.seen = append(f.seen, make([]byte, size-int64(len(f.seen)))...)
	}
	f.sizes = append(f.sizes, size)
}

// touch the sectors of a range: each has a new version.
func (f *inode) touch(from, to int64) {
	for s := from / sectorSize; s*sectorSize < to; s++ {
		f.loose[s] = append(f.loose[s], sector(f.seen, s))
		f.dirty[s*sectorSize/pageSize] = true
	}
}

// sector s of a content, filled up with zeros.
func sector(content []byte, s int64) []byte {
	out := make([]byte, sectorSize)
	if from := s * sectorSize; from < int64(len(content)) {
		copy(out, content[from:])
	}
	return out
}

// sync brings dirty pages to the disk whole. What an earlier sync failed to
// bring stays loose until it is written again.
func (f *inode) sync() {
	f.certain = fit(f.certain, int64(len(f.seen)))
	f.sizes = nil
	for page := range f.dirty {
		from := page * pageSize
		if from < int64(len(f.seen)) {
			copy(f.certain[from:min(from+pageSize, int64(len(f.seen)))], f.seen[from:])
		}
		for s := from / sectorSize; s < (from+pageSize)/sectorSize; s++ {
			delete(f.loose, s)
		}
	}
	clear(f.dirty)
}

// fit cuts content to a size, or fills it up with zeros.
func fit(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// Image makes, for a power cut now, the files that the disk may hold, by
// path. Chance decides.
func (r *Replay) Image(chance *rand.Rand) map[string][]byte {
	out := map[string][]byte{}
	kept := []float64{0, 0.1, 0.5, 0.9, 1}[chance.IntN(5)]
	for _, path := range slices.Sorted(maps.Keys(r.names)) {
		h := r.names[path]
		if f := h[version(chance, kept, len(h))]; f != nil {
			out[path] = f.image(chance, kept)
		}
	}
	return out
}

// Seen are the files as the system shows them now, by path.
func (r *Replay) Seen() map[string][]byte {
	out := map[string][]byte{}
	for path, h := range r.names {
		if f := h[len(h)-1]; f != nil {
			out[path] = slices.Clone(f.seen)
		}
	}
	return out
}

// version chooses one of n: the newest with probability kept, else any.
func version(chance *rand.Rand, kept float64, n int) int {
	if chance.Float64() < kept {
		return n - 1
	}
	if kept == 0 {
		return 0
	}
	return chance.IntN(n)
}

func (f *inode) image(chance *rand.Rand, kept float64) []byte {
	sizes := append([]int64{int64(len(f.certain))}, f.sizes...)
	out := fit(slices.Clone(f.certain), slices.Max(sizes))
	for _, s := range slices.Sorted(maps.Keys(f.loose)) {
		versions := f.loose[s]
		if from := s * sectorSize; from < int64(len(out)) {
			if i := version(chance, kept, len(versions)+1); i > 0 {
				copy(out[from:], versions[i-1])
			}
		}
	}
	return out[:sizes[version(chance, kept, len(sizes))]]
}
