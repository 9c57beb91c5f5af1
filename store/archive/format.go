package archive

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/enroute-field/enroute/sync"
)

// A backup begins with a line of plain text that names its format, and ends in
// the SHA-256 of all bytes before. What is between is compressed by Zstandard
// and holds records:
//
//	length of the body  unsigned varint
//	kind                1 byte
//	body
//	CRC-32C             4 bytes, little-endian, of kind and body
//
// The first one is the list of contents, as JSON. Then come, for each workspace
// in that order, its notes (each a length, its key and its value), its commits
// as they are stored and hashed, from number 1 on, and a record that ends it.
// The links of the chain are not written: they follow from the contents of the
// commits, and the last one must be the head's in the list.
const magic = "enroute backup, format 1\n"

// magicStart is how backups of all formats begin.
const magicStart = "enroute backup, format "

// Kinds of records.
const (
	kindContents = 'h'
	kindNote     = 'n'
	kindCommit   = 'c'
	kindDone     = 'w'
)

// maxRecord is more than the largest that is written: a commit, which has at
// most sync.MaxCommitBytes and a little.
const maxRecord = 32 << 20

// checksum of a record.
func checksum(kind byte, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum([]byte{kind}, table), table, body)
}

// encoder writes records.
type encoder struct {
	file io.Writer
	sum  hash.Hash // of what the file has
	z    *zstd.Encoder
	out  *bufio.Writer // into z
}

func newEncoder(w io.Writer) (*encoder, error) {
	e := &encoder{file: w, sum: sha256.New()}
	both := io.MultiWriter(w, e.sum)
	if _, err := io.WriteString(both, magic); err != nil {
		return nil, err
	}
	var err error
	if e.z, err = zstd.NewWriter(both, zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	e.out = bufio.NewWriterSize(e.z, 1<<16)
	return e, nil
}

func (e *encoder) record(kind byte, body []byte) error {
	if len(body) > maxRecord {
		return fmt.Errorf("a record has %d bytes, at most are %d", len(body), maxRecord)
	}
	head := append(binary.AppendUvarint(nil, uint64(len(body))), kind)
	end := binary.LittleEndian.AppendUint32(nil, checksum(kind, body))
	for _, part := range [][]byte{head, body, end} {
		if _, err := e.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what is held back, and the sum.
func (e *encoder) finish() error {
	if err := e.out.Flush(); err != nil {
		return err
	}
	if err := e.z.Close(); err != nil {
		return err
	}
	_, err := e.file.Write(e.sum.Sum(nil))
	return err
}

// contentsForm is the list of contents as it is written.
type contentsForm struct {
	Made       time.Time       `json:"made"`
	Workspaces []workspaceForm `json:"workspaces"`
}

type workspaceForm struct {
	Name   string    `json:"name"`
	Number uint64    `json:"number"`
	Hash   string    `json:"hash"`
	At     time.Time `json:"at"`
}

func (c *Contents) encode() ([]byte, error) {
	f := contentsForm{Made: c.Made.UTC()}
	for _, w := range c.Workspaces {
		f.Workspaces = append(f.Workspaces, workspaceForm{w.Name, w.Head.Number, hex.EncodeToString(w.Head.Hash[:]), w.Head.At.UTC()})
	}
	return json.Marshal(f)
}

func decodeContents(body []byte) (*Contents, error) {
	var f contentsForm
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("list of contents: %w: %w", ErrDamaged, err)
	}
	c := &Contents{Made: f.Made}
	for _, w := range f.Workspaces {
		entry := Workspace{w.Name, sync.Head{Number: w.Number, At: w.At}}
		if sum, err := hex.DecodeString(w.Hash); err != nil || copy(entry.Head.Hash[:], sum) != len(entry.Head.Hash) || len(sum) != sha256.Size {
			return nil, fmt.Errorf("hash of workspace %q: %w", w.Name, ErrDamaged)
		}
		c.Workspaces = append(c.Workspaces, entry)
	}
	return c, c.check()
}

func encodeNote(key string, value []byte) []byte {
	out := binary.AppendUvarint(make([]byte, 0, len(key)+len(value)+4), uint64(len(key)))
	return append(append(out, key...), value...)
}

func decodeNote(body []byte) (key string, value []byte, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > uint64(len(body)-size) {
		return "", nil, fmt.Errorf("a note: %w", ErrDamaged)
	}
	body = body[size:]
	return string(body[:n]), append([]byte{}, body[n:]...), nil
}
