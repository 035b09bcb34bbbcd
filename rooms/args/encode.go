package args

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"siomq/rooms"
)

// Encode makes arguments of Go values. Each value becomes one argument, except
// that a [rooms.Args] is spliced whole, undecoded, with as many as it has.
//
// The rules are those of encoding/json (tags with omitempty, omitzero and string,
// embedded structs, json.Marshaler, encoding.TextMarshaler, sorted map keys),
// with these differences: a []byte at any depth becomes an attachment, and one
// that is nil becomes null; NaN and infinities become null as in JavaScript; HTML
// characters are not escaped; a rooms.Args inside another value is its value if it
// has one, null if it has none, and an array otherwise.
//
// Attachments are not copied: a []byte must not be modified afterwards.
//
// An error says the index and the type of the argument. It is ErrType for
// what has no JSON form, ErrDepth for a value that nests too deep or contains itself,
// ErrPlaceholder, or what a Marshaler returned.
func Encode(values ...any) (rooms.Args, error) {
	if len(values) == 1 {
		if a, ok := values[0].(rooms.Args); ok {
			return a, nil
		}
	}
	var a rooms.Args
	err := Append(&a, values...)
	return a, err
}

// Append appends values to dst, as Encode encodes them. The slices of dst are
// appended to, so they must not be shared with anybody. After an error dst is
// as it was.
func Append(dst *rooms.Args, values ...any) error {
	if len(values) == 0 {
		return nil
	}
	e := encoder{out: *dst}
	if e.out.Raw == nil {
		e.out.Raw = make([]byte, 0, sizeHint(values))
	}
	for i, v := range values {
		if err := e.argument(v); err != nil {
			return fmt.Errorf("argument %d (%T): %w", i, v, err)
		}
	}
	// Whatever came in as text may look like a placeholder.
	if err := check(e.out); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	*dst = e.out
	return nil
}

// sizeHint guesses the room that values need, so that usual arguments cost one
// allocation.
func sizeHint(values []any) int {
	n := 0
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n += len(v) + len(v)/16 + 3
		case rooms.Args:
			n += len(v.Raw) + 1
		case json.RawMessage:
			n += len(v) + 1
		case map[string]any:
			n += 32*len(v) + 8
		case nil, bool, int, int64, uint64, float64:
			n += 24
		default:
			n += 64
		}
	}
	return n
}

// encoder encodes into out. It counts how deep it is: in containers, which are
// the nesting of the text, and in pointers and interfaces, which may run in a
// circle without a container.
type encoder struct {
	out   rooms.Args
	depth int
	hops  int
}

const maxHops = 4 * MaxDepth

func (e *encoder) argument(v any) error {
	if a, ok := v.(rooms.Args); ok {
		splice(&e.out, a)
		return nil
	}
	if e.out.N > 0 {
		e.out.Raw = append(e.out.Raw, ',')
	}
	e.out.N++
	return e.any(v)
}

// any encodes the usual types without reflection.
func (e *encoder) any(v any) error {
	switch v := v.(type) {
	case nil:
		e.null()
	case string:
		e.out.Raw = AppendString(e.out.Raw, v)
	case []byte:
		e.binary(v)
	case bool:
		e.out.Raw = strconv.AppendBool(e.out.Raw, v)
	case int:
		e.out.Raw = strconv.AppendInt(e.out.Raw, int64(v), 10)
	case int64:
		e.out.Raw = strconv.AppendInt(e.out.Raw, v, 10)
	case int32:
		e.out.Raw = strconv.AppendInt(e.out.Raw, int64(v), 10)
	case uint64:
		e.out.Raw = strconv.AppendUint(e.out.Raw, v, 10)
	case float64:
		e.out.Raw = AppendFloat(e.out.Raw, v, 64)
	case float32:
		e.out.Raw = AppendFloat(e.out.Raw, float64(v), 32)
	case map[string]any:
		return e.stringMap(v)
	case []any:
		return e.anySlice(v)
	case []string:
		return e.stringSlice(v)
	case json.RawMessage:
		return e.rawJSON(v)
	case rooms.Args:
		return e.nested(v)
	default:
		return e.reflected(v)
	}
	return nil
}

func (e *encoder) null() { e.out.Raw = append(e.out.Raw, "null"...) }

