package engine

import (
	"bytes"
	"time"

	"siomq/internal/ws"
)

// Tests that need to know when a request has reached the session use these:
// nothing outside shows it.

// HasPoll tells whether a GET is open.
func HasPoll(s *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poll != nil
}

// HasPost tells whether a POST is open.
func HasPost(s *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.post != nil
}

// Upgrading tells whether a WebSocket for an upgrade is open.
func Upgrading(s *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upgrade != nil
}

// EachPacket is eachPacket, for the fuzz target.
var EachPacket = eachPacket

// StreamFrames returns the WebTransport form of a message.
func StreamFrames(m *Message) []byte {
	l := newStreamLink(&Server{}, nil)
	sink := &memoryStream{}
	l.use(sink)
	_, _ = l.Write(m.ws) // memory takes everything
	return sink.Bytes()
}

// ReadStream gives f each frame that it reads from data, until an error.
func ReadStream(data []byte, limit int, f func(binary bool, payload []byte)) error {
	l := newStreamLink(&Server{}, nil)
	l.use(&memoryStream{Buffer: *bytes.NewBuffer(data)})
	for {
		buf := new([]byte)
		op, err := l.next(buf, limit)
		if err == errStreamEnd {
			return nil
		}
		if err != nil {
			return err
		}
		f(op == ws.Binary, *buf)
	}
}

// memoryStream is a Stream in memory.
type memoryStream struct{ bytes.Buffer }

func (*memoryStream) SetReadDeadline(time.Time) error  { return nil }
func (*memoryStream) SetWriteDeadline(time.Time) error { return nil }
func (*memoryStream) Reset()                           {}

// DecodeBase64 is decodeBase64, for the fuzz target.
var DecodeBase64 = decodeBase64

// Frames returns the WebSocket form of a message.
func Frames(m *Message) []byte { return m.ws }

// Payload returns the polling form of a message.
func Payload(m *Message) string { return string(m.appendPayload(nil)) }

// AcceptedCoding is acceptedCoding.
var AcceptedCoding = acceptedCoding

// Deflated returns the compressed form of a message, nil when it was not made.
func Deflated(m *Message) *Message { return m.deflated.Load() }

// Compress makes the compressed form of a message.
func Compress(m *Message, p *PerMessageDeflate) *Message { return m.deflate(p, new([]byte)) }
