package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/enroute-field/enroute/sync"
)

// decoder reads records.
type decoder struct {
	z  *zstd.Decoder
	in *bufio.Reader // from z
}

// maxWindow bounds the memory for decompression. What is written stays below.
const maxWindow = 32 << 20

func newDecoder(r io.Reader) (*decoder, error) {
	in := &summed{r: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}
	line, err := in.r.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, plain(err)
	}
	if !bytes.HasPrefix(line, []byte(magicStart)) {
		return nil, ErrNotBackup
	}
	if string(line) != magic {
		name, _, _ := strings.Cut(string(line[len(magicStart):]), "\n")
		return nil, fmt.Errorf("format %q: %w", name, ErrVersion)
	}
	if _, err := io.ReadFull(in, make([]byte, len(magic))); err != nil {
		return nil, damaged(err)
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, damaged(err)
	}
	return &decoder{z: z, in: bufio.NewReaderSize(z, 1<<16)}, nil
}

func (d *decoder) close() { d.z.Close() }

// next reads a record.
func (d *decoder) next() (kind byte, body []byte, err error) {
	size, err := binary.ReadUvarint(d.in)
	if err != nil {
		return 0, nil, damaged(err)
	}
	if size > maxRecord {
		return 0, nil, fmt.Errorf("a record of %d bytes: %w", size, ErrDamaged)
	}
	var buf bytes.Buffer // grows with what there is: the size may be wrong
	if _, err := io.CopyN(&buf, d.in, int64(size)+5); err != nil {
		return 0, nil, damaged(err)
	}
	rest := buf.Bytes()
	kind, body = rest[0], rest[1:1+size]
	if binary.LittleEndian.Uint32(rest[1+size:]) != checksum(kind, body) {
		return 0, nil, fmt.Errorf("checksum of a record: %w", ErrDamaged)
	}
	return kind, body, nil
}

// end sees to it that nothing follows, and so that the sum has been compared.
func (d *decoder) end() error {
	_, err := d.in.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("more than the list of contents says: %w", ErrDamaged)
	case !errors.Is(err, io.EOF):
		return damaged(err)
	}
	return nil
}

// summed reads a file but for the sum at its end. That it has read all, it says
// only if the sum is right.
type summed struct {
	r   *bufio.Reader
	sum hash.Hash
}

func (s *summed) Read(p []byte) (int, error) {
	ahead, err := s.r.Peek(min(len(p), s.r.Size()-sha256.Size) + sha256.Size)
	if n := len(ahead) - sha256.Size; n > 0 {
		copy(p, ahead[:n])
		s.sum.Write(ahead[:n])
		return s.r.Discard(n)
	}
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	if !bytes.Equal(ahead, s.sum.Sum(nil)) {
		return 0, fmt.Errorf("the sum at the end: %w", ErrDamaged)
	}
	return 0, io.EOF
}

// damaged says whose fault it is that nothing more can be read.
func damaged(err error) error {
	var failed *readError
	if errors.As(err, &failed) {
		return failed.err
	}
	if errors.Is(err, ErrDamaged) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends too early: %w", ErrDamaged)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// readError marks an error of the reader itself: the medium's, or that of a
// context that is done.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// patient reads until the context is done, and marks errors.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p patient) Read(buf []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, &readError{err}
	}
	n, err := p.r.Read(buf)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}

// sink takes what a backup holds, in the order of the file. What it is given is
// checked, but only the whole file is: nothing counts before read returns.
type sink interface {
	begin(ctx context.Context, w Workspace) error
	note(ctx context.Context, key string, value []byte) error
	commit(ctx context.Context, c *sync.Commit) error
	done(ctx context.Context) error
}

// Look reads what a backup says that it holds, and nothing after that: whether
// it is whole only Restore finds out.
func Look(ctx context.Context, r io.Reader) (*Contents, error) {
	d, err := newDecoder(patient{ctx, r})
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.contents()
}

// read a backup to its end. accept hears of the contents and gives who takes
// them.
func read(ctx context.Context, r io.Reader, accept func(*Contents) (sink, error)) (*Contents, error) {
	d, err := newDecoder(patient{ctx, r})
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.all(ctx, accept)
}

func (d *decoder) all(ctx context.Context, accept func(*Contents) (sink, error)) (*Contents, error) {
	contents, err := d.contents()
	if err != nil {
		return nil, err
	}
	s, err := accept(contents)
	if err != nil {
		return nil, err
	}
	for _, w := range contents.Workspaces {
		if err := d.workspace(ctx, w, s); err != nil {
			return nil, fmt.Errorf("workspace %s: %w", w.Name, err)
		}
	}
	return contents, d.end()
}

func (d *decoder) contents() (*Contents, error) {
	kind, body, err := d.next()
	if err != nil {
		return nil, err
	}
	if kind != kindContents {
		return nil, fmt.Errorf("no list of contents: %w", ErrDamaged)
	}
	return decodeContents(body)
}

// plain takes the mark off an error.
func plain(err error) error {
	var failed *readError
	if errors.As(err, &failed) {
		return failed.err
	}
	return err
}

// workspace reads all records of one.
func (d *decoder) workspace(ctx context.Context, w Workspace, s sink) error {
	if err := s.begin(ctx, w); err != nil {
		return err
	}
	var at sync.Head
	for {
		kind, body, err := d.next()
		if err != nil {
			return err
		}
		switch kind {
		case kindNote:
			err = takeNote(ctx, body, s)
		case kindCommit:
			at, err = takeCommit(ctx, body, at, s)
		case kindDone:
			if at.Number != w.Head.Number || at.Hash != w.Head.Hash {
				return fmt.Errorf("its journal ends at commit %d and is not that of the list of contents: %w", at.Number, ErrDamaged)
			}
			return s.done(ctx)
		default:
			err = fmt.Errorf("a record of kind %q: %w", kind, ErrDamaged)
		}
		if err != nil {
			return err
		}
	}
}

func takeNote(ctx context.Context, body []byte, s sink) error {
	key, value, err := decodeNote(body)
	if err != nil {
		return err
	}
	return s.note(ctx, key, value)
}

// takeCommit hands on the commit that follows the head, and gives the next head.
func takeCommit(ctx context.Context, body []byte, at sync.Head, s sink) (sync.Head, error) {
	c, err := sync.DecodeCommit(body)
	if err != nil || c.Number != at.Number+1 || !bytes.Equal(c.Encode(), body) {
		return at, fmt.Errorf("commit %d: %w", at.Number+1, ErrDamaged)
	}
	c.Prev = at.Hash
	c.Seal()
	return sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}, s.commit(ctx, c)
}
