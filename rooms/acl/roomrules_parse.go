package acl

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ParseRoomRules reads rules for rooms. A word that means nothing is a
// [*ParseError] with name as its file.
func ParseRoomRules(name string, r io.Reader) (*RoomRules, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read room rules %q: %w", name, err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // what some editors begin files with
	rules := new(RoomRules)
	line := 0
	for text := range bytes.Lines(data) {
		line++
		words, bad, err := splitWords(string(bytes.TrimRight(text, "\r\n")))
		if err == nil && len(words) > 0 {
			var rule roomRule
			if rule, bad, err = parseRoomRule(words); err == nil {
				rules.rules = append(rules.rules, rule)
			}
		}
		if err != nil {
			return nil, parseError(name, line, bad, err)
		}
	}
	return rules, nil
}

// word is a word of a rule: as it stands there, and as the names it lists.
type word struct {
	raw   string
	names []glob
}

// splitWords takes a line apart at its blanks. Words that begin with # are a
// comment up to the end of the line. With an error it returns the word at
// fault.
func splitWords(line string) (words []word, bad string, err error) {
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" || line[0] == '#' {
			return words, "", nil
		}
		w, n, err := readWord(line)
		if err != nil {
			return nil, line[:n], err
		}
		words = append(words, w)
		line = line[n:]
	}
}

// wordReader reads one word.
type wordReader struct {
	names []glob
	name  glob
	text  strings.Builder // of name, not yet in it
	some  bool            // name has something, if only a pair of quotes
}

// readWord reads the word at the start of line, which is not empty, and returns
// its length.
func readWord(line string) (w word, n int, err error) {
	var r wordReader
	quoted := false
	i := 0
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			quoted, r.some = !quoted, true
		case c == '\\':
			if i++; i == len(line) {
				return word{}, len(line), fmt.Errorf("%w: nothing after the backslash", ErrName)
			}
			r.add(line[i])
		case !quoted && (c == ' ' || c == '\t'):
			return r.word(line[:i])
		case !quoted && c == ',':
			if err := r.next(); err != nil {
				return word{}, i + 1, err
			}
		case c == '*':
			r.addPart(globStar)
		case c == '{':
			kind, size := placeholder(line[i:])
			if size == 0 {
				return word{}, len(line), fmt.Errorf("%w: only {user} and {id} may be in braces", ErrName)
			}
			r.addPart(kind)
			i += size - 1
		default:
			r.add(c)
		}
	}
	if quoted {
		return word{}, i, fmt.Errorf("%w: a quote is not closed", ErrName)
	}
	return r.word(line)
}

func placeholder(s string) (kind globKind, size int) {
	switch {
	case strings.HasPrefix(s, "{user}"):
		return globUser, len("{user}")
	case strings.HasPrefix(s, "{id}"):
		return globID, len("{id}")
	}
	return 0, 0
}

func (r *wordReader) add(c byte) {
	r.text.WriteByte(c)
	r.some = true
}

func (r *wordReader) addPart(k globKind) {
	r.endText()
	if n := len(r.name); k != globStar || n == 0 || r.name[n-1].kind != globStar { // ** is *
		r.name = append(r.name, globPart{kind: k})
	}
	r.some = true
}

func (r *wordReader) endText() {
	if r.text.Len() > 0 {
		r.name = append(r.name, globPart{text: r.text.String()})
		r.text.Reset()
	}
}

// next ends a name.
func (r *wordReader) next() error {
	if !r.some {
		return fmt.Errorf(`%w: an empty name is ""`, ErrName)
	}
	r.endText()
	if r.name == nil {
		r.name = glob{{}} // the empty text
	}
	for _, t := range r.name {
		if !utf8.ValidString(t.text) {
			return fmt.Errorf("%w: not UTF-8", ErrName)
		}
	}
	r.names = append(r.names, r.name)
	r.name, r.some = nil, false
	return nil
}

func (r *wordReader) word(raw string) (word, int, error) {
	err := r.next()
	return word{raw, r.names}, len(raw), err
}

