package clients_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// readAll reads a file to its end.
func readAll(t testing.TB, data []byte, o clients.ImportOptions) ([]clients.ImportRow, []clients.RowError) {
	t.Helper()
	im, err := clients.ReadImport(bytes.NewReader(data), o)
	if err != nil {
		t.Fatal(err)
	}
	var rows []clients.ImportRow
	var wrong []clients.RowError
	for {
		row, errs, err := im.Next()
		if errors.Is(err, io.EOF) {
			return rows, wrong
		}
		if err != nil {
			t.Fatal(err)
		}
		if wrong = append(wrong, errs...); errs == nil {
			rows = append(rows, row)
		}
	}
}

func TestImportReadsFiles(t *testing.T) {
	t.Parallel()
	french := "Nom;Téléphone;Adresse;Ville;Code postal;Langue;Rabais;Particulier;custom.floor\n" +
		"Forêt & Fils;450 555-0134;12, rue de l'Épinette;Sept-Îles;G4R 1A1;Français;12,5 %;non;3e\n"
	want := sync.Fields{
		"name": "Forêt & Fils", "phone": "450 555-0134", "language": "fr", "discountPercent": 12.5, "isPerson": false,
		"address": map[string]any{"line1": "12, rue de l'Épinette", "city": "Sept-Îles", "postalCode": "G4R 1A1"},
		"custom":  map[string]any{"floor": "3e"},
	}
	windows, err := charmap.Windows1252.NewEncoder().String(french)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(french, ";", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"UTF-8":              french,
		"UTF-8 with a mark":  "\ufeff" + french,
		"Windows-1252":       windows,
		"UTF-16 from Excel":  utf16,
		"Windows line ends":  strings.ReplaceAll(french, "\n", "\r\n"),
		"old Mac line ends":  strings.ReplaceAll(french, "\n", "\r"),
		"tabs":               strings.ReplaceAll(french, ";", "\t"),
		"no line end at all": strings.TrimSuffix(french, "\n"),
		"blank lines":        "\n" + strings.ReplaceAll(french, "\n", "\n\n;;\n"),
		"shouted header":     strings.Replace(french, "Code postal", " CODE_POSTAL ", 1),
		"English header": "name,phone,address,city,postal code,language,discountPercent,isPerson,custom.floor\n" +
			"Forêt & Fils,450 555-0134,\"12, rue de l'Épinette\",Sept-Îles,G4R 1A1,fr,12.5,no,3e\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, wrong := readAll(t, []byte(file), clients.ImportOptions{})
			if len(rows) != 1 || len(wrong) != 0 {
				t.Fatalf("%d rows and the errors %v, want one row and none", len(rows), wrong)
			}
			if !reflect.DeepEqual(rows[0].Fields, want) {
				t.Errorf("got  %v\nwant %v", rows[0].Fields, want)
			}
		})
	}
}

func TestImportTellsWhatIsWrongWithRows(t *testing.T) {
	t.Parallel()
	file := "Nom,Rabais,Langue,Actif?,Désactivé,Note\n" + // row 1
		"Bon,5,fr,,,\"deux\nlignes\"\n" + // row 2, on two lines
		",5,fr,,,\n" + // row 3
		"Cher,beaucoup,klingonien!,,,\n" + // row 4
		"Long,1,fr,,,a,b\n" + // row 5
		"Tiré \"mal\",1,fr,,,\n" + // row 6
		"Douteux,1,fr,,peut-être,\n" + // row 7
		"Dernier,1,en,,oui,\n" // row 8
	rows, wrong := readAll(t, []byte(file), clients.ImportOptions{IgnoreUnknown: true})
	var numbers []int
	for _, r := range rows {
		numbers = append(numbers, r.Number)
	}
	if !reflect.DeepEqual(numbers, []int{2, 8}) {
		t.Errorf("rows %v came in, want 2 and 8", numbers)
	}
	type seen struct {
		Row    int
		Column string
		Code   fault.Code
	}
	var got []seen
	for _, w := range wrong {
		got = append(got, seen{w.Row, w.Field.Field, w.Code})
		if strings.ContainsAny(w.Detail("fr"), "{}") {
			t.Errorf("row %d: %s", w.Row, w.Detail("fr"))
		}
	}
	want := []seen{
		{3, "Nom", fault.Required}, {4, "Rabais", fault.WrongType}, {4, "Langue", fault.BadFormat},
		{5, "", fault.TooManyCells}, {6, "", fault.BadQuotes}, {7, "Désactivé", fault.NotOneOf},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestImportRefusesFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file   string
		code   fault.Code
		detail string // part of the text
	}{
		"empty":           {"", fault.InvalidInput, ""},
		"no name":         {"Ville\nLaval\n", fault.InvalidInput, ""},
		"unknown columns": {"Nom;Humeur;Signe\nA;b;c\n", fault.UnknownColumns, `"Humeur", "Signe"`},
		"custom key":      {"Nom,custom.Étage\nA,1\n", fault.UnknownColumns, `"custom.Étage"`},
		"name twice":      {"Nom,Client\nA,B\n", fault.RepeatedColumn, "Client"},
		"not CSV":         {"a\"b\n", fault.BadRequest, ""},
		"a picture":       {"\x89PNG\r\n\x1a\n\x00\x00", fault.UnknownColumns, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clients.ReadImport(strings.NewReader(c.file), clients.ImportOptions{})
			if !fault.Is(err, c.code) {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if d := fault.Of(err).Detail("en"); !strings.Contains(d, c.detail) {
				t.Errorf("%q does not name %q", d, c.detail)
			}
		})
	}
}

