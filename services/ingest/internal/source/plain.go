package source

import (
	"encoding/json"
	"slices"
	"strings"
)

// plain reads JSON that has nothing odd: no escapes, no character beyond ASCII,
// no member that is there twice or in another case, no null where something is
// wanted. What it refuses is for encoding/json to judge; what it accepts, that
// reads alike, in several times the time.
type plain struct {
	text  []byte
	next  int // what comes next
	depth int
}

// member is one that is wanted of an object.
type member struct {
	name string
	into any // *string, *json.RawMessage or func() bool
}

// end is true where nothing is left.
func (p *plain) end() bool {
	p.space()
	return p.next == len(p.text)
}

func (p *plain) space() {
	for p.next < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.next]) >= 0 {
		p.next++
	}
}

// peek is what comes after the space, 0 where nothing does.
func (p *plain) peek() byte {
	if p.end() {
		return 0
	}
	return p.text[p.next]
}

// take is true where c comes next, and goes past it.
func (p *plain) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.next++
	return true
}

// several reads what stands between two brackets, divided by commas.
func (p *plain) several(open, shut byte, one func() bool) bool {
	const deepest = 100
	if p.depth++; p.depth > deepest || !p.take(open) {
		return false
	}
	for first := true; !p.take(shut); first = false {
		if !first && !p.take(',') || !one() {
			return false
		}
	}
	p.depth--
	return true
}

func (p *plain) list(one func() bool) bool { return p.several('[', ']', one) }

// object reads the members that are wanted and skips the others.
func (p *plain) object(wanted ...member) bool {
	seen := 0
	return p.several('{', '}', func() bool {
		name, ok := p.characters()
		if !ok || !p.take(':') {
			return false
		}
		i := slices.IndexFunc(wanted, func(m member) bool { return strings.EqualFold(m.name, string(name)) })
		if i < 0 {
			return p.skip()
		}
		if wanted[i].name != string(name) || seen&(1<<i) != 0 {
			return false
		}
		seen |= 1 << i
		return p.read(wanted[i].into)
	})
}

func (p *plain) read(into any) bool {
	switch into := into.(type) {
	case *string:
		s, ok := p.characters()
		*into = string(s)
		return ok
	case *json.RawMessage:
		p.space()
		begin := p.next
		ok := p.skip()
		*into = p.text[begin:p.next]
		return ok
	case func() bool:
		return into()
	default:
		return false
	}
}

// characters are those of a string.
func (p *plain) characters() ([]byte, bool) {
	if !p.take('"') {
		return nil, false
	}
	begin := p.next
	for i, c := range p.text[begin:] {
		switch {
		case c == '"':
			p.next = begin + i + 1
			return p.text[begin : begin+i], true
		case c == '\\' || c < ' ' || c > '~':
			return nil, false
		}
	}
	return nil, false
}

// skip goes past a value.
func (p *plain) skip() bool {
	switch p.peek() {
	case '{':
		return p.object()
	case '[':
		return p.list(p.skip)
	case '"':
		_, ok := p.characters()
		return ok
	default:
		return p.word()
	}
}

// word goes past true, false, null or a natural number.
func (p *plain) word() bool {
	begin := p.next
	for p.next < len(p.text) && (isLetter(p.text[p.next]) || isDigit(p.text[p.next])) {
		p.next++
	}
	switch word := string(p.text[begin:p.next]); word {
	case "true", "false", "null", "0":
		return true
	default:
		return word != "" && word[0] != '0' && strings.Trim(word, "0123456789") == ""
	}
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
