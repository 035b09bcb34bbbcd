package engine

import (
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"

	"siomq/internal/ws"
)

// Packet types of the protocol, section "Protocol".
const (
	packetOpen    = '0'
	packetClose   = '1'
	packetPing    = '2'
	packetPong    = '3'
	packetMessage = '4'
	packetUpgrade = '5'
	packetNoop    = '6'
	// packetBinary marks a base64 message in a polling payload, section "Packet
	// encoding, HTTP long-polling".
	packetBinary = 'b'
)

// separator stands between the packets of a polling payload.
const separator = 0x1e

// Part is one Engine.IO message: a text, or bytes.
type Part struct {
	Data   []byte // text must be valid UTF-8
	Binary bool
}

// Message is one or more parts which are sent back to back, with nothing of
// anybody else between them. It is framed once and never changes, so it may be
// sent to any number of sockets by any number of goroutines.
type Message struct {
	ws       []byte // WebSocket frames, ready to be written
	control  bool   // not a message of the user: heartbeat, open, close
	verbatim bool   // not to be compressed
	binary   bool   // it has binary parts
	largest  int    // bytes of the largest payload of a frame that may be compressed

	deflated atomic.Pointer[Message]    // the compressed form, once somebody has needed it
	third    [2]atomic.Pointer[Message] // likewise those of revision 3: with bytes, with base64
}

// Packets that are the same for every session. They never change.
var (
	pingMessage  = newControl(packetPing)
	noopMessage  = newControl(packetNoop)
	closeMessage = newControl(packetClose)
	probeAnswer  = newControl([]byte("3probe")...)
	// closeFrame ends a WebSocket. Like the reference implementation it has no
	// status code: the reason of a session is not told in the frame.
	closeFrame = &Message{ws: ws.AppendClose(nil, ws.CodeNoStatus, ""), control: true}
)

func newControl(packet ...byte) *Message {
	return &Message{ws: ws.AppendFrame(nil, ws.Text, packet), control: true}
}

// NewMessage makes a message of parts; it copies their data.
func NewMessage(parts ...Part) *Message {
	size, largest, binary := 0, 0, false
	for i := range parts {
		n := len(parts[i].Data)
		size += ws.MaxHeader + 1 + n
		if parts[i].Binary {
			binary = true
		} else {
			n++ // the packet type
		}
		largest = max(largest, n)
	}
	buf := make([]byte, 0, size)
	for i := range parts {
		buf = appendPart(buf, parts[i])
	}
	return &Message{ws: buf, largest: largest, binary: binary}
}

// appendPart appends one WebSocket frame, section "Packet encoding, WebSocket":
// text has its packet type in front, bytes are as they are.
func appendPart(dst []byte, p Part) []byte {
	if p.Binary {
		return ws.AppendFrame(dst, ws.Binary, p.Data)
	}
	dst = ws.AppendHeader(dst, ws.Text, 1+len(p.Data))
	dst = append(dst, packetMessage)
	return append(dst, p.Data...)
}

// NewText makes a message of one text and binary attachments after it. The text
// is what build appends to its argument, framed in place without a copy; size
// is a guess of its length. The attachments are copied.
func NewText(size int, build func(dst []byte) []byte, attachments ...[]byte) *Message {
	room := ws.MaxHeader + 1 + size
	for _, a := range attachments {
		room += ws.MaxHeader + len(a)
	}
	buf := make([]byte, ws.MaxHeader+1, room)
	buf[ws.MaxHeader] = packetMessage
	buf = build(buf)
	largest := len(buf) - ws.MaxHeader
	frames := ws.FrameInPlace(buf, ws.Text)
	for _, a := range attachments {
		frames = ws.AppendFrame(frames, ws.Binary, a)
		largest = max(largest, len(a))
	}
	return &Message{ws: frames, largest: largest, binary: len(attachments) > 0}
}

// Len is the number of bytes that the message takes on a WebSocket and in a
// queue when it is not compressed.
func (m *Message) Len() int { return len(m.ws) }

// appendPayload appends the packets of m as they stand in a polling payload,
// a separator between them.
func (m *Message) appendPayload(dst []byte) []byte {
	rest := m.ws
	for first := true; len(rest) > 0; first = false {
		op, head, n := frameAt(rest)
		data := rest[head : head+n]
		rest = rest[head+n:]
		if !first {
			dst = append(dst, separator)
		}
		if op == ws.Binary {
			dst = append(dst, packetBinary)
			dst = base64.StdEncoding.AppendEncode(dst, data)
		} else {
			dst = append(dst, data...)
		}
	}
	return dst
}

// frameAt reads the header of the server frame that b begins with: its opcode,
// the length of the header and that of the payload. All frames in a Message are
// its own, so they are well formed.
func frameAt(b []byte) (op ws.Opcode, head, n int) {
	op = ws.Opcode(b[0] & 0x0f)
	switch n = int(b[1]); n {
	case 126:
		return op, 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return op, 10, int(binary.BigEndian.Uint64(b[2:]))
	default:
		return op, 2, n
	}
}
