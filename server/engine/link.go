package engine

import (
	"time"

	"siomq/internal/ws"
)

// link is the connection of a session that does not poll: a WebSocket, or the
// stream of a WebTransport session. What is written to it are the frames of a
// Message; one Write has whole frames, or with CanTry the rest of a TryWrite.
type link interface {
	// ReadLoop gives each message to h until reading or h fails.
	ReadLoop(h ws.Handler) error
	Write(b []byte) (int, error)
	// CanTry tells whether TryWrite, which never blocks, can be used.
	CanTry() bool
	TryWrite(b []byte) (int, error)
	// TakesCompressed tells whether frames may be compressed when their payload has
	// n bytes.
	TakesCompressed(n int) bool
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// Close drops the connection and does not block.
	Close() error
}

// transportOf names the transport that a link belongs to; nil is polling.
func transportOf(conn link) string {
	switch conn.(type) {
	case nil:
		return Polling
	case *streamLink:
		return WebTransport
	default:
		return WebSocket
	}
}
