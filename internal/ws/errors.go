package ws

import (
	"errors"
	"strconv"
)

// Code is a close status code, RFC 6455 section 7.4.
type Code uint16

// The close codes this package uses or meets. CodeNoStatus and CodeAbnormal are never sent.
const (
	CodeNormal      Code = 1000
	CodeGoingAway   Code = 1001
	CodeProtocol    Code = 1002
	CodeUnsupported Code = 1003
	CodeNoStatus    Code = 1005 // a Close frame without a code was received
	CodeAbnormal    Code = 1006
	CodeInvalidData Code = 1007 // text that is not UTF-8
	CodePolicy      Code = 1008
	CodeTooBig      Code = 1009
	CodeInternal    Code = 1011
	CodeRestart     Code = 1012
	CodeTryLater    Code = 1013
)

// ErrTryUnsupported is what TryWrite and TryWritev answer when the connection has no nonblocking write.
var ErrTryUnsupported = errors.New("ws: connection has no nonblocking write")

// CloseError ends the reading of a connection: the peer sent a Close frame, or what it sent breaks the protocol.
type CloseError struct {
	// Code is the code received, CodeNoStatus when there was none, or the code of the violation.
	Code Code
	// Reason is the text received, or what was wrong.
	Reason string
	// Local tells that the peer sent no Close frame: this side found the violation.
	Local bool
}

// Error names the code and the reason.
func (e *CloseError) Error() string {
	who := "ws: closed by peer with "
	if e.Local {
		who = "ws: peer violates the protocol: "
	}
	s := who + strconv.Itoa(int(e.Code))
	if e.Reason != "" {
		s += " " + strconv.Quote(e.Reason)
	}
	return s
}

// HandshakeError is returned by Upgrade when it has answered the request with an HTTP error.
type HandshakeError struct {
	Status int    // HTTP status that was sent
	Reason string // what was wrong, as sent in the body
}

// Error gives the status and the reason.
func (e *HandshakeError) Error() string {
	return "ws: handshake refused with " + strconv.Itoa(e.Status) + ": " + e.Reason
}
