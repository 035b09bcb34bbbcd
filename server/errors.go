package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"siomq/server/packet"
)

// Errors that callers act on, to be compared with errors.Is.
var (
	// ErrServerClosed is returned by Serve after Shutdown.
	ErrServerClosed = errors.New("server closed")
	// ErrDisconnected: the socket is not connected (any more); nothing was sent.
	ErrDisconnected = errors.New("socket disconnected")
	// ErrReservedEvent: the event's name belongs to Socket.IO itself: connect,
	// connect_error, disconnect, disconnecting, newListener, removeListener.
	ErrReservedEvent = errors.New("reserved event name")
	// ErrTimeout: no acknowledgement within the time given by Timeout.
	ErrTimeout = errors.New("operation has timed out")
	// ErrNoAck: Ack was called for an event whose sender asked for none, or a
	// second time.
	ErrNoAck = errors.New("no acknowledgement expected")
	// ErrNoMQTT: the operation needs Options.Broker.
	ErrNoMQTT = errors.New("no MQTT broker configured")
)

// Error is an error whose text and data reach the client, in the connect_error
// event when it comes from a namespace middleware. The text of any other error
// reaches the client too, as it does in Socket.IO; its data does not.
type Error struct {
	Message string
	Data    any // encoded as JSON, may be nil
}

func (e *Error) Error() string { return e.Message }

// connectErrorPayload is the payload of CONNECT_ERROR: an object with message and, optionally,
// data (Socket.IO protocol, "Connection to a namespace").
func connectErrorPayload(err error) []byte {
	payload := struct {
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{Message: err.Error()}
	var e *Error
	if errors.As(err, &e) {
		payload.Message, payload.Data = e.Message, e.Data
	}
	b, jsonErr := json.Marshal(payload)
	if jsonErr != nil {
		b, _ = json.Marshal(map[string]string{"message": payload.Message}) // a string always encodes
	}
	return b
}

// errorPayload4 is the payload for a client of revision 4: the data of the error,
// or its text if the data are nothing that JavaScript takes for true, as Socket.IO 4 does it (lib/namespace.ts,
// _add). An invalid namespace is an object there, as for other clients.
func errorPayload4(err error) []byte {
	text := err.Error()
	var e *Error
	if errors.As(err, &e) {
		b, jsonErr := json.Marshal(e.Data)
		if jsonErr == nil && !slices.Contains([]string{`null`, `false`, `0`, `-0`, `""`}, string(b)) {
			return b
		}
		text = e.Message
	}
	b, _ := json.Marshal(text) // a string always encodes
	return b
}

func checkEvent(event string) error {
	if packet.Reserved(event) {
		return fmt.Errorf("emit %q: %w", event, ErrReservedEvent)
	}
	return nil
}
