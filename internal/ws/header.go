package ws

import (
	"encoding/binary"
)

// header is the header of a client frame, RFC 6455 section 5.2.
type header struct {
	fin    bool
	op     Opcode
	rsv1   bool   // the message that begins here is compressed
	key    uint32 // masking key as the four bytes read as little endian
	length int64  // bytes of payload
}

// parseHeader reads a frame header from the beginning of b. size is its length, or 0 when b is too short for it; what
// is wrong is told as soon as the bytes that show it are there. A length in a longer form than needed is accepted: it
// is a fault of the sender (section 5.2) that does no harm, and small devices always send the same form. deflate tells
// that permessage-deflate was agreed on.
func parseHeader(b []byte, deflate bool) (h header, size int, err error) {
	if len(b) < 1 {
		return h, 0, nil
	}
	h.fin = b[0]&bitFin != 0
	h.op = Opcode(b[0] & 0x0f)
	h.rsv1 = b[0]&bitRSV1 != 0
	if err := checkFirst(b[0], deflate); err != nil || len(b) < 2 {
		return h, 0, err
	}
	if b[1]&bitMask == 0 {
		return h, 0, violation(CodeProtocol, "frame is not masked")
	}
	length := b[1] &^ bitMask
	if h.op >= CloseFrame && length > maxControl {
		return h, 0, violation(CodeProtocol, "control frame is too long")
	}
	size = 2
	switch length {
	case 126:
		if size = 4; len(b) < size {
			return h, 0, nil
		}
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if size = 10; len(b) < size {
			return h, 0, nil
		}
		h.length = int64(binary.BigEndian.Uint64(b[2:]))
		if h.length < 0 {
			return h, 0, violation(CodeProtocol, "frame length has its first bit set")
		}
	default:
		h.length = int64(length)
	}
	if len(b) < size+4 {
		return h, 0, nil
	}
	h.key = binary.LittleEndian.Uint32(b[size:])
	return h, size + 4, nil
}

// checkFirst checks the first byte of a frame: reserved bits, opcode, control frames whole. With permessage-deflate RSV1 is
// for the first frame of a message alone, RFC 7692 section 6.1.
func checkFirst(b byte, deflate bool) error {
	allowed := byte(0)
	if op := Opcode(b & 0x0f); deflate && (op == Text || op == Binary) {
		allowed = bitRSV1
	}
	if b&bitsRSV&^allowed != 0 {
		return violation(CodeProtocol, "reserved bit is set")
	}
	switch op := Opcode(b & 0x0f); op {
	case Continuation, Text, Binary:
	case CloseFrame, Ping, Pong:
		if b&bitFin == 0 {
			return violation(CodeProtocol, "control frame is fragmented")
		}
	default:
		return violation(CodeProtocol, "opcode is reserved")
	}
	return nil
}

// violation is the error for what the peer may not do.
func violation(code Code, reason string) error {
	return &CloseError{Code: code, Reason: reason, Local: true}
}
