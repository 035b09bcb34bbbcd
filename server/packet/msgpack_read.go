package packet

import (
	"encoding/binary"
	"fmt"

	"siomq/rooms/args"
)

// What follows reads the few msgpack values that a packet is made of beside its
// payload. The codes are those of the msgpack specification, section "Formats".

var errShort = fmt.Errorf("%w: unexpected end", args.ErrMsgpack)

// members are the values of a packet's map, as msgpack; nil if missing or undefined.
type members struct{ typ, nsp, id, data []byte }

// readMembers takes apart the map that data is. Of members that come twice, the
// last counts, as in JavaScript.
func readMembers(data []byte) (m members, err error) {
	n, rest, err := readMap(data)
	if err != nil {
		return m, err
	}
	for range n {
		var key, value []byte
		if key, rest, err = cutValue(rest); err != nil {
			return m, err
		}
		if value, rest, err = cutValue(rest); err != nil {
			return m, err
		}
		if string(value) == undefined {
			value = nil
		}
		name, _ := readString(key)
		switch string(name) {
		case "type":
			m.typ = value
		case "nsp":
			m.nsp = value
		case "id":
			m.id = value
		case "data":
			m.data = value
		}
	}
	if len(rest) > 0 {
		return m, fmt.Errorf("%w: %d trailing bytes", args.ErrMsgpack, len(rest))
	}
	return m, nil
}

// undefined is how notepack.io writes it, see args.MsgpackRules.
const undefined = "\xd4\x00\x00"

// readMap reads the header of a map.
func readMap(data []byte) (n uint64, rest []byte, err error) {
	size, inside, err := item(data)
	switch {
	case err != nil:
		return 0, nil, err
	case data[0]&0xf0 != 0x80 && data[0] != 0xde && data[0] != 0xdf:
		return 0, nil, fmt.Errorf("%w: not a map", args.ErrMsgpack)
	}
	return inside / 2, data[size:], nil
}

// readUint reads an integer that is not negative. value is one whole value or empty.
func readUint(value []byte) (n uint64, ok bool) {
	if len(value) == 0 {
		return 0, false
	}
	code := value[0]
	switch {
	case code < 0x80:
		return uint64(code), true
	case code < 0xcc || code > 0xd3:
		return 0, false
	case code >= 0xd0 && value[1] >= 0x80: // a sign
		return 0, false
	}
	return bigEndian(value[1:]), true
}

// readString returns the bytes of a string, which may be no valid UTF-8. value
// is one whole value or empty.
func readString(value []byte) (text []byte, ok bool) {
	if len(value) == 0 {
		return nil, false
	}
	switch code := value[0]; {
	case code&0xe0 == 0xa0:
		return value[1:], true
	case code >= 0xd9 && code <= 0xdb:
		return value[1+1<<(code-0xd9):], true
	}
	return nil, false
}

// cutValue splits data behind its first value. It takes no account of nesting, and
// costs no more than the length of the value.
func cutValue(data []byte) (value, rest []byte, err error) {
	rest = data
	for left := uint64(1); left > 0; left-- {
		if left > uint64(len(rest)) { // each takes a byte at least
			return nil, nil, errShort
		}
		size, inside, err := item(rest)
		if err != nil {
			return nil, nil, err
		}
		rest = rest[size:]
		left += inside
	}
	return data[:len(data)-len(rest)], rest, nil
}

// item returns how many bytes the first value of data takes without the values
// inside it, which are there, and how many values are inside it.
func item(data []byte) (size int, inside uint64, err error) {
	if len(data) == 0 {
		return 0, 0, errShort
	}
	head, body := itemSize(data[0])
	if head == 0 {
		return 0, 0, fmt.Errorf("%w: code 0x%02x", args.ErrMsgpack, data[0])
	}
	if head > len(data) {
		return 0, 0, errShort
	}
	switch code := data[0]; {
	case code == 0xdc || code == 0xdd:
		inside = bigEndian(data[1:head])
	case code == 0xde || code == 0xdf:
		inside = 2 * bigEndian(data[1:head])
	case code >= 0x80 && code < 0x90:
		inside = 2 * uint64(code&0x0f)
	case code >= 0x90 && code < 0xa0:
		inside = uint64(code & 0x0f)
	case code >= 0xc4 && code <= 0xc6, code >= 0xd9 && code <= 0xdb:
		body = bigEndian(data[1:head])
	case code >= 0xc7 && code <= 0xc9:
		body = bigEndian(data[1:head]) + 1
	}
	if body > uint64(len(data)-head) {
		return 0, 0, errShort
	}
	return head + int(body), inside, nil
}

// itemSize returns how long the code is with the length behind it, 0 if there is no such
// code, and how many bytes follow if the code alone says so.
func itemSize(code byte) (head int, body uint64) {
	switch {
	case code < 0xa0, code >= 0xe0, code == 0xc0, code == 0xc2, code == 0xc3:
		return 1, 0
	case code < 0xc0: // fixstr
		return 1, uint64(code & 0x1f)
	case code >= 0xc4 && code <= 0xc6: // bin
		return 1 + 1<<(code-0xc4), 0
	case code >= 0xc7 && code <= 0xc9: // ext
		return 1 + 1<<(code-0xc7), 0
	case code == 0xca || code == 0xcb: // float
		return 1, 4 << (code - 0xca)
	case code >= 0xcc && code <= 0xcf: // uint
		return 1, 1 << (code - 0xcc)
	case code >= 0xd0 && code <= 0xd3: // int
		return 1, 1 << (code - 0xd0)
	case code >= 0xd4 && code <= 0xd8: // fixext, with a byte for the type
		return 1, 1 + 1<<(code-0xd4)
	case code >= 0xd9 && code <= 0xdb: // str
		return 1 + 1<<(code-0xd9), 0
	case code == 0xdc || code == 0xdd: // array
		return 1 + 2<<(code-0xdc), 0
	case code == 0xde || code == 0xdf: // map
		return 1 + 2<<(code-0xde), 0
	}
	return 0, 0
}

// bigEndian reads a number of 1, 2, 4 or 8 bytes.
func bigEndian(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}
