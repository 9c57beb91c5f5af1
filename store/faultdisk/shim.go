package faultdisk

import (
	"errors"
	"strings"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// shim is the disk in the form that SQLite calls: tables of function pointers
// (https://sqlite.org/vfs.html), in memory that the collector does not move.
// A file of ours is a pointer to our methods followed by the system's file.
type shim struct {
	d       *Disk
	tls     *libc.TLS
	system  uintptr // the sqlite3_vfs that does the work
	vfs     uintptr // ours
	methods uintptr // the sqlite3_io_methods of our files
	name    uintptr
	kept    []any // functions that only SQLite's tables refer to
}

// header is what stands before the system's file in ours.
const header = unsafe.Sizeof(uintptr(0))

var errMemory = errors.New("out of memory")

func newShim(d *Disk, asDefault bool) (*shim, error) {
	s := &shim{d: d, tls: libc.NewTLS()}
	s.system = sqlite3.Xsqlite3_vfs_find(s.tls, 0)
	s.vfs = libc.Xmalloc(s.tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	s.methods = libc.Xmalloc(s.tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	var err error
	if s.name, err = libc.CString(d.name); err != nil || s.vfs == 0 || s.methods == 0 {
		return nil, errors.Join(errMemory, err)
	}
	*at[sqlite3.Tsqlite3_vfs](s.vfs) = s.vfsTable()
	*at[sqlite3.Tsqlite3_io_methods](s.methods) = s.methodTable()
	if rc := sqlite3.Xsqlite3_vfs_register(s.tls, s.vfs, libc.Bool32(asDefault)); rc != OK {
		return nil, errors.New("SQLite refuses it")
	}
	return s, nil
}

func (s *shim) close() {
	sqlite3.Xsqlite3_vfs_unregister(s.tls, s.vfs)
	for _, p := range []uintptr{s.vfs, s.methods, s.name} {
		libc.Xfree(s.tls, p)
	}
	s.tls.Close()
}

// vfsTable is the system's but for what opens and deletes.
func (s *shim) vfsTable() sqlite3.Tsqlite3_vfs {
	v := *at[sqlite3.Tsqlite3_vfs](s.system)
	v.FpNext, v.FzName = 0, s.name
	v.FszOsFile += int32(header)
	v.FxOpen, v.FxDelete = keep(s, s.open), keep(s, s.remove)
	return v
}

// Signatures of the methods.
type (
	onFile     = func(tls *libc.TLS, f uintptr) int32
	onNumber   = func(tls *libc.TLS, f uintptr, n int32) int32
	onSize     = func(tls *libc.TLS, f uintptr, n int64) int32
	onPointer  = func(tls *libc.TLS, f uintptr, p uintptr) int32
	onControl  = func(tls *libc.TLS, f uintptr, op int32, p uintptr) int32
	onTransfer = func(tls *libc.TLS, f, p uintptr, n int32, offset int64) int32
	onMap      = func(tls *libc.TLS, f uintptr, region, size, extend int32, p uintptr) int32
	onShared   = func(tls *libc.TLS, f uintptr, offset, n, flags int32) int32
	onBarrier  = func(tls *libc.TLS, f uintptr)
	onOpen     = func(tls *libc.TLS, vfs, name, f uintptr, flags int32, out uintptr) int32
	onDelete   = func(tls *libc.TLS, vfs, name uintptr, folder int32) int32
)

// methodTable is of version 2: files are not mapped into memory.
func (s *shim) methodTable() sqlite3.Tsqlite3_io_methods {
	return sqlite3.Tsqlite3_io_methods{
		FiVersion: 2,
		FxClose:   keep(s, s.closeFile), FxRead: keep(s, s.read), FxWrite: keep(s, s.write),
		FxTruncate: keep(s, s.truncate), FxSync: keep(s, s.sync),
		FxFileSize: keep(s, func(tls *libc.TLS, f, p uintptr) int32 {
			return call[onPointer](methodsOf(f).FxFileSize)(tls, f+header, p)
		}),
		FxLock: keep(s, func(tls *libc.TLS, f uintptr, n int32) int32 {
			return call[onNumber](methodsOf(f).FxLock)(tls, f+header, n)
		}),
		FxUnlock: keep(s, func(tls *libc.TLS, f uintptr, n int32) int32 {
			return call[onNumber](methodsOf(f).FxUnlock)(tls, f+header, n)
		}),
		FxCheckReservedLock: keep(s, func(tls *libc.TLS, f, p uintptr) int32 {
			return call[onPointer](methodsOf(f).FxCheckReservedLock)(tls, f+header, p)
		}),
		FxFileControl: keep(s, func(tls *libc.TLS, f uintptr, op int32, p uintptr) int32 {
			return call[onControl](methodsOf(f).FxFileControl)(tls, f+header, op, p)
		}),
		FxSectorSize: keep(s, func(tls *libc.TLS, f uintptr) int32 {
			return call[onFile](methodsOf(f).FxSectorSize)(tls, f+header)
		}),
		FxDeviceCharacteristics: keep(s, func(tls *libc.TLS, f uintptr) int32 {
			return call[onFile](methodsOf(f).FxDeviceCharacteristics)(tls, f+header)
		}),
		FxShmMap: keep(s, func(tls *libc.TLS, f uintptr, region, size, extend int32, p uintptr) int32 {
			return call[onMap](methodsOf(f).FxShmMap)(tls, f+header, region, size, extend, p)
		}),
		FxShmLock: keep(s, func(tls *libc.TLS, f uintptr, offset, n, flags int32) int32 {
			return call[onShared](methodsOf(f).FxShmLock)(tls, f+header, offset, n, flags)
		}),
		FxShmBarrier: keep(s, func(tls *libc.TLS, f uintptr) {
			call[onBarrier](methodsOf(f).FxShmBarrier)(tls, f+header)
		}),
		FxShmUnmap: keep(s, func(tls *libc.TLS, f uintptr, n int32) int32 {
			return call[onNumber](methodsOf(f).FxShmUnmap)(tls, f+header, n)
		}),
	}
}

// open a file. One without a name is temporary, and the system's alone.
func (s *shim) open(tls *libc.TLS, _, name, f uintptr, flags int32, out uintptr) int32 {
	*at[uintptr](f) = 0 // to SQLite, a file that did not open
	open := call[onOpen](at[sqlite3.Tsqlite3_vfs](s.system).FxOpen)
	if name == 0 {
		return open(tls, s.system, name, f, flags, out)
	}
	path := libc.GoString(name)
	existed, code := s.d.wantOpen(path)
	if code != OK {
		return code
	}
	if code := open(tls, s.system, name, f+header, flags, out); code != OK {
		return code
	}
	*at[uintptr](f) = s.methods
	s.d.opened(f, path, existed, flags&(sqlite3.SQLITE_OPEN_WAL|sqlite3.SQLITE_OPEN_MAIN_JOURNAL) != 0)
	return OK
}

func (s *shim) remove(tls *libc.TLS, _, name uintptr, folder int32) int32 {
	path := libc.GoString(name)
	if strings.HasSuffix(path, "-shm") {
		return call[onDelete](at[sqlite3.Tsqlite3_vfs](s.system).FxDelete)(tls, s.system, name, folder)
	}
	return s.d.remove(path, folder != 0, func() int32 {
		return call[onDelete](at[sqlite3.Tsqlite3_vfs](s.system).FxDelete)(tls, s.system, name, folder)
	})
}

func (s *shim) closeFile(tls *libc.TLS, f uintptr) int32 {
	s.d.closed(f)
	return call[onFile](methodsOf(f).FxClose)(tls, f+header)
}

func (s *shim) read(tls *libc.TLS, f, p uintptr, n int32, offset int64) int32 {
	if code := s.d.read(f, offset); code != OK {
		return code
	}
	return call[onTransfer](methodsOf(f).FxRead)(tls, f+header, p, n, offset)
}

func (s *shim) write(tls *libc.TLS, f, p uintptr, n int32, offset int64) int32 {
	data := unsafe.Slice(at[byte](p), n)
	return s.d.write(f, data, offset, func(n int) int32 {
		return call[onTransfer](methodsOf(f).FxWrite)(tls, f+header, p, int32(n), offset)
	})
}

func (s *shim) truncate(tls *libc.TLS, f uintptr, size int64) int32 {
	return s.d.change(f, Truncate, size, func() int32 {
		return call[onSize](methodsOf(f).FxTruncate)(tls, f+header, size)
	})
}

// sync is only noted: the tests' files need not outlive a real power cut.
func (s *shim) sync(_ *libc.TLS, f uintptr, _ int32) int32 {
	return s.d.change(f, Sync, 0, func() int32 { return OK })
}

// methodsOf the system's file in ours.
func methodsOf(f uintptr) *sqlite3.Tsqlite3_io_methods {
	return at[sqlite3.Tsqlite3_io_methods](*at[uintptr](f + header))
}

// at is what lies at an address of SQLite's.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// call makes a function of one of SQLite's pointers.
func call[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// keep makes a pointer for SQLite's tables of a function, and holds it.
func keep[F any](s *shim, f F) uintptr {
	s.kept = append(s.kept, f)
	return *(*uintptr)(unsafe.Pointer(&f))
}
