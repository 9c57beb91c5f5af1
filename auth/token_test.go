package auth

import (
	"strings"
	"testing"
)

func TestTokenLeadsToItsWorkspace(t *testing.T) {
	t.Parallel()
	token := newToken("demo-2")
	name, hash, ok := parseToken(token)
	if !ok || name != "demo-2" || WorkspaceOf(token) != name {
		t.Fatalf("parse gives %q, %v, and the workspace is %q", name, ok, WorkspaceOf(token))
	}
	if back := parseHash(hash.String()); back != hash {
		t.Errorf("hash %s reads back as %s", hash, back)
	}
	if strings.Contains(hash.String(), token[7:]) {
		t.Error("the hash shows the secret")
	}
	if newToken("demo-2") == token {
		t.Error("two tokens are the same")
	}
}

func TestSecretCountsInItsOwnWorkspaceOnly(t *testing.T) {
	t.Parallel()
	token := newToken("ours")
	_, ours, _ := parseToken(token)
	_, theirs, ok := parseToken("theirs" + token[len("ours"):])
	if !ok || ours == theirs {
		t.Error("the same secret has the same hash under another name")
	}
}

func TestParseTokenRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	secret := newToken("x")[2:]
	for _, token := range []string{
		"", ".", "demo", "demo.", "." + secret, secret, "demo." + secret[1:], "demo." + secret + "A",
		strings.Repeat("a", maxTokenChars) + "." + secret,
	} {
		if _, _, ok := parseToken(token); ok || WorkspaceOf(token) != "" {
			t.Errorf("%q is taken for a token", token)
		}
	}
}
