package engine

import "errors"

// Errors that the methods of Socket return, to be compared with errors.Is.
var (
	// ErrClosed: the session is closing or closed; the message was not taken.
	ErrClosed = errors.New("engine: socket closed")
	// ErrQueueFull: the client reads too slowly, its queue is over
	// Options.MaxQueue. The session is being closed.
	ErrQueueFull = errors.New("engine: queue full")
)

// Reason says why a session ended. Those below are used by this package, in
// the words of the reference implementation; Socket.Close takes others too.
type Reason string

const (
	// TransportClose: the client closed the session or its connection.
	TransportClose Reason = "transport close"
	// TransportError: the connection failed, or the client broke a rule of the
	// transport.
	TransportError Reason = "transport error"
	// PingTimeout: no pong arrived within PingTimeout of a ping.
	PingTimeout Reason = "ping timeout"
	// ParseError: the client sent something that is no packet.
	ParseError Reason = "parse error"
	// ForcedClose: this side closed the session.
	ForcedClose Reason = "forced close"
)
