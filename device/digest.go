package device

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
)

// Digest sums up a set of documents: how many there are, and the sum modulo
// 2^64 of FNV-1a-64 over "kind/id@rev" of each.
type Digest struct {
	Count int
	Sum   uint64
}

func (d *Digest) add(doc *Document) {
	d.Count++
	d.Sum += mark(doc)
}

func (d *Digest) take(doc *Document) {
	d.Count--
	d.Sum -= mark(doc)
}

func mark(doc *Document) uint64 {
	h := fnv.New64a()
	b := make([]byte, 0, 96)
	b = append(b, doc.Kind...)
	b = append(b, '/')
	b = append(b, doc.ID...)
	b = append(b, '@')
	b = strconv.AppendUint(b, doc.Rev, 10)
	_, _ = h.Write(b) // never fails
	return h.Sum64()
}

type wireDigest struct {
	Count int    `json:"count"`
	Sum   string `json:"sum"`
}

// MarshalJSON writes the sum as 16 hex digits.
func (d Digest) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireDigest{d.Count, fmt.Sprintf("%016x", d.Sum)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Digest) UnmarshalJSON(b []byte) error {
	var w wireDigest
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("read digest: %w", err)
	}
	sum, err := strconv.ParseUint(w.Sum, 16, 64)
	if err != nil || len(w.Sum) != 16 {
		return fmt.Errorf("read digest: sum %q is not 16 hex digits", w.Sum)
	}
	*d = Digest{w.Count, sum}
	return nil
}