// TestImportNamesTheColumn: a refusal by the engine is told in terms of the file.
func TestImportNamesTheColumn(t *testing.T) {
	t.Parallel()
	im, err := clients.ReadImport(strings.NewReader("Nom,Courriel,Ville\n"), clients.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		refusal error
		column  string
		code    fault.Code
	}{
		{fault.New(fault.NameTaken, "other", "c1"), "Nom", fault.NameTaken},
		{fault.Invalid(fault.At("email", fault.BadFormat, "type", "email")), "Courriel", fault.BadFormat},
		{fault.Invalid(fault.At("address.city", fault.TooLong, "max", "200")), "Ville", fault.TooLong},
		{fault.New(fault.ValueTaken, "field", "code", "other", "c1"), "code", fault.ValueTaken},
		{fault.New(fault.Forbidden), "", fault.Forbidden},
	} {
		got := im.Refused(7, c.refusal)
		if len(got) != 1 || got[0].Row != 7 || got[0].Field.Field != c.column || got[0].Code != c.code {
			t.Errorf("%v: %+v, want column %q", c.refusal, got, c.column)
		}
	}
}

// TestImportColumnsAreFields: every column fills a field that clients have,
// and no header could mean two of them.
func TestImportColumnsAreFields(t *testing.T) {
	t.Parallel()
	var kind *sync.Kind
	for _, k := range clients.Kinds() {
		if k.Name == "client" {
			kind = k
		}
	}
	for _, c := range clients.ImportColumns() {
		name, member, nested := strings.Cut(c.Field, ".")
		f := kind.Field(name)
		if f == nil || f.ReadOnly || nested && f.Members != nil && !hasMember(f, member) {
			t.Errorf("column %s fills no field", c.Field)
		}
		for _, header := range append(c.Names, c.Field) {
			file := header + ",name,Nom\n"
			_, err := clients.ReadImport(strings.NewReader(file), clients.ImportOptions{})
			if !fault.Is(err, fault.RepeatedColumn) {
				t.Errorf("header %q: %v", header, err)
			}
		}
	}
}

func hasMember(f *sync.Field, name string) bool {
	for _, m := range f.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// TestImportRoundTrip: whatever a spreadsheet writes comes in as it was, under
// the row number that the spreadsheet shows.
func TestImportRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[A-Za-z0-9éèÉç,;"'&\n-]([ A-Za-z0-9éèÉç,;"'&\n-]{0,12}[A-Za-zé"-])?`)
		rows := rapid.SliceOfN(rapid.SliceOfN(text, 2, 2), 0, 12).Draw(t, "rows")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Comma = rapid.SampledFrom([]rune{',', ';', '\t'}).Draw(t, "separator")
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		if err := errors.Join(w.Write([]string{"Nom", "Note"}), w.WriteAll(rows)); err != nil {
			t.Fatal(err)
		}
		data := file.Bytes()
		if rapid.Bool().Draw(t, "windows") {
			data, _ = charmap.Windows1252.NewEncoder().Bytes(data)
		}
		im, err := clients.ReadImport(bytes.NewReader(data), clients.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range rows {
			if strings.TrimSpace(want[0]+want[1]) == "" {
				continue
			}
			got, wrong, err := im.Next()
			if err != nil {
				t.Fatal(err)
			}
			name := strings.Join(strings.Fields(want[0]), " ")
			if name == "" {
				if len(wrong) != 1 || wrong[0].Row != i+2 {
					t.Fatalf("row %d without a name: %v", i+2, wrong)
				}
				continue
			}
			note, _ := got.Fields["note"].(string)
			if got.Number != i+2 || got.Fields["name"] != name || note != strings.TrimSpace(want[1]) {
				t.Fatalf("row %d: got %d %v, want %q", i+2, got.Number, got.Fields, want)
			}
		}
	})
}
