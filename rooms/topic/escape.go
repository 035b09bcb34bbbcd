package topic

import (
	"strings"
	"unicode/utf8"
)

// The bytes that encodeURIComponent leaves as they are (ECMAScript 2024,
// section 19.2.6.4: uriUnreserved), one bit for each.
const (
	plainLow = 0x3ff<<'0' | 1<<'-' | 1<<'.' | 1<<'!' | 1<<'*' | 1<<'\'' | 1<<'(' | 1<<')'

	plainHigh = 0x3ffffff<<('A'-64) | 0x3ffffff<<('a'-64) | 1<<('_'-64) | 1<<('~'-64)
)

const upperHex = "0123456789ABCDEF"

// isPlain reports whether c is written as it is.
func isPlain(c byte) bool {
	if c < 64 {
		return uint64(plainLow)>>c&1 != 0
	}
	return c < 128 && uint64(plainHigh)>>(c-64)&1 != 0
}

// plainPrefix returns how many bytes at the start of s are written as they are.
func plainPrefix(s string) int {
	for i := 0; i < len(s); i++ {
		if !isPlain(s[i]) {
			return i
		}
	}
	return len(s)
}

// appendLevel appends s as one level. It returns ErrUTF8, and dst with an
// unspecified tail, when s is not valid UTF-8.
func appendLevel(dst []byte, s string) ([]byte, error) {
	i := plainPrefix(s)
	dst = append(dst, s[:i]...)
	if i == len(s) {
		return dst, nil
	}
	if !utf8.ValidString(s[i:]) {
		return dst, ErrUTF8
	}
	for ; i < len(s); i++ {
		if c := s[i]; isPlain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst, nil
}

// levelLen returns the length of s written as one level.
func levelLen(s string) int {
	n := len(s)
	for i := 0; i < len(s); i++ {
		if !isPlain(s[i]) {
			n += 2
		}
	}
	return n
}

// parseLevel decodes one level as it came from an MQTT client. A % that is not
// followed by two hex digits stands for itself. A level that needs no
// decoding is returned as it is, without an allocation.
func parseLevel(raw string) (string, error) {
	escaped := false
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '+', '#', '/', 0: // no level of a topic name has them, section 4.7
			return "", ErrInvalidName
		case '%':
			escaped = escaped || isEscape(raw, i)
		}
	}
	// Checked before decoding too: raw bytes and escapes that are valid only
	// together would be accepted otherwise.
	if !utf8.ValidString(raw) {
		return "", ErrUTF8
	}
	if !escaped {
		return raw, nil
	}
	s := unescape(raw)
	if !utf8.ValidString(s) {
		return "", ErrUTF8
	}
	return s, nil
}

// unescape replaces each %XX in raw by its byte.
func unescape(raw string) string {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' && isEscape(raw, i) {
			b.WriteByte(unhex(raw[i+1])<<4 | unhex(raw[i+2]))
			i += 2
		} else {
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

// isEscape reports whether the % at s[i] begins an escape.
func isEscape(s string, i int) bool {
	return i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns the value of a hex digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// cut splits s at its first slash. more reports whether there was one, so that
// an empty last level is told from no level.
func cut(s string) (level, rest string, more bool) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
