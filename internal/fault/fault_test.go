package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declared reads the codes from the source, so that one without a row in the
// catalogue cannot go unnoticed.
func declared(t *testing.T) []Code {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var codes []Code
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Code" {
				codes = append(codes, literals(t, spec)...)
			}
			return true
		})
	}
	return codes
}

func literals(t *testing.T, spec *ast.ValueSpec) []Code {
	t.Helper()
	var out []Code
	for _, v := range spec.Values {
		s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Code(s))
	}
	return out
}

func placeholders(s string) []string {
	found := regexp.MustCompile(`\{[^}]*\}`).FindAllString(s, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryCodeHasTextsInBothLanguages(t *testing.T) {
	t.Parallel()
	codes := declared(t)
	if len(codes) < 40 {
		t.Fatalf("read only %d codes from the source", len(codes))
	}
	seen := map[Code]bool{}
	for _, c := range codes {
		if seen[c] {
			t.Errorf("%s is declared twice", c)
		}
		seen[c] = true
		e, ok := catalogue[c]
		if !ok {
			t.Errorf("%s has no row in the catalogue", c)
			continue
		}
		if e.en == "" || e.fr == "" || e.en == e.fr {
			t.Errorf("%s needs a text in English and one in French: %q, %q", c, e.en, e.fr)
		}
		if en, fr := placeholders(string(e.en)), placeholders(string(e.fr)); !slices.Equal(en, fr) {
			t.Errorf("%s has other placeholders in English than in French: %v, %v", c, en, fr)
		}
		if c.Title("en") == "" || c.Title("fr") == "" {
			t.Errorf("%s has status %d, which has no title", c, e.status)
		}
	}
	for c := range catalogue {
		if !seen[c] {
			t.Errorf("the catalogue has %q, which is no declared code", c)
		}
	}
	if got := Codes(); len(got) != len(codes) {
		t.Errorf("Codes gives %d of %d codes", len(got), len(codes))
	}
}

func TestProblemIsInTheReadersLanguageAndHidesTheCause(t *testing.T) {
	t.Parallel()
	err := Invalid(At("address.city", TooLong, "max", "200")).Because(errors.New("disk /dev/sda1 is full"))
	for lang, want := range map[string]string{
		"en":    `{"type":"urn:enroute:invalid","title":"Not valid","status":422,"code":"invalid","detail":"Some values are not valid.","errors":[{"field":"address.city","code":"too_long","detail":"This is longer than 200."}]}`,
		"fr-CA": `{"type":"urn:enroute:invalid","title":"Non valide","status":422,"code":"invalid","detail":"Certaines valeurs ne sont pas valides.","errors":[{"field":"address.city","code":"too_long","detail":"Ceci dépasse 200."}]}`,
		"pl":    `{"type":"urn:enroute:invalid","title":"Not valid","status":422,"code":"invalid","detail":"Some values are not valid.","errors":[{"field":"address.city","code":"too_long","detail":"This is longer than 200."}]}`,
	} {
		got, e := json.Marshal(err.Problem(lang))
		if e != nil {
			t.Fatal(e)
		}
		if string(got) != want {
			t.Errorf("in %s\n got %s\nwant %s", lang, got, want)
		}
	}
}

func TestArgumentsAreFilledIn(t *testing.T) {
	t.Parallel()
	e := New(IllegalTransition, "from", "draft", "to", "completed")
	if got, want := e.Detail("fr"), "Une tâche ne peut pas passer de draft à completed."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOfAndIs(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	wrapped := fmt.Errorf("read client: %w", New(NotFound).Because(cause))
	if !Is(wrapped, NotFound) || Is(wrapped, Forbidden) || Is(cause, Internal) {
		t.Error("Is must find the code in a chain, and only there")
	}
	if got := Of(wrapped); got.Code != NotFound || !errors.Is(got, cause) {
		t.Errorf("Of gave %v", got)
	}
	if got := Of(cause); got.Code != Internal || strings.Contains(got.Detail("en"), "refused") {
		t.Errorf("an error without a code must be internal and its text stay hidden: %v", got.Detail("en"))
	}
	if Code("no_such_code").Status() != 500 {
		t.Error("an unknown code must be a failure of ours")
	}
}
