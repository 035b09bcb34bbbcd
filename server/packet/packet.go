package packet

import (
	"strings"

	"siomq/rooms"
)

// Type is the type of a packet, section "Packet types" of the protocol.
type Type uint8

// The types of packets with their digits on the wire. A Packet that a Decoder
// returns is never BinaryEvent or BinaryAck: these say on the wire that
// attachments follow, which a Packet says by Args.Attachments.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError
	BinaryEvent
	BinaryAck
)

// String returns the name of t as the protocol spells it.
func (t Type) String() string {
	switch t {
	case Connect:
		return "CONNECT"
	case Disconnect:
		return "DISCONNECT"
	case Event:
		return "EVENT"
	case Ack:
		return "ACK"
	case ConnectError:
		return "CONNECT_ERROR"
	case BinaryEvent:
		return "BINARY_EVENT"
	case BinaryAck:
		return "BINARY_ACK"
	}
	return "unknown"
}

// Packet is one Socket.IO packet.
type Packet struct {
	Type      Type
	HasID     bool   // whether ID counts; an Ack of a decoder may lack one, it answers nothing
	ID        uint64 // acknowledgement id of Event and Ack
	Namespace string // begins with a slash; "" is "/" when encoding
	Event     string // name of an Event; a number is its decimal text

	// Args are the arguments of an Event, without its name, and of an Ack.
	Args rooms.Args

	// Data is raw JSON: of a Connect an object or nil, of a ConnectError an
	// object or a string. Nil otherwise.
	Data []byte
}

// Reserved reports whether name must not be used as the name of an event,
// because servers and clients give it a meaning of their own.
func Reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// CutQuery splits the query string off a namespace: "/admin?token=1" is "/admin"
// and "token=1". Only protocol revision 4 (Socket.IO 2.x clients) sends one; in
// revision 5 the question mark is a part of the name.
func CutQuery(namespace string) (name, query string) {
	name, query, _ = strings.Cut(namespace, "?")
	return name, query
}
