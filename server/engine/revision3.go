package engine

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf8"

	"siomq/internal/ws"
)

// Revision 3 of the protocol, that of Socket.IO 2.x clients
// (https://github.com/socketio/engine.io-protocol/tree/v3). What is different:
// pings come from the client; a binary message has its packet type in front, also on
// WebSocket; and a polling payload says the length of each packet.

const revision3 = 3

// binaryMessage is the packet type of a message in front of bytes, where it is a
// number and not a digit.
const binaryMessage = 4

var pongMessage = newControl(packetPong)

// revision returns the revision that a handshake asks for, 0 for one that is not
// spoken here. Without a parameter it is 3, as in the reference implementation.
func (o *Options) revision(eio string) int {
	switch {
	case eio == "4":
		return 4
	case o.AllowEIO3 && (eio == "3" || eio == ""):
		return revision3
	}
	return 0
}

// revision3 returns the form of m for clients of revision 3: bytes have the
// packet type in front, or are base64 in a text for clients that asked for it with the
// b64 query parameter. It is made when the first of them needs it.
func (m *Message) revision3(b64 bool) *Message {
	if !m.binary {
		return m
	}
	cached := &m.third[0]
	if b64 {
		cached = &m.third[1]
	}
	if f := cached.Load(); f != nil {
		return f
	}
	f := &Message{ws: make([]byte, 0, len(m.ws)+len(m.ws)/2), verbatim: m.verbatim}
	for rest := m.ws; len(rest) > 0; {
		op, head, n := frameAt(rest)
		data := rest[head : head+n]
		if op == ws.Binary {
			n = f.appendBinary3(data, b64)
		} else {
			f.ws = append(f.ws, rest[:head+n]...)
		}
		if m.largest > 0 { // else m is not to be compressed
			f.largest = max(f.largest, n)
		}
		rest = rest[head+len(data):]
	}
	cached.Store(f) // two who make it at once make the same
	return f
}

// appendBinary3 appends the frame of one binary message, and returns the length
// of its payload.
func (m *Message) appendBinary3(data []byte, b64 bool) int {
	if !b64 {
		m.ws = ws.AppendHeader(m.ws, ws.Binary, 1+len(data))
		m.ws = append(m.ws, binaryMessage)
		m.ws = append(m.ws, data...)
		return 1 + len(data)
	}
	n := 2 + base64.StdEncoding.EncodedLen(len(data))
	m.ws = ws.AppendHeader(m.ws, ws.Text, n)
	m.ws = appendBase64(m.ws, data)
	return n
}

func appendBase64(dst, data []byte) []byte {
	dst = append(dst, packetBinary, packetMessage)
	return base64.StdEncoding.AppendEncode(dst, data)
}

// appendPayload3 appends messages, in their form for revision 3, as a polling
// payload (section "Payload"), and tells whether it has the binary form. That is used
// when it must be: a payload without binary messages is text.
func appendPayload3(dst []byte, messages []*Message, b64 bool) (payload []byte, binary bool) {
	binary = !b64 && slices.ContainsFunc(messages, (*Message).hasBinaryFrame)
	for _, m := range messages {
		for rest := m.ws; len(rest) > 0; {
			op, head, n := frameAt(rest)
			data := rest[head : head+n]
			rest = rest[head+n:]
			switch {
			case binary:
				dst = appendPacketBinary3(dst, data, op == ws.Binary)
			case op == ws.Binary:
				data = data[1:]
				dst = strconv.AppendInt(dst, int64(2+base64.StdEncoding.EncodedLen(len(data))), 10)
				dst = appendBase64(append(dst, ':'), data)
			default:
				dst = strconv.AppendInt(dst, int64(utf16Len(data)), 10)
				dst = append(append(dst, ':'), data...)
			}
		}
	}
	return dst, binary
}

func (m *Message) hasBinaryFrame() bool {
	for rest := m.ws; len(rest) > 0; {
		op, head, n := frameAt(rest)
		if op == ws.Binary {
			return true
		}
		rest = rest[head+n:]
	}
	return false
}

// endOfLength stands after the digits of a length in the binary form of a payload.
const endOfLength = 255

// appendPacketBinary3 appends one packet of the binary form: 0 for text and 1 for
// bytes, the decimal digits of the length in bytes, each as a number, 255, and the packet.
func appendPacketBinary3(dst, packet []byte, binary bool) []byte {
	kind := byte(0)
	if binary {
		kind = 1
	}
	dst = append(dst, kind)
	at := len(dst)
	dst = strconv.AppendInt(dst, int64(len(packet)), 10)
	for i := at; i < len(dst); i++ {
		dst[i] -= '0'
	}
	dst = append(dst, endOfLength)
	return append(dst, packet...)
}

