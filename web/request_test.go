package web

import (
	"slices"
	"testing"
)

func TestETags(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]struct {
		revs  []uint64
		every bool
	}{
		`"12"`:          {[]uint64{12}, false},
		`W/"12"`:        {[]uint64{12}, false},
		`"1", "2" ,"x"`: {[]uint64{1, 2}, false},
		`*`:             {nil, true},
		`rubbish`:       {nil, false},
		``:              {nil, false},
		`"-1"`:          {nil, false},
		`"0"`:           {nil, false}, // no document has this rev
	} {
		revs, every := etags(header)
		if !slices.Equal(revs, want.revs) || every != want.every {
			t.Errorf("etags(%s) = %v, %v; want %v, %v", header, revs, every, want.revs, want.every)
		}
	}
}

func TestChoosePacking(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]packing{
		"":                        plain,
		"identity":                plain,
		"gzip":                    zipped,
		"gzip, deflate, br":       brotli,
		"gzip, deflate, br, zstd": zst,
		"GZIP":                    zipped,
		"zstd;q=0, gzip;q=0.5":    zipped,
		"br;q=0.1, gzip":          zipped,
		"*":                       zst,
		"*;q=0.5, zstd;q=0":       brotli,
		"gzip;q=0":                plain,
		"gzip;q=nonsense":         plain,
		"gzipped":                 plain,
	} {
		if got := choosePacking(accept); got != want {
			t.Errorf("%q gives %q, want %q", accept, got, want)
		}
	}
}

func TestSaneID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"a-1_B.2": true, "": false, "a b": false, "a\r\nSet-Cookie: x": false, "é": false,
		string(make([]byte, 65)): false,
	} {
		if saneID(id) != want {
			t.Errorf("saneID(%q) = %v", id, !want)
		}
	}
}
