package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/enroute-field/enroute/clients"
)

// clientSink is where imported clients go.
type clientSink interface {
	// put stores the rows, each for itself: what comes back is why some were
	// refused. An error means that it cannot go on.
	put(ctx context.Context, rows []clients.ImportRow) ([]complaint, error)
	close(ctx context.Context) error
}

// complaint is what is wrong with one row, in words.
type complaint struct {
	row    int
	column string // as the file calls it; "" is the whole row
	text   string
}

// importing is one run of the command.
type importing struct {
	m         *Main
	file      *clients.Import
	lang      string
	sink      clientSink // nil for a dry run
	rows, bad int
}

// batchRows is how many rows go to the sink at once.
const batchRows = 200

func (m *Main) importClients(ctx context.Context, args []string) (err error) {
	f := m.flags("import clients FILE.csv [flags]", importHelp(), "data", "store", "log-level", "log-format", "shutdown-grace")
	var o importFlags
	o.bind(f)
	cfg, given, err := f.parse(args, 2)
	if err != nil {
		return err
	}
	if given[0] != "clients" {
		return usageError{"usage: enroute " + f.Name()}
	}
	file, err := openImport(given[1], o.ignore)
	if err != nil {
		return err
	}
	im := &importing{m: m, file: file, lang: o.lang}
	if !o.dry {
		if im.sink, err = m.openSink(ctx, cfg, &o, file, filepath.Base(given[1])); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, im.sink.close(ctx)) }()
	}
	return im.run(ctx)
}

// importFlags are the command's own.
type importFlags struct {
	workspace, url, email, passwordFile, lang string
	ignore, dry                               bool
}

func (o *importFlags) bind(f *flags) {
	f.StringVar(&o.workspace, "workspace", "", "`NAME` of the workspace; otherwise "+firstWorkspace)
	f.StringVar(&o.url, "url", "", "base `URL` of a running server; otherwise the data folder is opened, while no server runs on it")
	f.StringVar(&o.email, "email", "", "`ADDRESS` of the account that imports, with --url")
	f.StringVar(&o.passwordFile, "password-file", "", "`FILE` with its password on one line, with --url; /dev/stdin is the standard input")
	f.StringVar(&o.lang, "lang", "en", "`LANGUAGE` of what is said about rows: en or fr")
	f.BoolVar(&o.ignore, "ignore-unknown", false, "leave out columns with unknown names, instead of refusing the file")
	f.BoolVar(&o.dry, "dry-run", false, "only read the file and say what is wrong with its form; names already taken are not looked up")
}

func importHelp() string {
	var b strings.Builder
	b.WriteString("Creates clients from a CSV file. The separator (comma, semicolon, tab) and the encoding (UTF-8,\n" +
		"UTF-16, Windows-1252) are guessed. Rows that are right come in; the others are listed with row,\n" +
		"column and reason. A client whose name is taken is refused, so the same file twice is harmless.\n\n" +
		"Columns, in any order and case, with or without accents; only the name is required:\n\n")
	for _, c := range clients.ImportColumns() {
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-27s %s", c.Field, strings.Join(c.Names, ", ")), " ") + "\n")
	}
	b.WriteString("  custom.<key>, externalIds.<system>\n\nA credit limit is in cents; assigned ids are separated by commas or spaces.")
	return b.String()
}

func openImport(path string, ignoreUnknown bool) (*clients.Import, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return clients.ReadImport(f, clients.ImportOptions{IgnoreUnknown: ignoreUnknown})
}

// run reads to the end of the file, a batch at a time, and sums up.
func (im *importing) run(ctx context.Context) error {
	for {
		rows, more, err := im.read()
		if err != nil {
			return err
		}
		if err := im.store(ctx, rows); err != nil {
			return fmt.Errorf("stopped at row %d: %w", rows[0].Number, err)
		}
		if !more {
			return im.summary()
		}
	}
}

// read takes the next batch of rows that are in order, and tells of the rest.
func (im *importing) read() (rows []clients.ImportRow, more bool, err error) {
	for len(rows) < batchRows {
		row, wrong, err := im.file.Next()
		if errors.Is(err, io.EOF) {
			return rows, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read the file: %w", err)
		}
		im.rows++
		if wrong == nil {
			rows = append(rows, row)
			continue
		}
		im.tell(complaints(wrong, im.lang))
	}
	return rows, true, nil
}

func (im *importing) store(ctx context.Context, rows []clients.ImportRow) error {
	if im.sink == nil || len(rows) == 0 {
		return nil
	}
	wrong, err := im.sink.put(ctx, rows)
	im.tell(wrong)
	return err
}

// complaints puts errors of rows into words.
func complaints(wrong []clients.RowError, lang string) []complaint {
	out := make([]complaint, len(wrong))
	for i, w := range wrong {
		out[i] = complaint{w.Row, w.Field.Field, w.Detail(lang)}
	}
	return out
}

// tell prints complaints and counts the rows they are about; those of one row
// stand together.
func (im *importing) tell(wrong []complaint) {
	last := 0
	for _, c := range wrong {
		if c.row != last {
			im.bad++
		}
		last = c.row
		if c.column == "" {
			fmt.Fprintf(im.m.Stdout, "row %d: %s\n", c.row, c.text)
		} else {
			fmt.Fprintf(im.m.Stdout, "row %d, %s: %s\n", c.row, c.column, c.text)
		}
	}
}

func (im *importing) summary() error {
	verb := "imported"
	if im.sink == nil {
		verb = "ready to import"
	}
	fmt.Fprintf(im.m.Stdout, "%d rows: %d %s, %d refused\n", im.rows, im.rows-im.bad, verb, im.bad)
	if im.bad > 0 {
		return fmt.Errorf("%d of %d rows were refused", im.bad, im.rows)
	}
	return nil
}
