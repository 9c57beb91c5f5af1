package web

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/enroute-field/enroute/internal/fault"
)

// maxDepth is how deep arrays and objects of a request may be nested.
const maxDepth = 32

// decodeJSON reads one JSON text (RFC 8259) into the values encoding/json
// would give: nil, bool, float64, string, []any and map[string]any. It is
// stricter: nothing may follow the text, the bytes must be UTF-8, no object
// may name a member twice (two parsers could choose differently), and the
// nesting is bounded. Its errors are faults of status 400.
func decodeJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fault.New(fault.BadUTF8)
	}
	p := parser{text: text}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at != len(p.text) {
		return nil, p.malformed()
	}
	return v, nil
}

// parser stands at a byte of the text.
type parser struct {
	text []byte
	at   int
}

func (p *parser) malformed() error {
	return fault.New(fault.MalformedJSON, "at", strconv.Itoa(p.at))
}

// peek is the byte at hand, 0 at the end (which no JSON token begins with).
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// take steps over the byte if it is at hand.
func (p *parser) take(b byte) bool {
	if p.peek() != b {
		return false
	}
	p.at++
	return true
}

func (p *parser) value(depth int) (any, error) {
	p.space()
	switch b := p.peek(); b {
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case '"':
		return p.str()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	default:
		return p.number()
	}
}

func (p *parser) word(w string) error {
	if !bytes.HasPrefix(p.text[p.at:], []byte(w)) {
		return p.malformed()
	}
	p.at += len(w)
	return nil
}

func (p *parser) object(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fault.New(fault.TooDeep, "max", strconv.Itoa(maxDepth))
	}
	p.at++
	m := map[string]any{}
	p.space()
	if p.take('}') {
		return m, nil
	}
	for {
		if err := p.member(m, depth); err != nil {
			return nil, err
		}
		if p.take('}') {
			return m, nil
		}
		if !p.take(',') {
			return nil, p.malformed()
		}
	}
}

// member reads `"name": value` into m, and the space on both sides.
func (p *parser) member(m map[string]any, depth int) error {
	p.space()
	if p.peek() != '"' {
		return p.malformed()
	}
	name, err := p.str()
	if err != nil {
		return err
	}
	if _, twice := m[name]; twice {
		return fault.New(fault.DuplicateMember, "member", name)
	}
	p.space()
	if !p.take(':') {
		return p.malformed()
	}
	if m[name], err = p.value(depth); err != nil {
		return err
	}
	p.space()
	return nil
}

func (p *parser) array(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fault.New(fault.TooDeep, "max", strconv.Itoa(maxDepth))
	}
	p.at++
	list := []any{}
	p.space()
	if p.take(']') {
		return list, nil
	}
	for {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		p.space()
		if p.take(']') {
			return list, nil
		}
		if !p.take(',') {
			return nil, p.malformed()
		}
	}
}

// str reads a string; its opening quote is at hand.
func (p *parser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) {
		switch b := p.text[p.at]; {
		case b == '"':
			s := string(p.text[start:p.at])
			p.at++
			return s, nil
		case b == '\\':
			return p.escaped(p.text[start:p.at])
		case b < ' ':
			return "", p.malformed()
		default:
			p.at++
		}
	}
	return "", p.malformed()
}

// escaped reads the rest of a string that begins with head and has an escape.
func (p *parser) escaped(head []byte) (string, error) {
	out := append(make([]byte, 0, len(head)+32), head...)
	for p.at < len(p.text) {
		switch b := p.text[p.at]; {
		case b == '"':
			p.at++
			return string(out), nil
		case b == '\\':
			r, ok := p.escape()
			if !ok {
				return "", p.malformed()
			}
			out = utf8.AppendRune(out, r)
		case b < ' ':
			return "", p.malformed()
		default:
			out = append(out, b)
			p.at++
		}
	}
	return "", p.malformed()
}

// simpleEscapes are those of one letter.
var simpleEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads one escape, or two when they are the halves of a character.
// Half a character becomes U+FFFD, as encoding/json has it: a phone must be
// able to send what somebody typed, even an emoji cut in two.
func (p *parser) escape() (rune, bool) {
	p.at++
	if r, ok := simpleEscapes[p.peek()]; ok {
		p.at++
		return r, true
	}
	r, ok := p.hex()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	mark := p.at
	if p.take('\\') {
		if low, ok := p.hex(); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, true
			}
		}
	}
	p.at = mark
	return utf8.RuneError, true
}

// hex reads uXXXX.
func (p *parser) hex() (rune, bool) {
	if p.peek() != 'u' || p.at+5 > len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.text[p.at+1:p.at+5]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 5
	return rune(n), true
}

func (p *parser) digits() bool {
	start := p.at
	for b := p.peek(); b >= '0' && b <= '9'; b = p.peek() {
		p.at++
	}
	return p.at > start
}

func (p *parser) number() (any, error) {
	start := p.at
	p.take('-')
	if !p.take('0') && !p.digits() {
		return nil, p.malformed()
	}
	if p.take('.') && !p.digits() {
		return nil, p.malformed()
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return nil, p.malformed()
		}
	}
	f, err := strconv.ParseFloat(string(p.text[start:p.at]), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, p.malformed()
	}
	return f, nil
}