func (e *encoder) binary(b []byte) {
	if b == nil {
		e.null()
		return
	}
	e.out.Raw = appendPlaceholder(e.out.Raw, len(e.out.Attachments))
	e.out.Attachments = append(e.out.Attachments, b)
}

func (e *encoder) stringMap(m map[string]any) error {
	if m == nil {
		e.null()
		return nil
	}
	if err := e.open('{'); err != nil {
		return err
	}
	var few [16]string // most maps are small: their keys are sorted on the stack
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		e.key(i, k)
		if err := e.any(m[k]); err != nil {
			return memberError(k, err)
		}
	}
	e.close('}')
	return nil
}

func (e *encoder) anySlice(s []any) error {
	if s == nil {
		e.null()
		return nil
	}
	if err := e.open('['); err != nil {
		return err
	}
	for i, v := range s {
		e.comma(i)
		if err := e.any(v); err != nil {
			return err
		}
	}
	e.close(']')
	return nil
}

func (e *encoder) stringSlice(s []string) error {
	if s == nil {
		e.null()
		return nil
	}
	if err := e.open('['); err != nil {
		return err
	}
	for i, v := range s {
		e.comma(i)
		e.out.Raw = AppendString(e.out.Raw, v)
	}
	e.close(']')
	return nil
}

// rawJSON takes over JSON text made by somebody else, once it is checked.
func (e *encoder) rawJSON(raw []byte) error {
	if raw == nil {
		e.null()
		return nil
	}
	var s scanner
	s.init(raw, Rules{})
	s.maxDepth -= e.depth
	start := skipSpace(raw, 0)
	end, err := s.value(start)
	if err == nil {
		err = s.end(end)
	}
	if err != nil {
		return err
	}
	e.out.Raw = append(e.out.Raw, raw[start:end]...)
	return nil
}

// nested encodes arguments that stand inside another value.
func (e *encoder) nested(a rooms.Args) error {
	switch a.N {
	case 0:
		e.null()
		return nil
	case 1:
		appendValues(&e.out, a)
		return nil
	}
	if err := e.open('['); err != nil {
		return err
	}
	appendValues(&e.out, a)
	e.close(']')
	return nil
}

func (e *encoder) open(c byte) error {
	if e.depth++; e.depth > MaxDepth {
		return ErrDepth
	}
	e.out.Raw = append(e.out.Raw, c)
	return nil
}

func (e *encoder) close(c byte) {
	e.depth--
	e.out.Raw = append(e.out.Raw, c)
}

func (e *encoder) comma(i int) {
	if i > 0 {
		e.out.Raw = append(e.out.Raw, ',')
	}
}

func (e *encoder) key(i int, name string) {
	e.comma(i)
	e.out.Raw = append(AppendString(e.out.Raw, name), ':')
}

// AppendString appends s to dst as a JSON string. Invalid UTF-8 is replaced by
// U+FFFD, as encoding/json does it; nothing else than JSON requires is escaped.
func AppendString(dst []byte, s string) []byte {
	return appendString(dst, unsafe.Slice(unsafe.StringData(s), len(s))) // which only reads
}

func appendString(dst, data []byte) []byte {
	dst = append(dst, '"')
	done := 0 // data[:done] is in dst
	for i := 0; ; {
		if i = plainEnd(data, i); i >= len(data) {
			break
		}
		if c := data[i]; c < utf8.RuneSelf {
			dst = append(dst, data[done:i]...)
			dst = appendEscape(dst, c)
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, data[done:i]...)
			dst = append(dst, "\uFFFD"...)
			done = i + 1
		}
		i += size
	}
	dst = append(dst, data[done:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// AppendFloat appends f to dst as JavaScript writes a number (ECMAScript,
// Number::toString), the shortest digits that read back as the same value of
// so many bits, 32 or 64. NaN and infinities are null, as in JSON.stringify;
// negative zero keeps its sign, unlike there.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	abs := math.Abs(f)
	small, large := abs < 1e-6, abs >= 1e21
	if bits == 32 {
		small, large = float32(abs) < 1e-6, float32(abs) >= 1e21
	}
	if abs == 0 || !small && !large {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	// strconv writes two digits of exponent at least, JavaScript one.
	if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// cut shortens s for an error text.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
