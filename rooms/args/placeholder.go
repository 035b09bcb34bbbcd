package args

import (
	"strconv"

	"siomq/rooms"
)

// Placeholders: an attachment stands in the JSON text as
//
//	{"_placeholder":true,"num":0}
//
// Official encoders write these members and no others. Their order, and white
// space, are up to the JSON library of a client. num must be written as a plain
// non-negative integer.

const placeholderKey = "_placeholder"

// maxNumDigits keeps num within an int.
const maxNumDigits = 9

// placeholderAt reports whether a placeholder of the form above begins at i,
// with its num and its end.
func placeholderAt(data []byte, i int) (num, end int, ok bool) {
	if i >= len(data) || data[i] != '{' {
		return 0, 0, false
	}
	i = skipSpace(data, i+1)
	if hasPrefix(data, i, `"num"`) {
		if num, i, ok = numMember(data, i); !ok {
			return 0, 0, false
		}
		if i = skipSpace(data, i); i == len(data) || data[i] != ',' {
			return 0, 0, false
		}
		i, ok = markMember(data, skipSpace(data, i+1))
	} else {
		if i, ok = markMember(data, i); !ok {
			return 0, 0, false
		}
		if i = skipSpace(data, i); i == len(data) || data[i] != ',' {
			return 0, 0, false
		}
		num, i, ok = numMember(data, skipSpace(data, i+1))
	}
	if !ok {
		return 0, 0, false
	}
	if i = skipSpace(data, i); i == len(data) || data[i] != '}' {
		return 0, 0, false
	}
	return num, i + 1, true
}

// markMember matches "_placeholder":true at i and returns its end.
func markMember(data []byte, i int) (end int, ok bool) {
	if i, ok = member(data, i, `"`+placeholderKey+`"`); !ok || !hasPrefix(data, i, "true") {
		return 0, false
	}
	return i + len("true"), true
}

// numMember matches "num":N at i and returns N and its end.
func numMember(data []byte, i int) (num, end int, ok bool) {
	if i, ok = member(data, i, `"num"`); !ok {
		return 0, 0, false
	}
	end = skipDigits(data, i)
	if end == i || end-i > maxNumDigits || data[i] == '0' && end > i+1 {
		return 0, 0, false
	}
	for _, c := range data[i:end] {
		num = num*10 + int(c-'0')
	}
	return num, end, true
}

// member matches a quoted name and the colon and returns where the value begins.
func member(data []byte, i int, quoted string) (int, bool) {
	if !hasPrefix(data, i, quoted) {
		return 0, false
	}
	if i = skipSpace(data, i+len(quoted)); i == len(data) || data[i] != ':' {
		return 0, false
	}
	return skipSpace(data, i+1), true
}

// isPlaceholderKey reports whether the JSON string raw is "_placeholder", with
// escapes too.
func isPlaceholderKey(raw []byte) bool {
	if len(raw) == len(placeholderKey)+2 {
		return string(raw[1:len(raw)-1]) == placeholderKey
	}
	if len(raw) > 6*len(placeholderKey)+2 || len(raw) < len(placeholderKey)+2 {
		return false
	}
	name, err := Unquote(raw)
	return err == nil && name == placeholderKey
}

// nextPlaceholder finds the first placeholder from i on, outside strings. raw
// has been checked before.
func nextPlaceholder(raw []byte, i int) (start, end, num int, ok bool) {
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
		case '{':
			if num, end, ok = placeholderAt(raw, i); ok {
				return i, end, num, true
			}
			i++
		default:
			i++
		}
	}
	return 0, 0, 0, false
}

// appendPlaceholder appends the placeholder of attachment num.
func appendPlaceholder(dst []byte, num int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	dst = strconv.AppendInt(dst, int64(num), 10)
	return append(dst, '}')
}

// renumber appends raw to dst with each placeholder's num replaced by what to
// returns for it.
func renumber(dst, raw []byte, to func(num int) int) []byte {
	i := 0
	for {
		start, end, num, ok := nextPlaceholder(raw, i)
		if !ok {
			return append(dst, raw[i:]...)
		}
		dst = append(dst, raw[i:start]...)
		dst = appendPlaceholder(dst, to(num))
		i = end
	}
}

// check reports whether a, made of valid values, keeps the promise of the
// package documentation.
func check(a rooms.Args) error {
	if a.N == 0 || len(a.Attachments) == 0 {
		return nil
	}
	return checkRaw(a.Raw, len(a.Attachments))
}

// checkRaw checks the values in raw against the number of attachments, as in Rules.
func checkRaw(raw []byte, attachments int) error {
	var s scanner
	s.init(raw, Rules{Attachments: attachments})
	_, _, err := s.values(0)
	return err
}
