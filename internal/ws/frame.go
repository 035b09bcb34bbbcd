package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcode is the type of a frame or message, RFC 6455 section 5.2.
type Opcode byte

// The opcodes there are. Messages are Text or Binary.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	CloseFrame   Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// MaxHeader is the length in bytes of the longest header of a server frame, which carries no mask.
const MaxHeader = 10

// maxControl is the longest payload of a control frame, RFC 6455 section 5.5.
const maxControl = 125

const (
	bitFin  = 0x80
	bitsRSV = 0x70
	bitMask = 0x80
)

// HeaderLen returns the length in bytes of the header of a server frame with n bytes of payload: 2, 4 or 10.
func HeaderLen(n int) int {
	switch {
	case n <= 125:
		return 2
	case n <= 0xffff:
		return 4
	default:
		return 10
	}
}

// PutHeader writes the header of an unfragmented server frame with n bytes of payload into dst, which has room for
// HeaderLen(n) bytes, and returns that length.
func PutHeader(dst []byte, op Opcode, n int) int {
	dst[0] = bitFin | byte(op)
	switch {
	case n <= 125:
		dst[1] = byte(n)
		return 2
	case n <= 0xffff:
		dst[1] = 126
		binary.BigEndian.PutUint16(dst[2:], uint16(n))
		return 4
	default:
		dst[1] = 127
		binary.BigEndian.PutUint64(dst[2:], uint64(n))
		return 10
	}
}

// FrameInPlace frames a payload without moving it. The first MaxHeader bytes of buf are room, the payload is the rest.
// The header is written into the end of the room; the result is the frame, a part of buf.
func FrameInPlace(buf []byte, op Opcode) []byte {
	n := len(buf) - MaxHeader
	frame := buf[MaxHeader-HeaderLen(n):]
	PutHeader(frame, op, n)
	return frame
}

// AppendHeader appends the header of an unfragmented server frame with n bytes of payload.
func AppendHeader(dst []byte, op Opcode, n int) []byte {
	var h [MaxHeader]byte
	return append(dst, h[:PutHeader(h[:], op, n)]...)
}

// AppendFrame appends an unfragmented server frame. The frame does not depend on the connection, so that one can be
// written to many. A control frame's payload has at most 125 bytes; what is longer is cut.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	if op >= CloseFrame && len(payload) > maxControl {
		payload = payload[:maxControl]
	}
	dst = AppendHeader(dst, op, len(payload))
	return append(dst, payload...)
}

// AppendClose appends a Close frame. A code that may not be sent (0, CodeNoStatus, CodeAbnormal and every other that
// RFC 6455 section 7.4 reserves) gives a Close frame without code and reason. The reason is cut to 123 bytes at the
// border of a character.
func AppendClose(dst []byte, code Code, reason string) []byte {
	if !code.sendable() {
		return AppendHeader(dst, CloseFrame, 0)
	}
	if len(reason) > maxControl-2 {
		cut := maxControl - 2
		for cut > 0 && !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	dst = AppendHeader(dst, CloseFrame, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// sendable tells whether the code may stand in a Close frame, RFC 6455 section 7.4 and the IANA registry (up to 1014).
func (c Code) sendable() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014:
		return true
	default:
		return c >= 3000 && c <= 4999
	}
}
