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

// Causes that Handler.Close is given beside the reason.
var (
	errPollOverlap  = errors.New("a second GET while one is open")
	errPostOverlap  = errors.New("a second POST while one is open")
	errPollGone     = errors.New("the client left during a GET")
	errPostBinary   = errors.New("a POST of application/octet-stream, which revision 4 does not have")
	errTooLarge     = errors.New("payload over the announced maxPayload")
	errNoPong       = errors.New("no pong within the ping timeout")
	errNoPing       = errors.New("no ping within the ping interval and timeout")
	errPanic        = errors.New("the handler panicked")
	errCloseTimeout = errors.New("the client did not take what was queued before the close")
)

// Why a packet ends the session. The text is not sent to anybody.
var (
	errPacket      = errors.New("not a packet")
	errUTF8        = errors.New("text that is not UTF-8")
	errBase64      = errors.New("binary packet that is not base64")
	errHeartbeat   = errors.New("ping in the wrong direction")
	errClientClose = errors.New("close packet")
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
