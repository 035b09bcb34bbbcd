package args

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"siomq/rooms"
)

// MaxAttachments is how many attachments one event may have by default, and at
// most when it comes as msgpack.
const MaxAttachments = 1000

// AppendMsgpack appends the values of a to dst as msgpack, one behind the
// other without an array around them. Numbers, strings and
// binary data are transcoded one by one and nothing is decoded as a whole:
// integers keep their value as far as int64 and uint64 go, any other number is the
// nearest float64, infinite over its range. An unpaired surrogate in a string is U+FFFD.
//
// It checks a, so that an error is one of Scan; dst is then returned as it was.
func AppendMsgpack(dst []byte, a rooms.Args) ([]byte, error) {
	if a.N == 0 {
		return dst, nil
	}
	var s scanner
	s.init(a.Raw, Rules{Attachments: len(a.Attachments)})
	start := skipSpace(a.Raw, 0)
	found, end, err := s.values(start)
	if err == nil && (end != len(a.Raw) || found.N != a.N) {
		err = s.fail(ErrSyntax, end)
	}
	if err != nil {
		return dst, err
	}
	var few [32]int // spares an allocation
	w := msgpackWriter{dst: dst, raw: found.Raw, attachments: a.Attachments, counts: few[:0]}
	w.countMembers()
	w.write()
	return w.dst, nil
}

// AppendMsgpackArray appends the header of an array of n values.
func AppendMsgpackArray(dst []byte, n int) []byte { return appendLen(dst, n, 0x90, 16, 0xdc) }

// AppendMsgpackMap appends the header of a map of n keys and values.
func AppendMsgpackMap(dst []byte, n int) []byte { return appendLen(dst, n, 0x80, 16, 0xde) }

// appendLen appends a header: fix with n in it if n is below limit, otherwise
// code with 16 bits of n, or the code behind it with 32.
func appendLen(dst []byte, n int, fix byte, limit int, code byte) []byte {
	switch {
	case n < limit:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, code), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, code+1), uint32(n))
}

// AppendMsgpackString appends a string.
func AppendMsgpackString(dst []byte, s string) []byte {
	return append(appendStringLen(dst, len(s)), s...)
}

func appendStringLen(dst []byte, n int) []byte {
	if n >= 32 && n <= math.MaxUint8 {
		return append(dst, 0xd9, byte(n))
	}
	return appendLen(dst, n, 0xa0, 32, 0xda)
}

// AppendMsgpackInt appends an integer in the fewest bytes.
func AppendMsgpackInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return AppendMsgpackUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

// AppendMsgpackUint appends an integer in the fewest bytes.
func AppendMsgpackUint(dst []byte, n uint64) []byte {
	switch {
	case n < 128:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func appendMsgpackBinary(dst, b []byte) []byte {
	switch n := len(b); {
	case n <= math.MaxUint8:
		dst = append(dst, 0xc4, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
	}
	return append(dst, b...)
}

// msgpackWriter transcodes raw, which has been checked. Msgpack wants the
// length of an array or a map before its members: a first pass over raw counts the
// members of each, in the order in which they open.
type msgpackWriter struct {
	dst         []byte
	raw         []byte
	attachments [][]byte
	counts      []int
}

func (w *msgpackWriter) placeholder(i int) (num, end int, ok bool) {
	if len(w.attachments) == 0 {
		return 0, 0, false
	}
	return placeholderAt(w.raw, i)
}

func (w *msgpackWriter) countMembers() {
	var few [16]int
	open := few[:0] // into counts
	for i := 0; i < len(w.raw); {
		switch w.raw[i] {
		case '"':
			i = skipString(w.raw, i)
			continue
		case '{', '[':
			if _, end, ok := w.placeholder(i); ok {
				i = end
				continue
			}
			open = append(open, len(w.counts))
			n := 1
			if next := skipSpace(w.raw, i+1); w.raw[next] == '}' || w.raw[next] == ']' {
				n = 0
			}
			w.counts = append(w.counts, n)
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			if len(open) > 0 {
				w.counts[open[len(open)-1]]++
			}
		}
		i++
	}
}

func (w *msgpackWriter) write() {
	for i := 0; i < len(w.raw); {
		switch c := w.raw[i]; c {
		case '"':
			end := skipString(w.raw, i)
			w.string(w.raw[i:end])
			i = end
			continue
		case '{', '[':
			if num, end, ok := w.placeholder(i); ok {
				w.dst = appendMsgpackBinary(w.dst, w.attachments[num])
				i = end
				continue
			}
			if c == '{' {
				w.dst = AppendMsgpackMap(w.dst, w.counts[0])
			} else {
				w.dst = AppendMsgpackArray(w.dst, w.counts[0])
			}
			w.counts = w.counts[1:]
		case 't':
			w.dst = append(w.dst, 0xc3)
			i += len("true")
			continue
		case 'f':
			w.dst = append(w.dst, 0xc2)
			i += len("false")
			continue
		case 'n':
			w.dst = append(w.dst, 0xc0)
			i += len("null")
			continue
		default:
			if c == '-' || isDigit(c) {
				end := i + 1
				for end < len(w.raw) && (isDigit(w.raw[end]) || bytes.IndexByte([]byte("+-.eE"), w.raw[end]) >= 0) {
					end++
				}
				w.number(string(w.raw[i:end]))
				i = end
				continue
			}
		}
		i++ // white space, commas, colons and closing brackets
	}
}

func (w *msgpackWriter) string(raw []byte) {
	if bytes.IndexByte(raw, '\\') < 0 {
		w.dst = appendStringLen(w.dst, len(raw)-2)
		w.dst = append(w.dst, raw[1:len(raw)-1]...)
		return
	}
	s, _ := Unquote(raw) // raw has been checked
	w.dst = AppendMsgpackString(w.dst, s)
}

func (w *msgpackWriter) number(text string) {
	if text != "-0" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			w.dst = AppendMsgpackInt(w.dst, n)
			return
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			w.dst = AppendMsgpackUint(w.dst, n)
			return
		}
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range: infinite
	w.dst = binary.BigEndian.AppendUint64(append(w.dst, 0xcb), math.Float64bits(f))
}

// Placeholder returns num if raw is the placeholder of an attachment and nothing
// else.
func Placeholder(raw []byte) (num int, ok bool) {
	num, end, ok := placeholderAt(raw, skipSpace(raw, 0))
	return num, ok && skipSpace(raw, end) == len(raw)
}

// Check reports why a is not well-formed: its text is not N values, or breaks
// the rule for placeholders in the package documentation.
func Check(a rooms.Args) error {
	if a.N == 0 && len(a.Raw) == 0 {
		return nil
	}
	var s scanner
	s.init(a.Raw, Rules{Attachments: len(a.Attachments)})
	found, end, err := s.values(skipSpace(a.Raw, 0))
	if err != nil {
		return err
	}
	if end != len(a.Raw) || found.N != a.N {
		return fmt.Errorf("%w: not %d values", ErrSyntax, a.N)
	}
	return nil
}
