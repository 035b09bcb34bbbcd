package embedded

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Control packet types, MQTT 5 section 2.1.2.
const (
	typeConnect     = 1
	typeConnack     = 2
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeSuback      = 9
	typeUnsubscribe = 10
	typeUnsuback    = 11
	typePingreq     = 12
	typePingresp    = 13
	typeDisconnect  = 14
	typeAuth        = 15
)

const (
	version31  = 3
	version311 = 4
	version5   = 5
)

// cursor reads the fields of a packet. The first field that does not fit or is
// not well formed sets err, and every later read returns zero.
type cursor struct {
	b   []byte
	err *closeError
}

func (c *cursor) fail(detail string) {
	if c.err == nil {
		c.err = malformed(detail)
	}
	c.b = nil
}

func (c *cursor) take(n int) []byte {
	if len(c.b) < n {
		c.fail("truncated")
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() byte {
	if len(c.b) == 0 {
		c.fail("truncated")
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) u16() uint16 {
	if v := c.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if v := c.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// varint reads a Variable Byte Integer, section 1.5.5, which must be encoded in
// the least number of bytes [MQTT-1.5.5-1].
func (c *cursor) varint() int {
	v, n := varint(c.b)
	if n <= 0 {
		c.fail("variable byte integer")
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varint decodes a Variable Byte Integer. n is 0 when b ends too early and -1
// when it is not well formed.
func varint(b []byte) (v, n int) {
	for i := range 4 {
		if i >= len(b) {
			return 0, 0
		}
		v |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			if i > 0 && b[i] == 0 {
				return 0, -1
			}
			return v, i + 1
		}
	}
	return 0, -1
}

func appendVarint(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func varintLen(v int) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<21:
		return 3
	}
	return 4
}

// bin reads Binary Data, section 1.5.6.
func (c *cursor) bin() []byte {
	n := c.u16()
	return c.take(int(n))
}

// str reads a UTF-8 Encoded String, section 1.5.4: well formed, and without the
// null character.
func (c *cursor) str() []byte {
	v := c.bin()
	if !utf8.Valid(v) || bytes.IndexByte(v, 0) >= 0 {
		c.fail("not UTF-8")
		return nil
	}
	return v
}

func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// frame finds the packet at the start of b: the length of its fixed header and
// of the whole. total is 0 while the fixed header is not complete.
func frame(b []byte) (header, total int, err *closeError) {
	if len(b) < 2 {
		return 0, 0, nil
	}
	remaining, n := varint(b[1:])
	if n < 0 {
		return 0, 0, malformed("remaining length")
	}
	if n == 0 {
		return 0, 0, nil
	}
	return 1 + n, 1 + n + remaining, nil
}

// checkFlags holds the first byte of a packet against section 2.1.3.
func checkFlags(first byte) *closeError {
	flags := first & 0x0f
	switch first >> 4 {
	case typePublish:
		if flags&0x06 == 0x06 {
			return malformed("QoS 3") // [MQTT-3.3.1-4]
		}
		if flags&0x06 == 0 && flags&0x08 != 0 {
			return malformed("DUP at QoS 0") // [MQTT-3.3.1-2]
		}
	case typePubrel, typeSubscribe, typeUnsubscribe:
		if flags != 0x02 {
			return malformed("flags of the fixed header")
		}
	case 0:
		return malformed("packet type 0")
	default:
		if flags != 0 {
			return malformed("flags of the fixed header")
		}
	}
	return nil
}

// ackPacket is a PUBACK, PUBREC, PUBREL or PUBCOMP.
type ackPacket struct {
	id   uint16
	code byte
}

// parseAck reads the variable header of the four acknowledgements, sections 3.4
// to 3.7.
func parseAck(kind, version byte, body []byte) (p ackPacket, err *closeError) {
	c := cursor{b: body}
	p.id = c.u16()
	if version == version5 && len(c.b) > 0 {
		p.code = c.u8()
		if len(c.b) > 0 {
			var props properties
			props.parse(&c, kind)
		}
	}
	switch {
	case c.err != nil:
		return p, c.err
	case len(c.b) > 0:
		return p, malformed("bytes after the end")
	case p.id == 0:
		return p, violation("packet identifier 0")
	}
	return p, nil
}

// appendAck writes an acknowledgement; 3.1.1 has no reason code.
func appendAck(dst []byte, kind, version byte, id uint16, code byte) []byte {
	first := kind << 4
	if kind == typePubrel {
		first |= 0x02
	}
	if version == version5 && code != codeSuccess {
		return append(dst, first, 3, byte(id>>8), byte(id), code)
	}
	return append(dst, first, 2, byte(id>>8), byte(id))
}

// disconnectPacket is a DISCONNECT by a client.
type disconnectPacket struct {
	code          byte
	hasExpiry     bool
	sessionExpiry uint32
}

func parseDisconnect(version byte, body []byte) (p disconnectPacket, err *closeError) {
	c := cursor{b: body}
	if version == version5 && len(body) > 0 {
		p.code = c.u8()
		if len(c.b) > 0 {
			var props properties
			props.parse(&c, typeDisconnect)
			p.hasExpiry = props.has(propSessionExpiry)
			p.sessionExpiry = props.sessionExpiry
		}
	}
	if c.err == nil && len(c.b) > 0 {
		c.fail("bytes after the end")
	}
	return p, c.err
}
