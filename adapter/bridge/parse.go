package bridge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"siomq/adapter/payload"
	"siomq/rooms"
)

// LineError is one line at fault of a file with rules.
type LineError struct {
	File string
	Line int    // from 1
	Word string // at fault; empty when something is missing
	Err  error
}

// Error returns file, line, word and what is wrong.
func (e *LineError) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d: %q: %v", e.File, e.Line, e.Word, e.Err)
}

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// maxLine bounds a line, in bytes: two topics of the greatest length.
const maxLine = 1 << 17

// Parse reads rules, one a line: a topic, an arrow, and pairs of a key and a word. file names
// r in errors. It reads on after a fault: the error joins one *LineError for each line at fault.
func Parse(r io.Reader, file string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 1
	for ; lines.Scan(); n++ {
		words, err := split(lines.Text())
		if err == nil && len(words) == 0 {
			continue
		}
		var rule Rule
		if err == nil {
			rule, err = parseRule(words)
		}
		if err != nil {
			errs = append(errs, lineError(file, n, err))
			continue
		}
		rules = append(rules, rule)
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, lineError(file, n, err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return rules, nil
}

func lineError(file string, line int, err error) error {
	e := &LineError{File: file, Line: line, Err: err}
	var f *fault
	if errors.As(err, &f) {
		e.Word, e.Err = f.word, f.err
	}
	return e
}

func wrong(word, format string, a ...any) error {
	return &fault{word: word, err: fmt.Errorf(format, a...)}
}

func parseRule(words []string) (Rule, error) {
	var r Rule
	if len(words) < 2 {
		return r, wrong(words[0], "an arrow must follow: -> into the room, <- out of it, <-> both")
	}
	r.Topic = words[0]
	switch words[1] {
	case "->":
		r.Direction = In
	case "<-":
		r.Direction = Out
	case "<->":
		r.Direction = Both
	default:
		return r, wrong(words[1], "in the place of an arrow: -> into the room, <- out of it, <-> both")
	}
	have := make(map[string]bool)
	for rest := words[2:]; len(rest) > 0; rest = rest[2:] {
		key := rest[0]
		if len(rest) == 1 {
			return r, wrong(key, "a word must follow")
		}
		if err := r.set(key, rest[1]); err != nil {
			return r, err
		}
		switch key {
		case "room", "socket", "user":
			key = "to"
		}
		if have[key] {
			return r, wrong(rest[0], "said twice")
		}
		have[key] = true
	}
	switch {
	case !have["to"]:
		return r, errors.New("no target: say room, socket or user and a name, or to all")
	case !have["event"]:
		return r, errors.New("no event")
	}
	_, err := r.compile()
	return r, err
}

// set takes one pair of a key and a word.
func (r *Rule) set(key, word string) error {
	var err error
	switch key {
	case "namespace":
		if word == "" {
			return wrong(word, "a namespace begins with a slash")
		}
		r.Namespace = word
	case "room":
		r.Target = rooms.Target{Kind: rooms.ToRoom, Name: word}
	case "socket":
		r.Target = rooms.Target{Kind: rooms.ToSocket, Name: word}
	case "user":
		r.Target = rooms.Target{Kind: rooms.ToUser, Name: word}
	case "to":
		if word != "all" {
			return wrong(word, "to is followed by all; else say room, socket or user and a name")
		}
		r.Target = rooms.Target{Kind: rooms.ToAll}
	case "event":
		r.Event = word
	case "payload":
		r.Payload, err = parseKind(word)
	case "qos":
		n, perr := strconv.ParseUint(word, 10, 8)
		if perr != nil || n > 2 {
			return wrong(word, "qos is 0, 1 or 2")
		}
		r.QoS = AtMostOnce + QoS(n)
	case "retain":
		r.Retain, err = parseRetain(word)
	case "pass":
		if word != "variables" {
			return wrong(word, "pass is followed by variables")
		}
		r.PassVariables = true
	default:
		return wrong(key, "unknown word: namespace, room, socket, user, to, event, payload, qos, retain or pass is expected")
	}
	return err
}

// parseKind reads the kinds of package payload, and args for several JSON values.
func parseKind(word string) (payload.Kind, error) {
	if word == "args" {
		return payload.ArgsJSON, nil
	}
	k, err := payload.ParseKind(word)
	if err != nil {
		return k, wrong(word, "a payload is auto, none, text, json, binary, args or args+msgpack")
	}
	return k, nil
}

func parseRetain(word string) (Retain, error) {
	for r, name := range retains {
		if name == word {
			return Retain(r), nil
		}
	}
	return KeepRetain, wrong(word, "retain is keep, always or never")
}

var errQuote = errors.New("a quotation mark has no partner")

// split takes a line apart at white space. A word in quotation marks may contain it, and \", \\ and \n.
// A word that begins with # begins a comment.
func split(line string) ([]string, error) {
	if !utf8.ValidString(line) {
		return nil, errors.New("not valid UTF-8")
	}
	var words []string
	for {
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		if line == "" || line[0] == '#' {
			return words, nil
		}
		if line[0] != '"' {
			end := strings.IndexFunc(line, unicode.IsSpace)
			if end < 0 {
				end = len(line)
			}
			words = append(words, line[:end])
			line = line[end:]
			continue
		}
		word, after, ok := unquote(line[1:])
		if !ok {
			return nil, &fault{word: line, err: errQuote}
		}
		if r, _ := utf8.DecodeRuneInString(after); after != "" && !unicode.IsSpace(r) {
			return nil, wrong(after, "white space must follow a quotation mark that closes")
		}
		words = append(words, word)
		line = after
	}
}

func unquote(s string) (word, after string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			if s[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// quote returns a word as split reads it.
func quote(s string) string {
	if s != "" && s[0] != '"' && s[0] != '#' && !strings.ContainsFunc(s, unicode.IsSpace) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
