package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const (
	secretBytes   = 32
	secretChars   = 43 // of 32 bytes in base64url without padding
	maxTokenChars = 256
)

// tokenHash is what is kept of a token. A token has 256 random bits, so one
// fast hash is enough: there is nothing to guess.
type tokenHash [sha256.Size]byte

func (h tokenHash) String() string { return hex.EncodeToString(h[:]) }

// parseHash reads what String wrote; anything else is the zero hash, which no
// token has.
func parseHash(s string) tokenHash {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return tokenHash{}
	}
	return tokenHash(b)
}

// newToken makes a token of a workspace: its name, which tells where to look,
// and a secret.
func newToken(workspace string) string {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	return workspace + "." + base64.RawURLEncoding.EncodeToString(secret)
}

// parseToken splits a token into the workspace's name and the hash to look up.
func parseToken(token string) (workspace string, hash tokenHash, ok bool) {
	if workspace = WorkspaceOf(token); workspace == "" {
		return "", tokenHash{}, false
	}
	return workspace, hashToken(token), true
}

// WorkspaceOf is the name of the workspace that a token says it is of, whether
// or not there are such a workspace and such a token; "" for what is no token.
func WorkspaceOf(token string) string {
	dot := strings.LastIndexByte(token, '.')
	if dot < 1 || len(token) > maxTokenChars || len(token)-dot-1 != secretChars {
		return ""
	}
	return token[:dot]
}

// hashToken hashes all of the token, so that a secret counts only in the
// workspace that it was made for.
func hashToken(token string) tokenHash {
	var buf [maxTokenChars]byte // keeps the conversion off the heap
	return sha256.Sum256(append(buf[:0], token...))
}
