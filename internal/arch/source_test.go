package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/enroute-field/enroute/"

// source is one parsed Go file.
type source struct {
	path   string // relative to the module, with slashes
	folder string
	test   bool
	lines  int
	set    *token.FileSet
	file   *ast.File
}

func (s *source) line(p token.Pos) int { return s.set.Position(p).Line }

// repository is the module this test is part of.
func repository() fs.FS { return os.DirFS("../..") }

// planted is a repository of made-up files, to show that a check finds what
// it is there to find.
func planted(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

// sources parses every Go file of the tree.
func sources(t *testing.T, tree fs.FS) []*source {
	t.Helper()
	var out []*source
	each(t, tree, func(name string, content []byte) {
		if path.Ext(name) != ".go" {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, content, parser.ParseComments)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		out = append(out, &source{
			path: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
			lines: strings.Count(string(content), "\n"), set: set, file: file,
		})
	})
	return out
}

// each calls visit for every file that people write: nothing hidden, built or
// fetched.
func each(t *testing.T, tree fs.FS, visit func(name string, content []byte)) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || foreign()[d.Name()]) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !written(name) {
			return nil
		}
		content, err := fs.ReadFile(tree, name)
		if err == nil {
			visit(name, content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func foreign() map[string]bool {
	return map[string]bool{"testdata": true, "vendor": true, "node_modules": true, "dist": true, "bin": true}
}

// written says by its ending whether a file is source or prose.
func written(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".sh", ".ts", ".svelte", ".css", ".html", ".sql", ".yml", ".yaml":
		return true
	}
	return path.Base(name) == "Makefile" || path.Base(name) == "Dockerfile" || path.Dir(name) == "scripts"
}

// expect fails with the findings, one a line.
func expect(t *testing.T, findings []string) {
	t.Helper()
	for _, f := range findings {
		t.Error(f)
	}
}

// expectFound fails unless the one planted mistake is found.
func expectFound(t *testing.T, findings []string, want string) {
	t.Helper()
	if len(findings) != 1 || !strings.Contains(findings[0], want) {
		t.Errorf("got %q, want one finding about %q", findings, want)
	}
}
