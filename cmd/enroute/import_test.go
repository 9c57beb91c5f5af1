package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// french is a file as an accounting program in Québec writes it: semicolons,
// Windows-1252, and not all of it right.
const french = "Nom;T\xe9l\xe9phone;Ville;Code postal;Langue;Courriel\r\n" +
	"Fromagerie \xc9toile;450 555-0134;Sept-\xceles;G4R 1A1;Fran\xe7ais;\r\n" + // 2
	"Garage Morin;;Laval;;anglais;personne\r\n" + // 3
	";;Laval;;;\r\n" + // 4
	"FROMAGERIE ETOILE;;;;;\r\n" + // 5
	"Derni\xe8re;;;;;\r\n" // 6

// refused are the lines about the rows of that file that cannot come in.
var refused = []string{"row 3, Courriel: ", "row 4, Nom: This is required.", "row 5", "already has this name"}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func expect(t *testing.T, printed string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(printed, part) {
			t.Errorf("%q is not in:\n%s", part, printed)
		}
	}
}

// clients that somebody sees, by name.
func (p *program) clients(token string) map[string]map[string]any {
	p.t.Helper()
	status, answer := p.ask(http.MethodGet, "/v1/clients?limit=500", token, nil)
	if status != http.StatusOK {
		p.t.Fatalf("list of clients: %d %v", status, answer)
	}
	out := map[string]map[string]any{}
	for _, item := range answer["items"].([]any) {
		c := item.(map[string]any)
		out[c["name"].(string)] = c
	}
	return out
}

func TestImportIntoAFolder(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), writeFile(t, french)
	made, _, _ := run(t, "workspace", "create", "main", "--data", data)
	workspace, email, password := credentials(t, made)

	out, errs, code := run(t, "import", "clients", file, "--data", data)
	if code != exitFailed {
		t.Errorf("exit code %d although rows were refused:\n%s", code, errs)
	}
	expect(t, out, append(refused, "5 rows: 2 imported, 3 refused")...)

	out, _, _ = run(t, "import", "clients", "--data", data, file)
	expect(t, out, "row 2, Nom: ", "row 6, Nom: ", "5 rows: 0 imported, 5 refused")

	p := serve(t, nil, "--data", data)
	got := p.clients(p.login(workspace, email, password))
	if len(got) != 2 || got["Dernière"] == nil {
		t.Fatalf("the workspace has %v", got)
	}
	cheese := got["Fromagerie Étoile"]
	address, _ := cheese["address"].(map[string]any)
	if cheese["phoneE164"] != "+14505550134" || cheese["language"] != "fr" || address["city"] != "Sept-Îles" {
		t.Errorf("it came in as %v", cheese)
	}
	status, history := p.ask(http.MethodGet, "/v1/clients/"+cheese["id"].(string)+"/history", p.login(workspace, email, password), nil)
	cause := history["items"].([]any)[0].(map[string]any)["cause"].(map[string]any)
	if status != http.StatusOK || cause["kind"] != "import" || cause["ref"] != "clients.csv" {
		t.Errorf("history says %v", cause)
	}
}

func TestImportIntoAServer(t *testing.T) {
	t.Parallel()
	file, password := writeFile(t, french), writeFile(t, "enroute-demo\n")
	p := serve(t, nil, "--demo", "--data", t.TempDir())
	flags := []string{"import", "clients", file, "--url", p.url, "--workspace", "demo", "--email", "dispatcher@demo.example", "--password-file"}

	out, errs, code := run(t, append(flags, password)...)
	if code != exitFailed {
		t.Errorf("exit code %d although rows were refused:\n%s", code, errs)
	}
	expect(t, out, "row 3, Courriel: ", "row 4, Nom: ", "already has this name", "5 rows: 2 imported, 3 refused")
	status, answer := p.ask(http.MethodGet, "/v1/clients?q=etoile", p.login("demo", "admin@demo.example", "enroute-demo"), nil)
	if status != http.StatusOK || len(answer["items"].([]any)) != 1 {
		t.Errorf("looking for one of them: %d %v", status, answer)
	}

	_, errs, code = run(t, append(flags, writeFile(t, "wrong"))...)
	if code != exitFailed {
		t.Errorf("exit code %d with a wrong password", code)
	}
	expect(t, errs, "sign in: ", "not right")
}

func TestImportRefusesBeforeAnything(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "none")
	odd := writeFile(t, "Nom,Humeur\nA,bonne\n")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no file":         {[]string{"clients", "nowhere.csv"}, exitFailed, "nowhere.csv"},
		"of what":         {[]string{"tasks", odd}, exitUsage, "usage: enroute import clients FILE.csv"},
		"unknown columns": {[]string{"clients", odd}, exitFailed, `"Humeur"`},
		"no password":     {[]string{"clients", odd, "--ignore-unknown", "--url", "http://127.0.0.1:1"}, exitUsage, "--password-file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := run(t, append([]string{"import", "--data", data}, c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			expect(t, out+errs, c.says)
		})
	}
	out, errs, code := run(t, "import", "clients", writeFile(t, french), "--dry-run", "--lang", "fr", "--data", data)
	if code != exitFailed {
		t.Errorf("exit code %d of a dry run with a bad row:\n%s", code, errs)
	}
	expect(t, out, "row 4, Nom: Ce champ est obligatoire.", "5 rows: 4 ready to import, 1 refused")
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("a folder was made although nothing was imported: %v", err)
	}
}
