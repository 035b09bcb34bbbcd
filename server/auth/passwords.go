package auth

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxFile = 256 << 20 // bytes: about two million users
	maxLine = 128 << 10 // bytes: the longest name and the longest hash

	blanks = " \t\n\v\f\r" // what Mosquitto trims: isspace of the C locale
)

// passwords is a password file as it was read. It does not change.
type passwords struct {
	users map[string]*hash
	// decoy is computed for users that are not there, so that the answer takes
	// as long as for the one with the most iterations; nil when there is no user.
	// No password matches it: it is nobody's.
	decoy *hash
}

// parsePasswords reads a file as Mosquitto does: lines "name:hash", lines that begin
// with # are comments, blanks around name and hash do not count.
// What Mosquitto reports and leaves out (2.0) or refuses (2.1) is an error here,
// and so are lines without a colon, which Mosquitto skips in silence. The
// error is a *FileError without its path.
func parsePasswords(r io.Reader) (*passwords, error) {
	p := &passwords{users: make(map[string]*hash)}
	firstLine := make(map[string]int)
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxLine)
	number := 0
	for lines.Scan() {
		number++
		name, h, err := parseLine(lines.Bytes())
		if err == nil && h != nil && firstLine[name] > 0 {
			err = fmt.Errorf("user %.100q again, who is on line %d already", name, firstLine[name])
		}
		if err != nil {
			return nil, &FileError{Line: number, Err: err}
		}
		if h == nil {
			continue
		}
		p.users[name], firstLine[name] = h, number
		if p.decoy == nil || h.iterations > p.decoy.iterations {
			p.decoy = &hash{iterations: h.iterations, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}
		}
	}
	err := lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, &FileError{Line: number + 1, Err: fmt.Errorf("over %d bytes", maxLine)}
	case err != nil:
		return nil, &FileError{Err: err}
	case limited.N <= 0:
		return nil, &FileError{Err: fmt.Errorf("over %d bytes", maxFile)}
	}
	return p, nil
}

// parseLine returns a nil hash for comments and empty lines.
func parseLine(line []byte) (name string, h *hash, err error) {
	if len(line) > 0 && line[0] == '#' || len(bytes.Trim(line, blanks)) == 0 {
		return "", nil, nil
	}
	if bytes.HasPrefix(line, []byte("\xef\xbb\xbf")) {
		return "", nil, errors.New("begins with a byte order mark, which would be part of the name: save as UTF-8 without it")
	}
	before, after, ok := strings.Cut(string(line), ":")
	if !ok {
		return "", nil, errors.New("no colon: want name:hash, or # before a comment")
	}
	name = strings.Trim(before, blanks)
	if err := checkName(name); err != nil {
		return "", nil, err
	}
	if h, err = parseHash(strings.Trim(after, blanks)); err != nil {
		return "", nil, fmt.Errorf("user %.100q: %w", name, err)
	}
	return name, h, nil
}
