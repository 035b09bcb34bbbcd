package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits in characters.
const (
	maxName = 24
	maxRoom = 40
	maxText = 2000
)

// refusal is a text for people that says why something is not done.
type refusal string

func (r refusal) Error() string { return string(r) }

// checkName returns the nickname without spaces around it, or says what is wrong with it.
func checkName(name string) (string, error) {
	return checkLine(name, maxName, "A nickname")
}

// checkRoom does the same for the name of a room.
func checkRoom(name string) (string, error) {
	return checkLine(name, maxRoom, "The name of a room")
}

func checkLine(text string, limit int, what string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", refusal(what + " needs at least one character.")
	case n > limit:
		return "", refusal(what + " has at most " + thousands(limit) + " characters; this one has " + thousands(n) + ".")
	case strings.ContainsFunc(text, unseen):
		return "", refusal(what + " cannot contain characters that are not seen.")
	}
	return text, nil
}

// unseen reports whether a character would make one name look like another: control
// characters, and format characters such as those that turn the direction of writing. The
// joiner of emoji and of some scripts is allowed.
func unseen(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	if r == joiner || r == nonJoiner {
		return false
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
}

// thousands writes 10000 as "10,000".
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
