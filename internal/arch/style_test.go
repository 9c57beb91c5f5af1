package arch

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	longestFunction = 80
	longestFile     = 600
	usualFunction   = 40 // nine in ten stay below
)

func TestFunctionsAreShort(t *testing.T) {
	t.Parallel()
	files := sources(t, repository())
	expect(t, longFunctions(files))
	lengths := functionLengths(files)
	tenth := lengths[len(lengths)*9/10]
	t.Logf("%d functions: median %d lines, nine in ten up to %d, longest %d",
		len(lengths), lengths[len(lengths)/2], tenth, lengths[len(lengths)-1])
	if tenth > usualFunction {
		t.Errorf("a tenth of the functions is longer than %d lines", tenth)
	}
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	expect(t, longFiles(sources(t, repository())))
}

func TestTestsWaitForEvents(t *testing.T) {
	t.Parallel()
	expect(t, forbiddenInTests(sources(t, repository())))
}

func TestNothingIsLeftToDo(t *testing.T) {
	t.Parallel()
	expect(t, leftovers(t, sources(t, repository())))
}

func TestPackagesAreNamedForWhatTheyDo(t *testing.T) {
	t.Parallel()
	expect(t, bags(sources(t, repository())))
}

func TestStyleFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	long := "package x\nfunc f() {\n" + strings.Repeat("\t_ = 1\n", longestFunction) + "}\n"
	for name, c := range map[string]struct{ file, content, want string }{
		"long function": {"a/x.go", long, "f has 82 lines"},
		"long file":     {"a/x.go", "package x\n" + strings.Repeat("// why\n", longestFile), "601 lines"},
		"sleep":         {"a/x_test.go", "package x\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "time.Sleep"},
		"skip":          {"a/x_test.go", "package x\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Skip() }\n", "Skip"},
		"to do":         {"a/x.go", "package x\n// TO" + "DO: later\n", "a/x.go:2"},
		"init":          {"a/x.go", "package x\nfunc init() {}\n", "init"},
		"bag":           {"a/util/x.go", "package util\n", "util"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := sources(t, planted(map[string]string{
				c.file:           c.content,
				"a/fine_test.go": "package x\nvar _ = func(t *rapid.T) { t.Skip() }\n",
				"a/fine.go":      "package x\nimport \"time\"\n// f waits.\nfunc f() { time.Sleep(1) }\n",
			}))
			found := slices.Concat(longFunctions(files), longFiles(files), forbiddenInTests(files), leftovers(t, files), bags(files))
			expectFound(t, found, c.want)
		})
	}
}

func longFunctions(files []*source) []string {
	var out []string
	functions(files, func(s *source, f *ast.FuncDecl, lines int) {
		if lines > longestFunction {
			out = append(out, fmt.Sprintf("%s:%d: %s has %d lines", s.path, s.line(f.Pos()), f.Name.Name, lines))
		}
	})
	return out
}

func functionLengths(files []*source) []int {
	var out []int
	functions(files, func(_ *source, _ *ast.FuncDecl, lines int) { out = append(out, lines) })
	slices.Sort(out)
	return out
}

// functions visits every function of the program; tests, whose tables may be
// long, are left out.
func functions(files []*source, visit func(s *source, f *ast.FuncDecl, lines int)) {
	for _, s := range files {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				visit(s, f, s.line(f.End())-s.line(f.Pos())+1)
			}
		}
	}
}

func longFiles(files []*source) []string {
	var out []string
	for _, s := range files {
		if s.lines > longestFile && !ast.IsGenerated(s.file) {
			out = append(out, fmt.Sprintf("%s has %d lines", s.path, s.lines))
		}
	}
	return out
}

// forbiddenInTests finds tests that sleep or that leave themselves out. (To
// discard one sample of a property is something else: rapid draws another.)
func forbiddenInTests(files []*source) []string {
	var out []string
	for _, s := range files {
		if !s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncLit); ok && takesRapid(f) {
				return false
			}
			if name := called(n); name == "time.Sleep" || strings.HasPrefix(name, "t.Skip") || strings.HasPrefix(name, "b.Skip") {
				out = append(out, fmt.Sprintf("%s:%d: %s", s.path, s.line(n.Pos()), name))
			}
			return true
		})
	}
	return out
}

// called is what a selector names, as "time.Sleep"; "" for other nodes.
func called(n ast.Node) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

// takesRapid says whether the function is one that rapid.Check runs.
func takesRapid(f *ast.FuncLit) bool {
	for _, p := range f.Type.Params.List {
		if star, ok := p.Type.(*ast.StarExpr); ok && called(star.X) == "rapid.T" {
			return true
		}
	}
	return false
}

// leftovers finds notes about unfinished work, and init functions.
func leftovers(t *testing.T, files []*source) []string {
	t.Helper()
	note := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	var out []string
	for _, s := range files {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if note.MatchString(c.Text) {
					out = append(out, fmt.Sprintf("%s:%d: %s", s.path, s.line(c.Pos()), c.Text))
				}
			}
		}
	}
	functions(files, func(s *source, f *ast.FuncDecl, _ int) {
		if f.Recv == nil && f.Name.Name == "init" {
			out = append(out, fmt.Sprintf("%s:%d: init runs unasked", s.path, s.line(f.Pos())))
		}
	})
	return out
}

// bags are packages into which anything fits.
func bags(files []*source) []string {
	var out []string
	for _, s := range files {
		if slices.Contains([]string{"util", "utils", "common", "helpers", "misc", "base"}, path.Base(s.folder)) {
			out = append(out, s.path+": a package called "+path.Base(s.folder)+" says nothing")
		}
	}
	return out
}
