package args

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"siomq/rooms"
)

// MaxDepth is the deepest nesting of arrays and objects in one text, and the
// default where a smaller limit can be set.
const MaxDepth = 1024

// Rules are what a JSON text from outside is checked against. The zero value
// is fit for a text without attachments.
type Rules struct {
	// MaxDepth is the deepest nesting of arrays and objects. Zero, negative and
	// values over the constant MaxDepth mean that constant.
	MaxDepth int
	// Attachments is how many attachments come with the text; placeholders are
	// checked then, see the package documentation. Zero: an object that looks
	// like a placeholder is plain data. Negative: such an object is an error.
	Attachments int
}

// Scan reports why data is not one JSON value with optional white space around
// it: an error that is ErrSyntax, ErrUTF8, ErrDepth or ErrPlaceholder, with the
// offset in bytes. It does not allocate when data is valid and has no more than
// 1,024 attachments.
func Scan(data []byte, r Rules) error {
	var s scanner
	s.init(data, r)
	i, err := s.value(skipSpace(data, 0))
	if err != nil {
		return err
	}
	return s.end(i)
}

// ScanArray checks data as Scan does, requires an array, and returns its
// elements without the brackets. The result shares memory with data; its
// Attachments are left nil, whatever r says.
func ScanArray(data []byte, r Rules) (rooms.Args, error) {
	var s scanner
	s.init(data, r)
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '[' {
		return rooms.Args{}, s.fail(ErrSyntax, i)
	}
	start := skipSpace(data, i+1)
	if start < len(data) && data[start] == ']' {
		return rooms.Args{}, s.end(start + 1)
	}
	a, i, err := s.values(start)
	if err != nil {
		return rooms.Args{}, err
	}
	if i == len(data) || data[i] != ']' {
		return rooms.Args{}, s.fail(ErrSyntax, i)
	}
	if err := s.end(i + 1); err != nil {
		return rooms.Args{}, err
	}
	return a, nil
}

// values checks values with commas between them, from start on, and returns
// where the white space behind the last one ends.
func (s *scanner) values(start int) (a rooms.Args, end int, err error) {
	s.maxDepth-- // for the array around them
	for i := start; ; i = skipSpace(s.data, i+1) {
		if end, err = s.value(i); err != nil {
			return a, 0, err
		}
		a.N++
		if i = skipSpace(s.data, end); i == len(s.data) || s.data[i] != ',' {
			a.Raw = s.data[start:end:end]
			return a, i, nil
		}
	}
}

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// KindOf returns the kind of the JSON value that raw begins with, white space
// skipped. It looks at one byte only and does not check raw.
func KindOf(raw []byte) Kind {
	i := skipSpace(raw, 0)
	if i == len(raw) {
		return Invalid
	}
	switch c := raw[i]; c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	default:
		if c == '-' || isDigit(c) {
			return Number
		}
	}
	return Invalid
}

// scanner checks one text in one pass. It keeps no stack of calls: one bit for
// each open array or object says which of the two it is, so that a text of
// any depth costs the same memory.
type scanner struct {
	data        []byte
	maxDepth    int
	attachments int

	open [MaxDepth / 64]uint64 // bit d set: the container at depth d is an object
	seen [16]uint64            // nums of placeholders met, below 1,024
	more map[int]bool          // and those above
}

func (s *scanner) init(data []byte, r Rules) {
	s.data, s.maxDepth, s.attachments = data, r.MaxDepth, r.Attachments
	if s.maxDepth <= 0 || s.maxDepth > MaxDepth {
		s.maxDepth = MaxDepth
	}
}

func (s *scanner) fail(err error, i int) error {
	return fmt.Errorf("%w at byte %d", err, i)
}

// end checks that nothing but white space is left from i on.
func (s *scanner) end(i int) error {
	if i = skipSpace(s.data, i); i != len(s.data) {
		return s.fail(ErrSyntax, i)
	}
	return nil
}

// value checks one value that begins at i and returns where it ends.
func (s *scanner) value(i int) (int, error) {
	depth := 0
	for {
		end, opened, err := s.begin(i, depth)
		if err != nil {
			return 0, err
		}
		if opened {
			depth++
			i = end
			continue
		}
		for i = end; ; { // a value has ended at i
			if depth == 0 {
				return i, nil
			}
			next, closed, err := s.afterValue(i, depth-1)
			if err != nil {
				return 0, err
			}
			i = next
			if !closed {
				break
			}
			depth--
		}
	}
}

// begin checks a scalar, an empty container or a placeholder at i and returns
// its end. For any other container it returns opened and where its first value begins.
func (s *scanner) begin(i, depth int) (end int, opened bool, err error) {
	data := s.data
	if i >= len(data) {
		return 0, false, s.fail(ErrSyntax, i)
	}
	switch c := data[i]; c {
	case '"':
		end, err = s.str(i)
		return end, false, err
	case '{':
		if depth >= s.maxDepth {
			return 0, false, s.fail(ErrDepth, i)
		}
		if s.attachments != 0 {
			if num, end, ok := placeholderAt(data, i); ok {
				return end, false, s.see(num, i)
			}
		}
		if i = skipSpace(data, i+1); i < len(data) && data[i] == '}' {
			return i + 1, false, nil
		}
		s.open[depth/64] |= 1 << (depth % 64)
		end, err = s.key(i)
		return end, true, err
	case '[':
		if depth >= s.maxDepth {
			return 0, false, s.fail(ErrDepth, i)
		}
		if i = skipSpace(data, i+1); i < len(data) && data[i] == ']' {
			return i + 1, false, nil
		}
		s.open[depth/64] &^= 1 << (depth % 64)
		return i, true, nil
	case 't':
		end, err = s.literal(i, "true")
	case 'f':
		end, err = s.literal(i, "false")
	case 'n':
		end, err = s.literal(i, "null")
	default:
		if c != '-' && !isDigit(c) {
			return 0, false, s.fail(ErrSyntax, i)
		}
		end, err = s.number(i)
	}
	return end, false, err
}

