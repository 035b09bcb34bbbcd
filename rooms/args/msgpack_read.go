package args

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"siomq/rooms"
)

// ReadMsgpack reads one value from the beginning of data, appends it to dst as
// one more value, and returns the data behind it. Binary data becomes an attachment that
// shares memory with data. The slices of dst are appended to, so they must not be
// shared with anybody.
//
// A float is written with the fewest digits that read back the same, NaN and
// infinities as null. The keys of a map may be strings, integers, floats, booleans
// and nil. A timestamp (extension type -1) is a string like JavaScript's
// Date.toJSON. Other keys and extension types are ErrMsgpack, strings that are not
// valid UTF-8 ErrUTF8, over MaxDepth is ErrDepth, over MaxAttachments
// ErrTooManyAttachments.
//
// A map may look like a placeholder: when all values are read, Check tells.
func ReadMsgpack(dst *rooms.Args, data []byte) (rest []byte, err error) {
	return ReadMsgpackBy(MsgpackRules{}, dst, data)
}

// MsgpackRules say how ReadMsgpackBy differs from ReadMsgpack.
type MsgpackRules struct {
	// MaxDepth is the deepest nesting, the array that the values stand in
	// included. Zero and negative mean the constant MaxDepth; over it, no other
	// function of this package takes the result.
	MaxDepth int
	// MaxAttachments replaces the constant where it is positive.
	MaxAttachments int
	// Notepack gives extension type 0 the meanings of npm notepack.io: in 1
	// byte (code 0xd4) undefined, which is null and, as in JSON.stringify, leaves a
	// member of a map out; in 8 bytes (code 0xd7) a Date in milliseconds; and in
	// the forms of any length an ArrayBuffer, which is binary data.
	Notepack bool
}

// ReadMsgpackBy is ReadMsgpack with rules.
func ReadMsgpackBy(rules MsgpackRules, dst *rooms.Args, data []byte) (rest []byte, err error) {
	if rules.MaxDepth <= 0 {
		rules.MaxDepth = MaxDepth
	}
	if rules.MaxAttachments <= 0 {
		rules.MaxAttachments = MaxAttachments
	}
	r := msgpackReader{rules: rules, out: *dst, data: data}
	if r.out.N > 0 {
		r.out.Raw = append(r.out.Raw, ',')
	}
	if err := r.value(1); err != nil { // 1: arguments stand in an array
		return data, fmt.Errorf("%w at byte %d", err, len(data)-len(r.data))
	}
	r.out.N++
	*dst = r.out
	return r.data, nil
}

// ReadMsgpackArray reads the header of an array.
func ReadMsgpackArray(data []byte) (n int, rest []byte, err error) {
	r := msgpackReader{data: data}
	code, err := r.byte()
	if err != nil {
		return 0, data, err
	}
	size := uint64(code & 0x0f)
	switch {
	case code&0xf0 == 0x90:
	case code == 0xdc || code == 0xdd:
		size, err = r.uint(2 << (code - 0xdc))
	default:
		err = fmt.Errorf("%w: not an array", ErrMsgpack)
	}
	return int(size), r.data, err
}

// msgpackReader transcodes what is left of data to out.
type msgpackReader struct {
	rules MsgpackRules
	out   rooms.Args
	data  []byte
}

var errShort = fmt.Errorf("%w: unexpected end", ErrMsgpack)

func (r *msgpackReader) byte() (byte, error) {
	b, err := r.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// take returns the next n bytes.
func (r *msgpackReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.data)) {
		return nil, errShort
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b, nil
}