// parseRoomRule reads the words of a rule. With an error it returns the word
// at fault.
func parseRoomRule(words []word) (rule roomRule, bad string, err error) {
	switch words[0].raw {
	case "allow":
		rule.allow = true
	case "deny":
	default:
		return rule, words[0].raw, fmt.Errorf("%w: not allow or deny", ErrKeyword)
	}
	if len(words) == 1 {
		return rule, words[0].raw, fmt.Errorf("%w: join, emit, subscribe or publish", ErrMissing)
	}
	for a := range strings.SplitSeq(words[1].raw, ",") {
		bit := actionOf(a)
		if bit == 0 {
			return rule, a, fmt.Errorf("%w: not join, emit, subscribe or publish", ErrKeyword)
		}
		rule.actions |= bit
	}
	for rest := words[2:]; len(rest) > 0; {
		n, bad, err := rule.parseCondition(rest)
		if err != nil {
			return rule, bad, err
		}
		rest = rest[n:]
	}
	if bad, err := rule.check(); err != nil {
		return rule, bad, err
	}
	return rule, "", nil
}

func actionOf(s string) action {
	switch s {
	case "join":
		return actionJoin
	case "emit":
		return actionEmit
	case "subscribe":
		return actionSubscribe
	case "publish":
		return actionPublish
	}
	return 0
}

// parseCondition reads one condition and returns how many words it has.
func (r *roomRule) parseCondition(words []word) (n int, bad string, err error) {
	key := words[0].raw
	if key == "anonymous" {
		if r.anonymous {
			return 0, key, ErrTwice
		}
		r.anonymous = true
		return 1, "", nil
	}
	var list *[]glob
	switch key {
	case "namespace":
		list = &r.namespaces
	case "room":
		list = &r.rooms
	case "event":
		list = &r.events
	case "role":
		list = &r.roles
	case "user":
		list = &r.users
	case "to":
	default:
		return 0, key, fmt.Errorf("%w: not namespace, room, to, event, role, user or anonymous", ErrKeyword)
	}
	if len(words) == 1 {
		return 0, key, fmt.Errorf("%w: a name; one that begins with # is put in quotes", ErrMissing)
	}
	if list == nil {
		bad, err = r.parseTo(words[1].raw)
		return 2, bad, err
	}
	if *list != nil {
		return 0, key, fmt.Errorf("%w: several names are one list, a,b", ErrTwice)
	}
	*list = words[1].names
	if key == "namespace" {
		for _, g := range *list {
			if g[0].kind != globStar && !strings.HasPrefix(g[0].text, "/") {
				return 0, words[1].raw, fmt.Errorf("%w: a namespace begins with /", ErrName)
			}
		}
	}
	return 2, "", nil
}

// parseTo reads the kinds of targets.
func (r *roomRule) parseTo(list string) (bad string, err error) {
	if r.to != 0 {
		return "to", fmt.Errorf("%w: several targets are one list, a,b", ErrTwice)
	}
	for s := range strings.SplitSeq(list, ",") {
		switch s {
		case "all":
			r.to |= toAll
		case "room":
			r.to |= toRoom
		case "socket":
			r.to |= toSocket
		case "user":
			r.to |= toUser
		case "server":
			r.to |= toServer
		default:
			return s, fmt.Errorf("%w: not all, room, socket, user or server", ErrKeyword)
		}
	}
	return "", nil
}

// check refuses conditions that could never hold together, since who wrote
// them meant something else.
func (r *roomRule) check() (bad string, err error) {
	switch {
	case r.rooms != nil && r.to != 0 && r.to != toRoom:
		return "room", fmt.Errorf("%w with to all, socket, user or server", ErrNoSense)
	case r.events != nil && r.actions&joins != 0:
		return "event", fmt.Errorf("%w with join or subscribe: a room is joined with all its events", ErrNoSense)
	case r.to&^(toAll|toRoom) != 0 && r.actions&joins != 0:
		return "to", fmt.Errorf("%w with join or subscribe: only all and room can be joined", ErrNoSense)
	case r.anonymous && r.users != nil:
		return "anonymous", fmt.Errorf("%w with user", ErrNoSense)
	}
	if r.rooms != nil {
		r.to = toRoom
	} else if r.to == 0 {
		r.to = anyTarget
	}
	return "", nil
}
