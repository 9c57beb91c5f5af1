package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestSyncNames keeps sync.X meaning one thing wherever it is read: our
// package sync exports no name of the standard library's, and no folder below
// it is called like a package that is usually imported beside it.
func TestSyncNames(t *testing.T) {
	t.Parallel()
	expect(t, syncNames(sources(t, repository())))
}

func TestSyncNamesFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"type Pool struct{}": "Pool",
		"func OnceFunc() {}": "OnceFunc",
		"var Map int":        "Map",
		"const Once = 1":     "Once",
	} {
		tree := planted(map[string]string{
			"sync/x.go":    "package sync\ntype pool struct{}\nfunc (pool) Map() {}\n" + content + "\n",
			"company/x.go": "package company\ntype Pool struct{}\n",
		})
		expectFound(t, syncNames(sources(t, tree)), want)
	}
	tree := planted(map[string]string{"sync/errgroup/x.go": "package errgroup\n"})
	expectFound(t, syncNames(sources(t, tree)), "errgroup")
}

func syncNames(files []*source) []string {
	taken := []string{"Cond", "Locker", "Map", "Mutex", "NewCond", "Once", "OnceFunc", "OnceValue", "OnceValues", "Pool", "RWMutex", "WaitGroup"}
	var out []string
	for _, s := range files {
		if s.folder == "sync" && !s.test {
			for _, name := range declared(s.file) {
				if slices.Contains(taken, name) {
					out = append(out, s.path+": sync."+name+" is the standard library's")
				}
			}
		}
		if strings.HasPrefix(s.folder, "sync/") && slices.Contains([]string{"atomic", "errgroup", "synctest", "semaphore", "singleflight"}, path.Base(s.folder)) {
			out = append(out, s.folder+" is called like another well-known package")
		}
	}
	return out
}

// declared are the names at the top level of a file, methods apart.
func declared(f *ast.File) []string {
	var out []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				out = append(out, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				out = append(out, specNames(spec)...)
			}
		}
	}
	return out
}

func specNames(spec ast.Spec) []string {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return []string{s.Name.Name}
	case *ast.ValueSpec:
		var out []string
		for _, n := range s.Names {
			out = append(out, n.Name)
		}
		return out
	}
	return nil
}
