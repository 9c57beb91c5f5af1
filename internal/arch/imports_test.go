package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule says what the files of one folder may import of ours. An entry that
// ends in "/..." covers everything below.
type rule struct {
	may   []string
	tests []string // and their tests besides
	kit   bool     // made for tests: imported by tests and other kits only
}

// rules is docs/architecture.md's table of folders. The direction may not
// turn round: what stands lower knows nothing of what stands higher.
func rules() map[string]rule {
	domains := []string{"company", "clients", "tasks"}
	bench := []string{"sync/enginetest", "store/sqlite", "store/mongo", "store/faulty", "store/faultnet", "store/storetest", "store/mongotest"}
	return map[string]rule{
		"cmd/enroute": {may: []string{"..."}},
		"config":      {},

		"cluster":            {tests: []string{"cluster/ledgertest"}},
		"cluster/ledgertest": {may: []string{"cluster"}, kit: true},

		"sync":            {may: []string{"internal/..."}, tests: join(bench, "sync")},
		"sync/enginetest": {may: join(bench, domains, "sync", "internal/..."), kit: true},
		"sync/simulate":   {may: join(bench, domains, "sync", "auth", "device", "store/archive", "internal/..."), kit: true},

		"company": {may: []string{"sync", "internal/..."}, tests: bench},
		"clients": {may: []string{"sync", "company", "internal/..."}, tests: bench},
		"tasks":   {may: []string{"sync", "company", "clients", "internal/..."}, tests: bench},

		"store/sqlite":    {may: []string{"sync", "store/listing", "internal/..."}, tests: join(bench, "store/faultdisk")},
		"store/mongo":     {may: []string{"sync", "cluster", "store/listing", "internal/..."}, tests: join(bench, "cluster/ledgertest")},
		"store/listing":   {may: []string{"sync", "internal/..."}},
		"store/mongotest": {tests: []string{"store/faultnet"}, kit: true},
		"store/archive":   {may: []string{"sync", "internal/..."}, tests: bench},
		"store/storetest": {may: []string{"sync", "internal/..."}, kit: true},
		"store/faulty":    {may: []string{"sync", "internal/..."}, tests: bench, kit: true},
		"store/faultdisk": {kit: true},
		"store/faultnet":  {kit: true},

		"auth":   {may: []string{"sync", "company", "internal/..."}, tests: bench},
		"web":    {may: join(domains, "sync", "auth", "internal/..."), tests: join(bench, "device")},
		"device": {may: []string{"internal/..."}, tests: join(bench, domains, "sync", "auth", "web")},

		"demo":         {may: join(domains, "sync", "auth", "internal/..."), tests: bench},
		"demo/gen":     {},
		"device/fleet": {may: []string{"device", "internal/..."}},
		"bench":        {may: join(domains, "sync", "auth", "web", "device", "demo", "store/sqlite", "internal/...")},

		"deploy": {tests: []string{"config"}},

		"internal/arch":    {},
		"internal/fault":   {},
		"internal/fold":    {},
		"internal/members": {},
	}
}

// modules are the foreign modules and the folders that may use them; nil is
// everybody, tests and kits always.
func modules() map[string][]string {
	return map[string][]string{
		"github.com/google/uuid":              nil,
		"golang.org/x/sync":                   nil,
		"golang.org/x/text":                   nil,
		"github.com/gofiber/fiber/v2":         {"web", "bench"},
		"github.com/valyala/fasthttp":         {"web", "bench"},
		"github.com/prometheus/client_golang": {"web"},
		"github.com/andybalholm/brotli":       {},
		"github.com/klauspost/compress":       {"web", "store/archive"},
		"github.com/nyaruka/phonenumbers":     {"company"},
		"github.com/alexedwards/argon2id":     {"auth"},
		"golang.org/x/crypto":                 {"auth"},
		"go.mongodb.org/mongo-driver/v2":      {"store/mongo", "bench"},
		"modernc.org/sqlite":                  {"store/sqlite", "bench"},
		"modernc.org/libc":                    {},
		"github.com/compose-spec/compose-go":  {},
		"pgregory.net/rapid":                  {},
		"go.uber.org/goleak":                  {},
	}
}

