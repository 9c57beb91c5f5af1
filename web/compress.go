package web

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// packFrom is the size in bytes above which answers are compressed.
const packFrom = 1 << 10

// packing is a content coding (RFC 9110, section 8.4.1).
type packing string

const (
	plain  packing = ""
	zipped packing = "gzip"
	brotli packing = "br"
	zst    packing = "zstd"
)

// packings in order of preference.
var packings = [...]packing{zst, brotli, zipped}

// choosePacking picks the best coding that Accept-Encoding allows.
func choosePacking(accept string) packing {
	if accept == "" {
		return plain
	}
	best, quality := plain, 0.0
	for _, p := range packings {
		if q := qualityOf(accept, string(p)); q > quality {
			best, quality = p, q
		}
	}
	return best
}

// qualityOf a coding in Accept-Encoding: 0 when it is not acceptable.
func qualityOf(accept, coding string) float64 {
	quality := 0.0
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != coding && name != "*" {
			continue
		}
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, _ = strconv.ParseFloat(text, 64) // what cannot be read is 0
		}
		if name == coding {
			return q
		}
		quality = q
	}
	return quality
}

// packer compresses. It is safe for use by many goroutines.
type packer struct{ zst *zstd.Encoder }

func newPacker() (*packer, error) {
	// A small window keeps an encoder at well under a megabyte.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make a zstd encoder: %w", err)
	}
	return &packer{enc}, nil
}

func (p *packer) pack(how packing, body []byte) []byte {
	dst := make([]byte, 0, len(body)/3)
	switch how {
	case zst:
		return p.zst.EncodeAll(body, dst)
	case brotli:
		return fasthttp.AppendBrotliBytesLevel(dst, body, fasthttp.CompressBrotliBestSpeed+3)
	case zipped:
		return fasthttp.AppendGzipBytesLevel(dst, body, fasthttp.CompressBestSpeed)
	}
	return body
}

func (p *packer) close() { _ = p.zst.Close() }