// uint reads a big-endian number of so many bytes.
func (r *msgpackReader) uint(size int) (uint64, error) {
	b, err := r.take(uint64(size))
	if err != nil {
		return 0, err
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, nil
}

// sized reads a length of so many bytes, and as many bytes.
func (r *msgpackReader) sized(size int) ([]byte, error) {
	n, err := r.uint(size)
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

// value reads a value that stands inside depth arrays and maps. The codes are
// those of the msgpack specification, section "Formats".
func (r *msgpackReader) value(depth int) error {
	code, err := r.byte()
	if err != nil {
		return err
	}
	var n uint64
	switch {
	case code < 0x80 || code >= 0xe0: // fixint
		r.out.Raw = strconv.AppendInt(r.out.Raw, int64(int8(code)), 10)
		return nil
	case code < 0x90:
		return r.members(uint64(code&0x0f), depth)
	case code < 0xa0:
		return r.elements(uint64(code&0x0f), depth)
	case code < 0xc0:
		return r.string(r.take(uint64(code & 0x1f)))
	case code >= 0xc4 && code <= 0xc6:
		return r.binary(r.sized(1 << (code - 0xc4)))
	case code >= 0xd9 && code <= 0xdb:
		return r.string(r.sized(1 << (code - 0xd9)))
	case code == 0xdc || code == 0xdd:
		if n, err = r.uint(2 << (code - 0xdc)); err != nil {
			return err
		}
		return r.elements(n, depth)
	case code == 0xde || code == 0xdf:
		if n, err = r.uint(2 << (code - 0xde)); err != nil {
			return err
		}
		return r.members(n, depth)
	}
	return r.scalar(code)
}

// scalar reads nil, booleans, numbers and extension types.
func (r *msgpackReader) scalar(code byte) error {
	var n uint64
	var err error
	switch {
	case code == 0xc0:
		r.out.Raw = append(r.out.Raw, "null"...)
	case code == 0xc2 || code == 0xc3:
		r.out.Raw = strconv.AppendBool(r.out.Raw, code == 0xc3)
	case code == 0xca:
		n, err = r.uint(4)
		r.out.Raw = AppendFloat(r.out.Raw, float64(math.Float32frombits(uint32(n))), 32)
	case code == 0xcb:
		n, err = r.uint(8)
		r.out.Raw = AppendFloat(r.out.Raw, math.Float64frombits(n), 64)
	case code >= 0xcc && code <= 0xcf:
		n, err = r.uint(1 << (code - 0xcc))
		r.out.Raw = strconv.AppendUint(r.out.Raw, n, 10)
	case code >= 0xd0 && code <= 0xd3:
		size := 1 << (code - 0xd0)
		n, err = r.uint(size)
		shift := 64 - 8*size // the sign
		r.out.Raw = strconv.AppendInt(r.out.Raw, int64(n<<shift)>>shift, 10)
	case code >= 0xc7 && code <= 0xc9:
		if n, err = r.uint(1 << (code - 0xc7)); err == nil {
			err = r.extension(code, n)
		}
	case code >= 0xd4 && code <= 0xd8:
		err = r.extension(code, 1<<(code-0xd4))
	default: // 0xc1 is never used
		err = fmt.Errorf("%w: code 0x%02x", ErrMsgpack, code)
	}
	return err
}

func (r *msgpackReader) elements(n uint64, depth int) error {
	if depth >= r.rules.MaxDepth {
		return ErrDepth
	}
	r.out.Raw = append(r.out.Raw, '[')
	for i := range n {
		if i > 0 {
			r.out.Raw = append(r.out.Raw, ',')
		}
		if err := r.value(depth + 1); err != nil {
			return err
		}
	}
	r.out.Raw = append(r.out.Raw, ']')
	return nil
}

func (r *msgpackReader) members(n uint64, depth int) error {
	if depth >= r.rules.MaxDepth {
		return ErrDepth
	}
	r.out.Raw = append(r.out.Raw, '{')
	for range n {
		start := len(r.out.Raw)
		if r.out.Raw[start-1] != '{' {
			r.out.Raw = append(r.out.Raw, ',')
		}
		if err := r.key(); err != nil {
			return err
		}
		if r.rules.Notepack && hasPrefix(r.data, 0, undefined) {
			r.data = r.data[len(undefined):]
			r.out.Raw = r.out.Raw[:start]
			continue
		}
		r.out.Raw = append(r.out.Raw, ':')
		if err := r.value(depth + 1); err != nil {
			return err
		}
	}
	r.out.Raw = append(r.out.Raw, '}')
	return nil
}

// key reads the key of a map: a string, or a scalar whose text it becomes.
func (r *msgpackReader) key() error {
	if len(r.data) == 0 {
		return errShort
	}
	start := len(r.out.Raw)
	switch code := r.data[0]; {
	case code >= 0xa0 && code < 0xc0, code >= 0xd9 && code <= 0xdb:
		return r.value(0)
	case code >= 0x80 && code < 0xa0, code >= 0xc4 && code <= 0xc9,
		code >= 0xd4 && code <= 0xd8, code >= 0xdc && code <= 0xdf:
		return fmt.Errorf("%w: key of code 0x%02x", ErrMsgpack, code)
	}
	r.out.Raw = append(r.out.Raw, '"')
	if err := r.value(0); err != nil {
		return err
	}
	if string(r.out.Raw[start:]) == `"-0` { // as String(-0)
		r.out.Raw = append(r.out.Raw[:start], `"0`...)
	}
	r.out.Raw = append(r.out.Raw, '"')
	return nil
}

func (r *msgpackReader) string(b []byte, err error) error {
	switch {
	case err != nil:
		return err
	case !utf8.Valid(b):
		return ErrUTF8
	}
	r.out.Raw = appendString(r.out.Raw, b)
	return nil
}

func (r *msgpackReader) binary(b []byte, err error) error {
	switch {
	case err != nil:
		return err
	case len(r.out.Attachments) >= r.rules.MaxAttachments:
		return ErrTooManyAttachments
	}
	r.out.Raw = appendPlaceholder(r.out.Raw, len(r.out.Attachments))
	r.out.Attachments = append(r.out.Attachments, b)
	return nil
}

// undefined is how notepack.io writes it.
const undefined = "\xd4\x00\x00"

// extension reads an extension type whose data are n bytes, and that began with code.
func (r *msgpackReader) extension(code byte, n uint64) error {
	typ, err := r.byte()
	if err != nil {
		return err
	}
	b, err := r.take(n)
	switch {
	case err != nil:
		return err
	case int8(typ) == -1:
		return r.timestamp(b)
	case typ != 0 || !r.rules.Notepack:
	case code == 0xd4:
		r.out.Raw = append(r.out.Raw, "null"...)
		return nil
	case code == 0xd7:
		r.date(int64(binary.BigEndian.Uint64(b)))
		return nil
	case code <= 0xc9:
		return r.binary(b, nil)
	}
	return fmt.Errorf("%w: extension type %d", ErrMsgpack, int8(typ))
}

// date writes the time of a JavaScript Date as Date.toJSON does: years that have
// no four digits with a sign and six, and what is no time as null.
func (r *msgpackReader) date(ms int64) {
	const most = 864e13 // ECMAScript, "Time Values and Time Range"
	if ms < -most || ms > most {
		r.out.Raw = append(r.out.Raw, "null"...)
		return
	}
	at, layout := time.UnixMilli(ms).UTC(), dateLayout
	r.out.Raw = append(r.out.Raw, '"')
	if year := at.Year(); year < 0 || year > 9999 {
		sign := byte('+')
		if year < 0 {
			sign, year = '-', -year
		}
		r.out.Raw = append(r.out.Raw, sign)
		digits := strconv.Itoa(1e6 + year)
		r.out.Raw = append(r.out.Raw, digits[1:]...)
		layout = dateLayout[len("2006"):]
	}
	r.out.Raw = at.AppendFormat(r.out.Raw, layout)
	r.out.Raw = append(r.out.Raw, '"')
}

// dateLayout is the form of JavaScript's Date.toJSON.
const dateLayout = "2006-01-02T15:04:05.000Z"

// timestamp writes a time, see the msgpack specification, section "Timestamp
// extension type".
func (r *msgpackReader) timestamp(b []byte) error {
	const from, to = -62167219200, 253402300799 // the years 0 to 9999
	var sec int64
	var nsec uint32
	switch len(b) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(b))
	case 8:
		n := binary.BigEndian.Uint64(b)
		sec, nsec = int64(n&(1<<34-1)), uint32(n>>34)
	case 12:
		nsec, sec = binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return fmt.Errorf("%w: timestamp of %d bytes", ErrMsgpack, len(b))
	}
	if nsec > 999999999 || sec < from || sec > to {
		return fmt.Errorf("%w: timestamp out of range", ErrMsgpack)
	}
	layout := dateLayout
	if nsec%1e6 != 0 {
		layout = "2006-01-02T15:04:05.000000000Z"
	}
	r.out.Raw = append(r.out.Raw, '"')
	r.out.Raw = time.Unix(sec, int64(nsec)).UTC().AppendFormat(r.out.Raw, layout)
	r.out.Raw = append(r.out.Raw, '"')
	return nil
}