// standard are the packages of the standard library that are kept at the edge.
func standard() map[string][]string {
	return map[string][]string{
		"testing":      {},
		"database/sql": {"store/sqlite", "bench"},
		"unsafe":       {},
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	files := sources(t, repository())
	if len(files) < 20 {
		t.Fatalf("only %d files were read", len(files))
	}
	expect(t, imports(files))
}

func TestEveryRuleIsForAFolder(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, s := range sources(t, repository()) {
		there[s.folder] = true
	}
	for folder := range rules() {
		if !there[folder] {
			t.Errorf("there is a rule for %s, but no such folder", folder)
		}
	}
}

func TestImportsFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, imported, want string }{
		"upwards":          {"sync/x.go", module + "company", "sync/x.go: sync may not import company"},
		"a store in web":   {"web/x.go", module + "store/sqlite", "web may not import store/sqlite"},
		"config in a test": {"tasks/x_test.go", module + "config", "tasks may not import config"},
		"no rule":          {"util/x.go", "fmt", "no rule for folder util"},
		"a kit":            {"cmd/enroute/x.go", module + "store/faulty", "store/faulty is made for tests"},
		"the driver":       {"sync/x.go", "modernc.org/sqlite", "sync may not import modernc.org/sqlite"},
		"rapid in code":    {"sync/x.go", "pgregory.net/rapid", "sync may not import pgregory.net/rapid"},
		"unknown module":   {"web/x.go", "example.com/nice", "no rule for module example.com/nice"},
		"standard library": {"auth/x.go", "database/sql", "auth may not import database/sql"},
		"testing in code":  {"web/x.go", "testing", "web may not import testing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := planted(map[string]string{
				c.file:          fmt.Sprintf("package x\nimport _ %q\n", c.imported),
				"sync/fine.go":  "package sync\nimport _ \"" + module + "internal/fault\"\nimport _ \"sync\"\n",
				"web/x_test.go": "package web\nimport _ \"" + module + "store/sqlite\"\nimport _ \"testing\"\n",
			})
			expectFound(t, imports(sources(t, tree)), c.want)
		})
	}
}

// imports finds what a file imports against the rules.
func imports(files []*source) []string {
	table := rules()
	var out []string
	homeless := map[string]bool{}
	for _, s := range files {
		r, ok := table[s.folder]
		if !ok && !homeless[s.folder] {
			homeless[s.folder] = true
			out = append(out, "no rule for folder "+s.folder+": give it a place in the table")
		}
		if !ok {
			continue
		}
		for _, spec := range s.file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				out = append(out, s.path+": "+err.Error())
				continue
			}
			if why := refuse(s, r, name, table); why != "" {
				out = append(out, s.path+": "+why)
			}
		}
	}
	return out
}

// refuse says why the file may not import the package; "" if it may.
func refuse(s *source, r rule, name string, table map[string]rule) string {
	if ours, ok := strings.CutPrefix(name, module); ok {
		return refuseOurs(s, r, ours, table)
	}
	limits, known := standard()[name], true
	if strings.Contains(strings.SplitN(name, "/", 2)[0], ".") {
		limits, known = foreignModule(name)
	} else if _, limited := standard()[name]; !limited {
		return ""
	}
	switch {
	case !known:
		return "no rule for module " + name
	case limits == nil, s.test, r.kit, slices.Contains(limits, s.folder):
		return ""
	}
	return s.folder + " may not import " + name
}

func refuseOurs(s *source, r rule, ours string, table map[string]rule) string {
	if table[ours].kit && !s.test && !r.kit {
		return ours + " is made for tests"
	}
	may := r.may
	if s.test {
		may = join(r.may, r.tests, s.folder)
	}
	if slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, ours) }) {
		return ""
	}
	return s.folder + " may not import " + ours
}

func matches(pattern, folder string) bool {
	prefix, below := strings.CutSuffix(pattern, "...")
	if below {
		return strings.HasPrefix(folder+"/", prefix)
	}
	return folder == pattern
}

func foreignModule(name string) (folders []string, known bool) {
	for m, folders := range modules() {
		if name == m || strings.HasPrefix(name, m+"/") {
			return folders, true
		}
	}
	return nil, false
}

// join lists and single names.
func join(parts ...any) []string {
	var out []string
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			out = append(out, v)
		case []string:
			out = append(out, v...)
		}
	}
	return out
}
