package ws

import "net"

// Stream is a net.Conn over binary messages: their bytes, joined, are what Read gives; each Write is one binary
// message. Message borders mean nothing (MQTT 5 section 6.0). A text message ends the connection with CodeUnsupported
// [MQTT-6.0.0-1]. MaxMessage of the Upgrade has no effect, since messages are passed on as they arrive.
// Safe for use as any net.Conn: one reader, any number of writers, Close and deadlines at any time.
// It answers pings and the peer's Close itself. Close sends a Close frame if that is possible without waiting.
type Stream struct {
	net.Conn // replaced by own methods below
}

// NewStream makes a Stream of c, which belongs to it from now on.
func NewStream(c *Conn) *Stream { panic("not yet") }
