package engine

// Part is one Engine.IO message: a text, or bytes.
type Part struct {
	Data   []byte // text must be valid UTF-8
	Binary bool
}

// Message is one or more parts which are sent back to back, with nothing of
// anybody else between them. It is framed once and never changes, so it may be
// sent to any number of sockets by any number of goroutines.
type Message struct {
	ws []byte
}

// NewMessage makes a message of parts; it copies their data.
func NewMessage(parts ...Part) *Message {
	panic("TODO")
}

// NewText makes a message of one text and binary attachments after it. The text
// is what build appends to its argument, framed in place without a copy; size
// is a guess of its length. The attachments are copied.
func NewText(size int, build func(dst []byte) []byte, attachments ...[]byte) *Message {
	panic("TODO")
}

// Len is the number of bytes that the message takes on a WebSocket and in a
// queue.
func (m *Message) Len() int { return len(m.ws) }
