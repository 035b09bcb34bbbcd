package bridge

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxVariables bounds the variables of a rule, so that their values fit in an array.
const maxVariables = 16

// values are the values of a rule's variables, in the order of its topic.
type values [maxVariables]string

// class says what a variable may stand for.
type class uint8

const (
	level  class = iota // text in one level
	word                // letters, digits and _, one at least
	number              // digits, one at least
	rest                // levels, to the end of the topic
)

// excludes reports whether no value of the class contains r. Topic names never
// contain +, # and U+0000 (MQTT 5 sections 4.7.1.1 and 4.7.3).
func (c class) excludes(r rune) bool {
	switch c {
	case word:
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	case number:
		return r < '0' || r > '9'
	case rest:
		return r == '+' || r == '#' || r == 0
	default:
		return r == '/' || r == '+' || r == '#' || r == 0
	}
}

// takes reports whether s is a value of the class.
func (c class) takes(s string) bool {
	if s == "" {
		return c == level || c == rest
	}
	for i, r := range s {
		if c.excludes(r) {
			return false
		}
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return false // no UTF-8
		}
	}
	return true
}

// part is one variable of a template, and the text behind it.
type part struct {
	variable int
	literal  string
}

// template is a text with variables.
type template struct {
	head  string // text before the first variable
	parts []part
}

// match takes s apart. The value of a variable ends at the first place where the
// text behind it follows; the last one ends where the text behind it ends s.
// Variables that are in set have a value, which must be the same here.
func (t *template) match(s string, v *values, set *uint32) bool {
	s, ok := strings.CutPrefix(s, t.head)
	if !ok {
		return false
	}
	if len(t.parts) == 0 {
		return s == ""
	}
	last := len(t.parts) - 1
	for i, p := range t.parts {
		var value string
		if i == last {
			value, ok = strings.CutSuffix(s, p.literal)
		} else {
			value, s, ok = strings.Cut(s, p.literal)
		}
		bit := uint32(1) << p.variable
		if !ok || *set&bit != 0 && v[p.variable] != value {
			return false
		}
		v[p.variable] = value
		*set |= bit
	}
	return true
}

// build is the inverse of match. It allocates only where text and values are joined.
func (t *template) build(v *values) string {
	switch {
	case len(t.parts) == 0:
		return t.head
	case len(t.parts) == 1 && t.head == "" && t.parts[0].literal == "":
		return v[t.parts[0].variable]
	}
	n := len(t.head)
	for _, p := range t.parts {
		n += len(v[p.variable]) + len(p.literal)
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(t.head)
	for _, p := range t.parts {
		b.WriteString(v[p.variable])
		b.WriteString(p.literal)
	}
	return b.String()
}

func (t *template) has(variable int) bool {
	for _, p := range t.parts {
		if p.variable == variable {
			return true
		}
	}
	return false
}

// apart reports the first variable that nothing separates from the next; -1 if there is none.
func (t *template) apart() int {
	for i := range len(t.parts) - 1 {
		if t.parts[i].literal == "" {
			return i
		}
	}
	return -1
}

// ambiguous reports the first variable whose end cannot be told; -1 if there is none. The end
// can be told when the text behind contains a character which no value has: an occurrence of
// the text that begins within the value would have that character too early.
func (t *template) ambiguous(classes []class) int {
	for i := range len(t.parts) - 1 {
		p := t.parts[i]
		if !strings.ContainsFunc(p.literal, classes[p.variable].excludes) {
			return i
		}
	}
	return -1
}

// variable is a variable as a topic declares it.
type variable struct {
	name  string
	class class
}

var (
	errBrace    = errors.New("a brace has no partner: double the one that is meant as text")
	errWildcard = errors.New("wildcards are written as variables: {name} for +, {name...} for # at the end")
	errRest     = errors.New("must be the whole last level")
)

// parseTemplate takes a template apart. found is called for the inside of each pair of
// braces and returns the index of that variable.
func parseTemplate(s string, found func(inside string) (int, error)) (template, error) {
	var t template
	var text strings.Builder
	flush := func() {
		if len(t.parts) == 0 {
			t.head = text.String()
		} else {
			t.parts[len(t.parts)-1].literal = text.String()
		}
		text.Reset()
	}
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			text.WriteString(s)
			break
		}
		text.WriteString(s[:i])
		s = s[i:]
		if strings.HasPrefix(s, "{{") || strings.HasPrefix(s, "}}") {
			text.WriteByte(s[0])
			s = s[2:]
			continue
		}
		end := strings.IndexByte(s, '}')
		if s[0] == '}' || end < 0 {
			return t, errBrace
		}
		n, err := found(s[1:end])
		if err != nil {
			return t, err
		}
		flush()
		t.parts = append(t.parts, part{variable: n})
		s = s[end+1:]
	}
	flush()
	return t, nil
}

// declare reads the inside of braces in a topic: name, name:word, name:number or name...
func declare(inside string) (variable, error) {
	v := variable{name: inside}
	if name, ok := strings.CutSuffix(inside, "..."); ok {
		v.name, v.class = name, rest
	} else if name, kind, ok := strings.Cut(inside, ":"); ok {
		v.name = name
		switch kind {
		case "word":
			v.class = word
		case "number":
			v.class = number
		default:
			return v, fmt.Errorf("variable {%s}: what is behind the colon must be word or number", inside)
		}
	}
	if !word.takes(v.name) {
		return v, fmt.Errorf("variable {%s}: a name has letters, digits and _", inside)
	}
	return v, nil
}