// afterValue checks what follows a value inside the container at depth: its
// end (closed), or a comma, then it returns where the next value begins.
func (s *scanner) afterValue(i, depth int) (next int, closed bool, err error) {
	data := s.data
	object := s.open[depth/64]&(1<<(depth%64)) != 0
	if i = skipSpace(data, i); i == len(data) {
		return 0, false, s.fail(ErrSyntax, i)
	}
	switch c := data[i]; {
	case c == ',' && object:
		next, err = s.key(skipSpace(data, i+1))
		return next, false, err
	case c == ',':
		return skipSpace(data, i+1), false, nil
	case c == '}' && object, c == ']' && !object:
		return i + 1, true, nil
	}
	return 0, false, s.fail(ErrSyntax, i)
}

// key checks a member's name and colon and returns where its value begins.
func (s *scanner) key(i int) (int, error) {
	data := s.data
	if i >= len(data) || data[i] != '"' {
		return 0, s.fail(ErrSyntax, i)
	}
	end, err := s.str(i)
	if err != nil {
		return 0, err
	}
	colon := skipSpace(data, end)
	if colon == len(data) || data[colon] != ':' {
		return 0, s.fail(ErrSyntax, colon)
	}
	next := skipSpace(data, colon+1)
	// A placeholder of the usual form was handled by begin. Other parsers would
	// take this one too, perhaps for something else, and no encoder writes it.
	if s.attachments != 0 && hasPrefix(data, next, "true") && isPlaceholderKey(data[i:end]) {
		return 0, s.fail(ErrPlaceholder, i)
	}
	return next, nil
}

// see notes the num of a placeholder at i.
func (s *scanner) see(num, i int) error {
	if num >= s.attachments {
		return s.fail(ErrPlaceholder, i)
	}
	if num >= 64*len(s.seen) {
		if s.more[num] {
			return s.fail(ErrPlaceholder, i)
		}
		if s.more == nil {
			s.more = make(map[int]bool)
		}
		s.more[num] = true
		return nil
	}
	word, bit := &s.seen[num/64], uint64(1)<<(num%64)
	if *word&bit != 0 {
		return s.fail(ErrPlaceholder, i)
	}
	*word |= bit
	return nil
}

func (s *scanner) literal(i int, word string) (int, error) {
	if !hasPrefix(s.data, i, word) {
		return 0, s.fail(ErrSyntax, i)
	}
	return i + len(word), nil
}

// number checks a number, RFC 8259 section 6.
func (s *scanner) number(i int) (int, error) {
	data := s.data
	if data[i] == '-' {
		i++
	}
	switch {
	case i == len(data):
		return 0, s.fail(ErrSyntax, i)
	case data[i] == '0':
		i++
	default:
		end := skipDigits(data, i)
		if end == i {
			return 0, s.fail(ErrSyntax, i)
		}
		i = end
	}
	if i < len(data) && data[i] == '.' {
		end := skipDigits(data, i+1)
		if end == i+1 {
			return 0, s.fail(ErrSyntax, end)
		}
		i = end
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		end := skipDigits(data, i)
		if end == i {
			return 0, s.fail(ErrSyntax, end)
		}
		i = end
	}
	return i, nil
}

// str checks a string whose quote is at i, RFC 8259 section 7.
func (s *scanner) str(i int) (int, error) {
	data := s.data
	for i++; ; {
		i = plainEnd(data, i)
		if i >= len(data) {
			return 0, s.fail(ErrSyntax, len(data))
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c == '\\':
			n := escapeLen(data[i:])
			if n == 0 {
				return 0, s.fail(ErrSyntax, i)
			}
			i += n
		case c < 0x20:
			return 0, s.fail(ErrSyntax, i)
		default:
			n := runesLen(data[i:])
			if n == 0 {
				return 0, s.fail(ErrUTF8, i)
			}
			i += n
		}
	}
}

// runesLen returns the length of the characters beyond ASCII that data begins
// with, 0 if the first one is not valid UTF-8.
func runesLen(data []byte) int {
	i := 0
	for i < len(data) && data[i] >= utf8.RuneSelf {
		// Two bytes: most letters of Latin, Greek, Cyrillic, Hebrew and Arabic.
		if c := data[i]; c >= 0xc2 && c < 0xe0 && i+1 < len(data) && data[i+1]&0xc0 == 0x80 {
			i += 2
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}

// escapeLen returns the length of the escape sequence that data begins with, 0
// if it is none.
func escapeLen(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(data) < 6 {
			return 0
		}
		for _, c := range data[2:6] {
			if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return 6
	}
	return 0
}

// plainEnd returns the first index from i on of a quote, a backslash, a control
// character or a byte beyond ASCII, or len(data). It looks at 8 bytes at a time.
func plainEnd(data []byte, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; i+8 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A byte's high bit is set if it was below the subtrahend, or beyond
		// ASCII. Borrows can only mark bytes behind one that is marked rightly.
		if ((w-ones*0x20)|(quote-ones)|(slash-ones)|w)&highs != 0 {
			break
		}
	}
	for ; i < len(data); i++ {
		if c := data[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return len(data)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && data[i] <= ' ' && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

func skipDigits(data []byte, i int) int {
	for i < len(data) && isDigit(data[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func hasPrefix(data []byte, i int, prefix string) bool {
	return i < len(data) && len(data)-i >= len(prefix) && string(data[i:i+len(prefix)]) == prefix
}
