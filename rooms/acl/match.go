package acl

import (
	"slices"
	"strings"

	"siomq/rooms/topic"
)

// A matcher is a topic filter taken apart once, in which two kinds of part stand
// for what the principal is called. What the principal puts in is never read as
// a wildcard. Matching starts with a comparison of the text before the first
// wildcard, which tells most rules apart, and allocates nothing.
type matcher struct {
	head  string       // the text before the first wildcard or name
	rest  []part       // what follows
	plain topic.Filter // the whole, when no part stands for a name
}

type part struct {
	kind partKind
	text string // of partText
}

type partKind uint8

const (
	partText  partKind = iota // this text, slashes included
	partUser                  // %u: the username
	partID                    // %c: the client identifier
	partLevel                 // +
	partBelow                 // /# and its parent: nothing, or a slash and whatever follows
	partAny                   // # alone
)

// newMatcher takes apart a valid filter. With patterns, %u and %c stand for the
// principal.
func newMatcher(filter string, patterns bool) matcher {
	var m matcher
	switch {
	case filter == "#":
		m.rest = []part{{kind: partAny}}
	case strings.HasSuffix(filter, "/#"):
		m.rest = append(newParts(strings.TrimSuffix(filter, "/#"), patterns), part{kind: partBelow})
	default:
		m.rest = newParts(filter, patterns)
	}
	if !slices.ContainsFunc(m.rest, func(t part) bool { return t.kind == partUser || t.kind == partID }) {
		m.plain = topic.Filter(filter)
	}
	if len(m.rest) > 0 && m.rest[0].kind == partText {
		m.head, m.rest = m.rest[0].text, m.rest[1:]
	}
	return m
}

func newParts(s string, patterns bool) []part {
	var m []part
	start := 0
	add := func(end, next int, kind partKind) {
		if end > start {
			m = append(m, part{text: s[start:end]})
		}
		if next > end {
			m = append(m, part{kind: kind})
		}
		start = next
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			add(i, i+1, partLevel)
		case patterns && strings.HasPrefix(s[i:], "%u"):
			add(i, i+2, partUser)
			i++
		case patterns && strings.HasPrefix(s[i:], "%c"):
			add(i, i+2, partID)
			i++
		}
	}
	add(len(s), len(s), partText)
	return m
}

// match reports whether m, written out for p, matches the name as MQTT 5
// section 4.7 says. A part for a name that p does not have matches nothing.
func (m *matcher) match(p *Principal, name string) bool {
	if n := len(m.head); n > 0 {
		// The last byte first: rules for one tree begin alike.
		if len(name) < n || name[n-1] != m.head[n-1] || name[:n] != m.head {
			return false
		}
		name = name[n:]
	} else if name != "" && name[0] == '$' && (m.rest[0].kind == partLevel || m.rest[0].kind == partAny) {
		return false // section 4.7.2
	}
	return m.matchRest(p, name)
}

func (m *matcher) matchRest(p *Principal, name string) bool {
	for i := range m.rest {
		switch m.rest[i].kind {
		case partLevel:
			slash := strings.IndexByte(name, '/')
			if slash < 0 {
				slash = len(name)
			}
			name = name[slash:]
		case partAny:
			return true
		case partBelow:
			return name == "" || name[0] == '/'
		default:
			text, ok := m.rest[i].of(p)
			if !ok || len(name) < len(text) || name[:len(text)] != text {
				return false
			}
			name = name[len(text):]
		}
	}
	return name == ""
}

// of returns the text that a part stands for with p.
func (t *part) of(p *Principal) (text string, ok bool) {
	switch t.kind {
	case partUser:
		return p.Username, p.Username != ""
	case partID:
		return p.ID, p.ID != ""
	}
	return t.text, true
}

// filter writes m out for p.
func (m *matcher) filter(p *Principal) (topic.Filter, bool) {
	if m.plain != "" {
		return m.plain, true
	}
	var b strings.Builder
	b.WriteString(m.head)
	for i := range m.rest {
		switch m.rest[i].kind {
		case partLevel:
			b.WriteByte('+')
		case partAny:
			b.WriteByte('#')
		case partBelow:
			b.WriteString("/#")
		default:
			text, ok := m.rest[i].of(p)
			if !ok {
				return "", false
			}
			b.WriteString(text)
		}
	}
	return topic.Filter(b.String()), true
}

// covers reports whether every name that b matches is matched by a. Neither
// begins with a $; b does not begin with a wildcard.
func covers(a, b topic.Filter) bool {
	as, bs := string(a), string(b)
	for {
		al, arest, amore := strings.Cut(as, "/")
		bl, brest, bmore := strings.Cut(bs, "/")
		switch {
		case al == "#":
			return true
		case bl == "#" || al != "+" && al != bl:
			return false
		case !amore || !bmore:
			return amore == bmore || amore && arest == "#"
		}
		as, bs = arest, brest
	}
}
