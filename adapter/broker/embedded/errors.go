package embedded

import "fmt"

// Reason codes of MQTT 5 section 2.4 that this package sends itself.
const (
	codeSuccess            byte = 0x00
	codeDisconnectWithWill byte = 0x04
	codeUnspecified        byte = 0x80
	codeMalformed          byte = 0x81
	codeProtocolError      byte = 0x82
	codeBadVersion         byte = 0x84
	codeBadClientID        byte = 0x85
	codeBadCredentials     byte = 0x86
	codeNotAuthorized      byte = 0x87
	codeUnavailable        byte = 0x88
	codeServerBusy         byte = 0x89
	codeShuttingDown       byte = 0x8B
	codeBadAuthMethod      byte = 0x8C
	codeKeepAliveTimeout   byte = 0x8D
	codeTakenOver          byte = 0x8E
	codeBadFilter          byte = 0x8F
	codeBadTopic           byte = 0x90
	codeIDNotFound         byte = 0x92
	codeReceiveMaximum     byte = 0x93
	codeBadAlias           byte = 0x94
	codeTooLarge           byte = 0x95
	codeQuotaExceeded      byte = 0x97
)

// closeError ends a connection: what an MQTT 5 client is told, and the word
// under which it is counted and logged.
type closeError struct {
	code   byte
	reason string // counter and log field
	detail string // for people
}

func (e *closeError) Error() string {
	return fmt.Sprintf("%s: %s (0x%02x)", e.reason, e.detail, e.code)
}

func malformed(detail string) *closeError {
	return &closeError{codeMalformed, "malformed packet", detail}
}

func violation(detail string) *closeError {
	return &closeError{codeProtocolError, "protocol error", detail}
}

// Reasons for which connections end, beside those that a closeError names.
const (
	reasonClosed       = "connection closed"
	reasonConnectTime  = "connect timeout"
	reasonTLS          = "TLS handshake"
	reasonKeepAlive    = "keep alive timeout"
	reasonOverflow     = "queue overflow"
	reasonTakenOver    = "session taken over"
	reasonShutdown     = "server shutting down"
	reasonPanic        = "panic"
	reasonRefused      = "connect refused"
	reasonConnections  = "too many connections"
	reasonDisconnected = "disconnected"
	reasonMochi        = "ended by mochi"
	reasonSmallPackets = "client packet size"
)
