// Package rooms is the vocabulary that both doors of siomq share: namespaces,
// rooms, socket ids, events and their arguments, and who is in which room.
//
// It knows neither Socket.IO's wire format nor MQTT's. A [Message] is an emit
// on its way to its [Target]s; [Index] answers who is in a room, without a lock
// or a copy while a broadcast walks through the members.
//
// The package uses the standard library alone.
package rooms

// Room is the name of a room. Any string is a room name, the empty one too.
type Room = string

// SocketID names one Socket.IO connection in one namespace. An MQTT client
// identifier stands in the same place: a device has private messages as a
// socket has.
type SocketID = string

// TargetKind says what a [Target] names.
type TargetKind uint8

// The kinds of targets, each a subtree of the topic namespace.
const (
	ToAll    TargetKind = iota // everyone in the namespace: sio/{ns}/all/{event}
	ToRoom                     // a room: sio/{ns}/room/{room}/{event}
	ToSocket                   // one socket or MQTT client: sio/{ns}/socket/{sid}/{event}
	ToUser                     // every connection of one person: sio/{ns}/user/{user}/{event}
)

// String returns the level that stands for k in a topic.
func (k TargetKind) String() string {
	switch k {
	case ToAll:
		return "all"
	case ToRoom:
		return "room"
	case ToSocket:
		return "socket"
	case ToUser:
		return "user"
	}
	return "unknown"
}

// Target is who a message is for.
type Target struct {
	Kind TargetKind
	Name string // room, socket id or user; empty for ToAll
}

// Args are the arguments of an event in the form in which they travel: raw
// JSON values and the binary attachments they refer to. They are decoded only
// where somebody asks, and what is relayed is never decoded at all.
//
// Args share memory with the packet they came from and must not be modified.
type Args struct {
	// Raw holds the JSON values separated by commas, without brackets:
	// `"hello",{"n":1}`. Binary data stands in it as Socket.IO writes it,
	// `{"_placeholder":true,"num":0}`, num counting into Attachments.
	Raw []byte
	// N is the number of values in Raw.
	N int
	// Attachments are the binary parts. Whoever holds them only reads.
	Attachments [][]byte
}

// Message is one emit: an event with its arguments on its way to its targets.
// A Message is not modified once it is handed to an adapter.
type Message struct {
	Namespace string   // "/", "/chat"
	Event     string   // the event's name
	Args      Args     // its arguments
	Targets   []Target // a socket in several of them receives it once

	// ExceptRooms and ExceptSockets are left out, as with except() and
	// broadcast. A topic cannot say them: MQTT subscribers are not affected.
	ExceptRooms   []Room
	ExceptSockets []SocketID

	Volatile  bool   // may be dropped where a connection is not ready
	Transient bool   // is not kept for sockets that may come back
	Local     bool   // stays on this server, and off MQTT
	Retain    bool   // is also the last value of its topic
	QoS       byte   // MQTT quality of service of the publish, 0 to 2
	Expiry    uint32 // seconds after which the broker forgets it; 0: never
	Verbatim  bool   // is not to be compressed on its way to sockets of this server

	// Only names the one socket of the targets that is to receive it, if not empty: a last
	// value, for a socket that has joined.
	Only SocketID

	// ClientID is the MQTT client identifier of the publisher, empty when the
	// message was emitted by a server.
	ClientID string

	// Hops is how many bridges to other topics it has passed (adapter/bridge).
	Hops uint8
}
