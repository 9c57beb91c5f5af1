package clients

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// MaxImportBytes is how large a file of clients may be.
const MaxImportBytes = 64 << 20

// ImportOptions are the choices of whoever imports.
type ImportOptions struct {
	// IgnoreUnknown leaves columns with an unknown name out, instead of
	// refusing the file.
	IgnoreUnknown bool
}

// Import is a file of clients on its way in: header read, rows to come.
type Import struct {
	csv     *csv.Reader
	columns []*column // by position; nil: left out
	names   []string  // as the file calls them
	within  int       // line breaks inside cells so far
}

// ImportRow is one client of a file.
type ImportRow struct {
	Number int // as a spreadsheet numbers it: the header is row 1
	Fields sync.Fields
}

// RowError says what is wrong with a row. Field is the column, as the file
// calls it; "" is the row as a whole.
type RowError struct {
	Row int
	fault.Field
}

// ReadImport reads a file up to and with its header. The separator (comma,
// semicolon or tab) is guessed from the header; the text is UTF-8, UTF-16
// with a byte order mark, or else Windows-1252. Faults: TooLarge, Required
// (no column for the name), UnknownColumns, RepeatedColumn.
func ReadImport(r io.Reader, o ImportOptions) (*Import, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxImportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if len(data) > MaxImportBytes {
		return nil, fault.New(fault.TooLarge, "limit", "64 MiB")
	}
	text, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	im := &Import{csv: csv.NewReader(bytes.NewReader(text))}
	im.csv.Comma = separator(text)
	im.csv.FieldsPerRecord = -1
	return im, im.readHeader(o)
}

// decodeText gives the text in UTF-8, with line feeds at the ends of lines.
func decodeText(data []byte) ([]byte, error) {
	fallback := transform.Transformer(charmap.Windows1252.NewDecoder())
	if utf8.Valid(data) {
		fallback = unicode.UTF8.NewDecoder()
	}
	text, _, err := transform.Bytes(unicode.BOMOverride(fallback), data)
	if err != nil {
		return nil, fmt.Errorf("decode the file: %w", err)
	}
	if !bytes.ContainsRune(text, '\n') {
		text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	}
	return text, nil
}

// separator guesses what stands between cells: whichever candidate the first
// line has most of, outside quotes.
func separator(text []byte) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), []byte("\n"))
	counts := map[byte]int{}
	quoted := false
	for _, b := range line {
		if b == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[b]++
		}
	}
	best := ','
	for _, c := range ";\t" {
		if counts[byte(c)] > counts[byte(best)] {
			best = c
		}
	}
	return best
}

func (im *Import) readHeader(o ImportOptions) error {
	header, err := im.csv.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.New(fault.BadRequest, "why", err.Error()).Because(err)
	}
	var unknown []string
	index, taken := newColumnIndex(), map[string]bool{}
	for _, name := range header {
		name = strings.TrimSpace(name)
		c := index.of(name)
		switch {
		case c == nil && name != "":
			unknown = append(unknown, strconv.Quote(name))
		case c != nil && taken[c.path]:
			return fault.New(fault.RepeatedColumn, "column", name)
		case c != nil:
			taken[c.path] = true
		}
		im.columns, im.names = append(im.columns, c), append(im.names, name)
	}
	im.countBreaks(header)
	if len(unknown) > 0 && !o.IgnoreUnknown {
		return fault.New(fault.UnknownColumns, "columns", strings.Join(unknown, ", "))
	}
	if !taken["name"] {
		return fault.Invalid(fault.At("name", fault.Required))
	}
	return nil
}

// Next gives the next row that is not blank, or what is wrong with it; io.EOF
// at the end. After a row with errors it goes on with the one that follows.
func (im *Import) Next() (ImportRow, []RowError, error) {
	for {
		cells, err := im.csv.Read()
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			return ImportRow{}, im.broken(broken), nil
		}
		if err != nil {
			return ImportRow{}, nil, err
		}
		number := im.number(cells)
		if blank(cells) {
			continue
		}
		row, wrong := im.row(number, cells)
		return row, wrong, nil
	}
}

func (im *Import) row(number int, cells []string) (ImportRow, []RowError) {
	row := ImportRow{Number: number, Fields: sync.Fields{}}
	if n := len(im.columns); len(cells) > n && !blank(cells[n:]) {
		return row, []RowError{{number, fault.At("", fault.TooManyCells, "cells", strconv.Itoa(len(cells)), "columns", strconv.Itoa(n))}}
	}
	var wrong []RowError
	for i, c := range im.columns {
		if c == nil || i >= len(cells) || strings.TrimSpace(cells[i]) == "" {
			continue
		}
		v, bad := c.parse(strings.TrimSpace(cells[i]))
		if bad != nil {
			bad.Field = im.names[i]
			wrong = append(wrong, RowError{number, *bad})
			continue
		}
		setPath(row.Fields, c.path, v)
	}
	if row.Fields["name"] == nil {
		wrong = append(wrong, im.at(number, "name", fault.Required, nil))
	}
	return row, wrong
}

// Refused tells in terms of the file why a row was refused by whoever stores
// clients.
func (im *Import) Refused(row int, err error) []RowError {
	e := fault.Of(err)
	if len(e.Fields) == 0 {
		field := e.Args["field"]
		if e.Code == fault.NameTaken {
			field = "name"
		}
		return []RowError{im.at(row, field, e.Code, e.Args)}
	}
	out := make([]RowError, len(e.Fields))
	for i, f := range e.Fields {
		out[i] = im.at(row, f.Field, f.Code, f.Args)
	}
	return out
}

func (im *Import) at(row int, field string, code fault.Code, args map[string]string) RowError {
	return RowError{row, fault.Field{Field: im.Column(field), Code: code, Args: args}}
}

// Column is what the file calls the column of a field, or the field itself if
// it came from none.
func (im *Import) Column(field string) string {
	for i, c := range im.columns {
		if c != nil && c.path == field {
			return im.names[i]
		}
	}
	return field
}

// number of the record just read, as a spreadsheet counts: a line break
// inside a cell begins no row.
func (im *Import) number(cells []string) int {
	line, _ := im.csv.FieldPos(0)
	line -= im.within
	im.countBreaks(cells)
	return line
}

func (im *Import) countBreaks(cells []string) {
	for _, c := range cells {
		im.within += strings.Count(c, "\n")
	}
}

// broken is a row whose quotes do not match.
func (im *Import) broken(err *csv.ParseError) []RowError {
	row := err.StartLine - im.within
	im.within += err.Line - err.StartLine
	return []RowError{{row, fault.At("", fault.BadQuotes)}}
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// setPath sets a field, or a member of an object field ("custom.color").
func setPath(f sync.Fields, path string, v any) {
	name, member, nested := strings.Cut(path, ".")
	if !nested {
		f[name] = v
		return
	}
	object, ok := f[name].(map[string]any)
	if !ok {
		object = map[string]any{}
		f[name] = object
	}
	object[member] = v
}
