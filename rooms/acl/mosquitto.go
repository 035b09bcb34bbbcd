package acl

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"siomq/rooms/topic"
)

// Mosquitto is an ACL file of Mosquitto 2.0, and gives the answers that
// Mosquitto gives. A request goes through the denies of the user, the grants of the
// user, the denies and then the grants of the patterns; the first that matches
// decides, and when none does the answer is no. An empty file refuses all.
//
//   - The lines topic before any line user are for anonymous clients, not for
//     everybody; patterns, wherever they stand, are for everybody.
//   - %u and %c mean something in patterns only. A principal with + or # in its
//     username or identifier matches no pattern at all.
//   - A filter that does not begin with $ covers no topic that does.
//   - Subscribing is never refused; each delivery is decided.
//   - Whatever the file says, nobody writes to $SYS, but for the state of a
//     bridge ($SYS/broker/connection/+/state), and nobody uses $share as a topic.
//
// A Mosquitto is not modified once it is read.
type Mosquitto struct {
	users    map[string]*mosquittoRules // "" is the anonymous
	patterns mosquittoRules
}

type access uint8

const (
	accessRead access = 1 << iota
	accessWrite
)

// mosquittoRules are lines for one user, or patterns. Within each list the order
// does not matter.
type mosquittoRules struct {
	denies []matcher
	grants []mosquittoGrant
}

type mosquittoGrant struct {
	access access
	matcher
}

// ParseMosquitto reads an ACL file. Mosquitto does not start with a file that
// has a line which it does not understand; here that is a [*ParseError] with
// name as its file.
//
// It reads as Mosquitto does: lines end with a line feed, and white space at
// their end is dropped; only a line that begins with # is a comment; spaces, not
// tabs, part the words; a topic goes to the end of its line, spaces
// included; one word after topic or pattern is the topic, even "read". One
// file is read otherwise: one with a zero byte, which is an error here.
func ParseMosquitto(name string, r io.Reader) (*Mosquitto, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read ACL file %q: %w", name, err)
	}
	m := &Mosquitto{users: make(map[string]*mosquittoRules)}
	user := ""
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if word, err := m.parseLine(strings.TrimRight(string(text), blanks), &user); err != nil {
			return nil, parseError(name, line, word, err)
		}
	}
	return m, nil
}

// blanks is what isspace of C means.
const blanks = " \t\n\v\f\r"

// parseLine reads one line without the blanks at its end. With an error it
// returns the word that is at fault.
func (m *Mosquitto) parseLine(text string, user *string) (word string, err error) {
	if text == "" || text[0] == '#' {
		return "", nil
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return text[i:], fmt.Errorf("%w: zero byte", ErrName)
	}
	word, rest := nextWord(text)
	switch word {
	case "user":
		if *user = strings.Trim(rest, blanks); *user == "" {
			return word, fmt.Errorf("%w: a username", ErrMissing)
		}
		return "", nil
	case "topic", "pattern":
		return m.parseRule(word, rest, *user)
	}
	return word, fmt.Errorf("%w: not user, topic or pattern", ErrKeyword)
}

// nextWord cuts s after its first word. What follows the one space after it is
// the rest.
func nextWord(s string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.TrimLeft(s, " "), " ")
	return word, rest
}

func (m *Mosquitto) parseRule(keyword, rest, user string) (word string, err error) {
	kind, filter := nextWord(rest)
	if kind == "" {
		return keyword, fmt.Errorf("%w: a topic filter", ErrMissing)
	}
	var granted access // none: a deny
	if filter == "" {
		filter, granted = kind, accessRead|accessWrite
	} else {
		filter = strings.Trim(filter, blanks)
		switch kind {
		case "read":
			granted = accessRead
		case "write":
			granted = accessWrite
		case "readwrite":
			granted = accessRead | accessWrite
		case "deny":
		default:
			return kind, fmt.Errorf("%w: not read, write, readwrite or deny", ErrKeyword)
		}
	}
	if !isMosquittoFilter(filter) {
		return filter, ErrFilter
	}
	m.add(keyword, user, filter, granted)
	return "", nil
}

