package arch

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestLinks follows every relative link of the documentation.
func TestLinks(t *testing.T) {
	t.Parallel()
	expect(t, brokenLinks(t, repository()))
}

func TestLinksFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	fine := "# A title, and more\n[x](a.md#a-title-and-more) [x](../LICENSE) [x](https://a.example/b) [x](#a-title-and-more)\n"
	for broken, want := range map[string]string{
		"[x](b.md)": "b.md", "[x](a.md#nowhere)": "#nowhere", "[x](#nowhere)": "#nowhere",
	} {
		tree := planted(map[string]string{"docs/a.md": fine + broken, "LICENSE": ""})
		expectFound(t, brokenLinks(t, tree), want)
	}
}

// TestDecisionsAreListed compares the folder with its table of contents.
func TestDecisionsAreListed(t *testing.T) {
	t.Parallel()
	tree := repository()
	list, err := fs.ReadFile(tree, "docs/decisions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(tree, "docs/decisions/0*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for _, f := range files {
		if !strings.Contains(string(list), "("+path.Base(f)+")") {
			t.Errorf("%s is not in the list", f)
		}
	}
}

func brokenLinks(t *testing.T, tree fs.FS) []string {
	t.Helper()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	anchors := map[string]map[string]bool{}
	each(t, tree, func(name string, content []byte) {
		if path.Ext(name) == ".md" {
			anchors[name] = headings(string(content))
		}
	})
	var out []string
	each(t, tree, func(name string, content []byte) {
		if path.Ext(name) != ".md" {
			return
		}
		for _, m := range link.FindAllStringSubmatch(string(content), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path.Join(path.Dir(name), file)
			if file == "" {
				target = name
			}
			_, err := fs.Stat(tree, target)
			if err != nil || anchor != "" && !anchors[target][anchor] {
				out = append(out, fmt.Sprintf("%s links to %s", name, m[1]))
			}
		}
	})
	return out
}

// headings as GitHub turns them into anchors.
func headings(content string) map[string]bool {
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(content, -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(kept, " ", "-")] = true
	}
	return out
}
