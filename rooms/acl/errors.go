package acl

import (
	"errors"
	"fmt"
)

// ParseError is a word of a file that means nothing. Nothing of such a file is
// in force.
type ParseError struct {
	File string
	Line int    // from 1
	Word string // as it stands in the file, cut when it is very long
	Err  error  // what is wrong with it
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%s:%d: %q: %v", e.File, e.Line, e.Word, e.Err)
}

// Unwrap returns what is wrong with the word.
func (e *ParseError) Unwrap() error { return e.Err }

// What can be wrong with a word, to be compared with errors.Is.
var (
	ErrKeyword = errors.New("unknown word")            // none of those that can stand here
	ErrMissing = errors.New("something must follow")   // the line ends too early
	ErrFilter  = errors.New("not a topic filter")      // a wildcard out of place, or too long
	ErrName    = errors.New("not a name")              // quotes, braces or encoding
	ErrTwice   = errors.New("said before on the line") // one of each in a rule
	ErrNoSense = errors.New("does not go together")    // with another word of the rule
)

const maxWord = 64 // bytes of a word in an error

func parseError(file string, line int, word string, err error) error {
	if len(word) > maxWord {
		word = word[:maxWord] + "..."
	}
	return &ParseError{File: file, Line: line, Word: word, Err: err}
}
