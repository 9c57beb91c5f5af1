package web

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"

	br "github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// unpack what a packer has packed.
func unpack(t *testing.T, coding, text string) string {
	t.Helper()
	var in io.Reader = strings.NewReader(text)
	switch coding {
	case "gzip":
		r, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		in = r
	case "br":
		in = br.NewReader(in)
	case "zstd":
		r, err := zstd.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		in = r
	}
	out, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
