package sync

import (
	"encoding/json"
	"slices"
	"strconv"
)

// AppendJSON appends the page's wire form; members without content are left out.
func (p *Page) AppendJSON(b []byte) []byte {
	size := 256 + len(p.Cursor)
	for _, body := range p.Put {
		size += len(body) + 1
	}
	b = slices.Grow(b, size)
	b = append(b, `{"cursor":"`...)
	b = append(b, p.Cursor...) // base64url: nothing to escape
	b = append(b, `","more":`...)
	b = strconv.AppendBool(b, p.More)
	b = append(b, `,"head":`...)
	b = strconv.AppendUint(b, p.Head, 10)
	if p.Reset {
		b = append(b, `,"reset":true`...)
	}
	if len(p.Drop) > 0 {
		b = appendMember(b, "drop", p.Drop)
	}
	if len(p.Remove) > 0 {
		b = appendMember(b, "remove", p.Remove)
	}
	if len(p.Put) > 0 {
		b = append(b, `,"put":[`...)
		for i, body := range p.Put {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, body...)
		}
		b = append(b, ']')
	}
	if p.Digest != nil {
		b = append(b, `,"digest":{"count":`...)
		b = strconv.AppendInt(b, int64(p.Digest.Count), 10)
		b = append(b, `,"sum":"`...)
		b = append(b, hex16(p.Digest.Sum)...)
		b = append(b, `"}`...)
	}
	return append(b, '}')
}

func appendMember(b []byte, name string, v any) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	text, err := json.Marshal(v)
	if err != nil { // strings and keys always encode
		text = []byte("null")
	}
	return append(b, text...)
}
