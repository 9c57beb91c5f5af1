package clients_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/sync"
)

// FuzzImport: no file makes the reader crash, run on, give a row twice, or
// give what is no JSON.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		"Nom;Ville\nA;Laval\n", "name,position.lat\nA,45.5\nB,x\n", "Nom\n\"a\nb\"\n\"c", "\ufeffNom\t Téléphone\r\n\"x\"\t1\r\n",
		"Nom\xe9;name\n", "Nom,custom.a,externalIds.b\nA,1,2\n,\n\"\"\"\n", "Nom\rA\rB", "\xff\xfeN\x00o\x00m\x00\n\x00A\x00",
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, ignore bool) {
		im, err := clients.ReadImport(bytes.NewReader(data), clients.ImportOptions{IgnoreUnknown: ignore})
		if err != nil {
			return
		}
		last := 1
		for range len(data) + 2 {
			row, wrong, err := im.Next()
			if err != nil {
				return
			}
			number := row.Number
			if wrong != nil {
				number = wrong[0].Row
			}
			if number <= last {
				t.Fatalf("row %d after row %d", number, last)
			}
			last = number
			if wrong == nil {
				checkFields(t, row.Fields)
			}
		}
		t.Fatal("the file does not end")
	})
}

func checkFields(t *testing.T, f sync.Fields) {
	t.Helper()
	if name, ok := f["name"].(string); !ok || name == "" {
		t.Fatalf("a row without a name: %v", f)
	}
	b, err := json.Marshal(f)
	if err != nil || !utf8.Valid(b) {
		t.Fatalf("%v is no JSON: %v", f, err)
	}
}

// FuzzDialects: a table comes in as it is, whatever separator, encoding and
// ends of lines the program that wrote it uses.
func FuzzDialects(f *testing.F) {
	for i := range uint8(16) {
		f.Add("Forêt & Fils", "12, rue de l'Épinette; \"porte\" A\tB", i)
		f.Add("a\nb", "=x\n\ny", i)
	}
	f.Fuzz(func(t *testing.T, name, note string, dialect uint8) {
		if !utf8.ValidString(name) || !utf8.ValidString(note) || strings.ContainsAny(name+note, "\r\ufeff\ufffd") || len(name)+len(note) > 10_000 {
			return // no cell of a spreadsheet
		}
		rows := [][]string{{"Nom", "Note"}, {name, note}, {"last", note}}
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Comma = []rune{',', ';', '\t'}[dialect%3]
		w.UseCRLF = dialect&4 != 0
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		data, err := []encoding.Encoding{
			encoding.Nop, charmap.Windows1252, unicode.UTF8BOM,
			unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		}[dialect%5].NewEncoder().Bytes(file.Bytes())
		if err != nil || dialect%5 == 1 && utf8.Valid(data) && !ascii(data) {
			return // cannot be written so, or reads as UTF-8 as well
		}
		rowsRead, wrong := readAll(t, data, clients.ImportOptions{})
		var got [][]string
		for _, r := range rowsRead {
			text, _ := r.Fields["note"].(string)
			got = append(got, []string{r.Fields["name"].(string), text})
		}
		want := [][]string{{strings.Join(strings.Fields(name), " "), strings.TrimSpace(note)}, {"last", strings.TrimSpace(note)}}
		if want[0][0] == "" {
			want = want[1:]
			if blank := want[0][1] == ""; blank != (wrong == nil) {
				t.Fatalf("a row without a name: %v", wrong)
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q comes in as %q, want %q; %v", data, got, want, wrong)
		}
		if n := rowsRead[len(rowsRead)-1].Number; n != len(rows) {
			t.Fatalf("the last of %d rows has the number %d", len(rows), n)
		}
	})
}

func ascii(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}

// FuzzCell: a cell is told to be wrong under the name of its column, or is a
// value of the field's type, which the rules of clients then judge.
func FuzzCell(f *testing.F) {
	columns := []string{"discountPercent", "position.lat", "creditLimit", "disabled", "language", "address.country", "currency", "assignedEmployeeIds", "note", "phone", "custom.x"}
	for i, values := range [][]string{
		{"12,5 %", "1\u00a0234,5", "1e400", "0x1p-2", "-0", "1,2,3"}, {"45.5", "NaN", "+Inf"}, {"100", "1.0", "9007199254740993", "-5"}, {"Oui", "x", "maybe"}, {"Français", "fr-ca", "en_US", "x"},
		{"États-Unis", "CA"}, {"cad", "ß"}, {"a,b;c|d e", ",;"}, {"a\r\nb"}, {"514 555-0123 poste 2"}, {"\x00"},
	} {
		for _, v := range values {
			f.Add(uint8(i), v)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, cell string) {
		name := columns[int(which)%len(columns)]
		var file bytes.Buffer
		if err := csv.NewWriter(&file).WriteAll([][]string{{"name", name}, {"n", cell}}); err != nil || !utf8.ValidString(cell) {
			return
		}
		rows, wrong := readAll(t, file.Bytes(), clients.ImportOptions{})
		if len(wrong) > 0 {
			if wrong[0].Row != 2 || wrong[0].Field.Field != name {
				t.Fatalf("%s = %q: %v", name, cell, wrong)
			}
			return
		}
		checkFields(t, rows[0].Fields)
		path := strings.Split(name, ".")
		v := any(rows[0].Fields)
		for _, member := range path {
			m, _ := v.(map[string]any)
			v = m[member]
		}
		checkCell(t, name, cell, v)
	})
}

func checkCell(t *testing.T, name, cell string, v any) {
	t.Helper()
	if (v == nil) != (strings.TrimSpace(cell) == "") {
		t.Fatalf("%s = %q is %v", name, cell, v)
	}
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) || name == "creditLimit" && (v != math.Trunc(v) || math.Abs(v) > 1<<53) {
			t.Fatalf("%s = %q is %v", name, cell, v)
		}
		if strings.ContainsFunc(strings.TrimSpace(cell), func(r rune) bool { return !strings.ContainsRune("0123456789+-.,eE% \u00a0\u202f", r) }) {
			t.Fatalf("%s = %q is taken for the number %v", name, cell, v)
		}
	case []any:
		for _, id := range v {
			if strings.ContainsAny(id.(string), ",;| \t\n") || id == "" {
				t.Fatalf("%s = %q holds the id %q", name, cell, id)
			}
		}
	}
}