// utf16Len is the length of a text as JavaScript counts it, in UTF-16 code units.
func utf16Len(text []byte) int {
	n := 0
	for _, c := range text {
		if utf8.RuneStart(c) {
			n++
		}
		if c >= 0xf0 { // the first of four bytes, a surrogate pair
			n++
		}
	}
	return n
}

// eachPacket3 calls f with each packet of a payload in text form, length:packet,
// until one is refused. An empty packet is skipped: "0:" is how no packets at all are encoded.
func eachPacket3(payload []byte, f func(packet []byte) error) error {
	if !utf8.Valid(payload) {
		return errUTF8
	}
	for first := true; first || len(payload) > 0; first = false {
		digits, rest, ok := bytes.Cut(payload, []byte{':'})
		n, valid := parseLength(digits, '0', len(payload))
		if !ok || !valid {
			return errPacket
		}
		if n, ok = utf16Cut(rest, n); !ok {
			return errPacket
		}
		if n > 0 {
			if err := f(rest[:n]); err != nil {
				return err
			}
		}
		payload = rest[n:]
	}
	return nil
}

// parseLength reads decimal digits, the first of which is zero. It refuses a
// length over limit, and so never overflows.
func parseLength(digits []byte, zero byte, limit int) (n int, ok bool) {
	for _, c := range digits {
		if c < zero || c > zero+9 {
			return 0, false
		}
		if n = 10*n + int(c-zero); n > limit {
			return 0, false
		}
	}
	return n, len(digits) > 0
}

// utf16Cut returns how many bytes the first n code units of a text take. It
// returns false when there are fewer, or a surrogate pair is cut in two.
func utf16Cut(text []byte, n int) (size int, ok bool) {
	for n > 0 && size < len(text) {
		switch c := text[size]; { // text is valid UTF-8
		case c < 0x80:
			size++
		case c < 0xe0:
			size += 2
		case c < 0xf0:
			size += 3
		default:
			size += 4
			n--
		}
		n--
	}
	return size, n == 0
}

// eachPacketBinary3 calls f with each packet of a payload in binary form, until
// one is refused.
func eachPacketBinary3(payload []byte, f func(packet []byte, binary bool) error) error {
	for first := true; first || len(payload) > 0; first = false {
		digits, rest, ok := bytes.Cut(payload, []byte{endOfLength})
		if !ok || digits == nil || len(digits) == 0 || digits[0] > 1 {
			return errPacket
		}
		n, ok := parseLength(digits[1:], 0, len(rest))
		if !ok {
			return errPacket
		}
		binary := digits[0] == 1
		if !binary && !utf8.Valid(rest[:n]) {
			return errUTF8
		}
		if err := f(rest[:n], binary); err != nil {
			return err
		}
		payload = rest[n:]
	}
	return nil
}

// packet3 is packet for revision 3. binary tells whether data are bytes or a text.
// The caller holds recv.
func (s *Socket) packet3(data []byte, binary bool) error {
	switch {
	case len(data) == 0:
		return errPacket
	case binary && data[0] == binaryMessage:
		s.deliver(data[1:], true)
	case binary:
		return errPacket
	case data[0] == packetPing:
		s.onPing()
	case data[0] == packetPong:
		return errHeartbeat
	case data[0] != packetBinary:
		return s.packet(data)
	case len(data) == 1 || data[1] != packetMessage:
		return errPacket
	default:
		decoded, err := decodeBase64(data[2:])
		if err != nil {
			return err
		}
		s.deliver(decoded, true)
	}
	return nil
}

// textPacket3 is packet3 for what is text.
func (s *Socket) textPacket3(data []byte) error { return s.packet3(data, false) }

// onPing answers a ping of the client. Pings that come while an answer waits
// are answered by it: a client that sends many and does not read makes no queue of them.
func (s *Socket) onPing() {
	s.mu.Lock()
	if s.state.Load() == stateOpen && s.phase == phaseClient {
		s.graced = false
		s.armLocked(phaseClient, s.srv.opts.PingInterval+s.srv.opts.PingTimeout)
		if s.emptyLocked() || s.queue[len(s.queue)-1] != pongMessage {
			s.pushLocked(pongMessage)
		}
	}
	s.mu.Unlock()
	s.Flush()
}