// mosquittoSlashes is how many slashes Mosquitto takes in a topic.
const mosquittoSlashes = 200

// isMosquittoFilter checks wildcards and bounds. Mosquitto takes bytes that are
// not UTF-8 and shared filters too, which match nothing.
func isMosquittoFilter(s string) bool {
	if s == "" || len(s) > topic.MaxBytes || strings.Count(s, "/") > mosquittoSlashes {
		return false
	}
	for level := range strings.SplitSeq(s, "/") {
		if strings.ContainsAny(level, "+#") && level != "+" && level != "#" {
			return false
		}
	}
	hash := strings.IndexByte(s, '#')
	return hash < 0 || hash == len(s)-1
}

func (m *Mosquitto) add(keyword, user, filter string, granted access) {
	rules := &m.patterns
	if keyword == "topic" {
		if rules = m.users[user]; rules == nil {
			rules = new(mosquittoRules)
			m.users[user] = rules
		}
	}
	match := newMatcher(filter, keyword == "pattern")
	if granted == 0 {
		rules.denies = append(rules.denies, match)
	} else {
		rules.grants = append(rules.grants, mosquittoGrant{granted, match})
	}
}

// CanPublish reports whether Mosquitto would take a publish of p.
func (m *Mosquitto) CanPublish(p *Principal, n topic.Name) bool {
	if strings.HasPrefix(string(n), "$SYS") && !bridgeState.Match(n) {
		return false
	}
	return m.decide(p, n, accessWrite)
}

// bridgeState is where bridges say whether they are connected.
const bridgeState topic.Filter = "$SYS/broker/connection/+/state"

// CanSubscribe reports whether Mosquitto would grant a subscription: always.
func (m *Mosquitto) CanSubscribe(*Principal, topic.Filter) bool { return true }

// CanReceive reports whether Mosquitto would deliver n to p.
func (m *Mosquitto) CanReceive(p *Principal, n topic.Name) bool {
	return m.decide(p, n, accessRead)
}

func (m *Mosquitto) decide(p *Principal, n topic.Name, want access) bool {
	if strings.HasPrefix(string(n), "$share") {
		return false
	}
	if rules := m.users[p.Username]; rules != nil {
		if decided, allowed := rules.decide(p, string(n), want); decided {
			return allowed
		}
	}
	if m.patterns.empty() || !fitsPatterns(p) {
		return false
	}
	_, allowed := m.patterns.decide(p, string(n), want)
	return allowed
}

// fitsPatterns reports whether the names of p may be put into patterns: one with
// a wildcard would open what belongs to others.
func fitsPatterns(p *Principal) bool {
	return !strings.ContainsAny(p.Username, "+#") && !strings.ContainsAny(p.ID, "+#")
}

func (r *mosquittoRules) empty() bool { return len(r.denies) == 0 && len(r.grants) == 0 }

func (r *mosquittoRules) decide(p *Principal, name string, want access) (decided, allowed bool) {
	for i := range r.denies {
		if r.denies[i].match(p, name) {
			return true, false
		}
	}
	for i := range r.grants {
		if r.grants[i].access&want != 0 && r.grants[i].match(p, name) {
			return true, true
		}
	}
	return false, false
}

// receivesAll reports that CanReceive is true for every name that f matches.
// When no single line covers f the answer is no, although several together
// might. f does not begin with a $ or a wildcard.
func (m *Mosquitto) receivesAll(p *Principal, f topic.Filter) bool {
	if rules := m.users[p.Username]; rules != nil {
		if decided, allowed := rules.receivesAll(p, f); decided {
			return allowed
		}
	}
	if !fitsPatterns(p) {
		return false
	}
	_, allowed := m.patterns.receivesAll(p, f)
	return allowed
}

func (r *mosquittoRules) receivesAll(p *Principal, f topic.Filter) (decided, allowed bool) {
	for i := range r.denies {
		if d, ok := r.denies[i].filter(p); ok && topic.Overlaps(d, f) {
			return true, false
		}
	}
	for i := range r.grants {
		if g, ok := r.grants[i].filter(p); ok && r.grants[i].access&accessRead != 0 && covers(g, f) {
			return true, true
		}
	}
	return false, false
}
