// Package acl decides who may join, emit, publish, subscribe and receive. One
// decision serves both doors: what an MQTT client may subscribe to is what a
// socket may join, and where it may publish a socket may emit.
//
// [Default] is the policy of docs/TOPICS.md, the one in force where nothing
// else is configured. [Rules] adds an ACL file as Mosquitto reads it
// ([Mosquitto]) and the project's own rules for rooms ([RoomRules]); [Load]
// reads both, and a [Reloadable] reads them again while the server runs.
//
//	policy, err := acl.Load(codec, acl.Files{Mosquitto: "mosquitto.acl", Rooms: "rooms.acl"})
//	p := &acl.Principal{ID: "sensor-1", Username: "ann", Roles: []string{"teacher"}}
//	policy.CanPublish(p, "sio/main/room/lobby/message")
//	policy.CanJoin(p, "/", "lobby")
//	policy.CanSubscribe(p, "#")                        // true: each delivery is decided
//	policy.CanReceive(p, "sio/main/socket/other/note") // false
//
// Access is decided on the real topic of each delivery, so no wildcard, shared
// subscription, retained message or will shows what its reader may not read.
// Refusing a subscription is a courtesy: it tells a client early that nothing
// will come.
//
// # How the parts combine
//
// Beneath the prefix (sio/...), and between servers, all that are configured must
// allow: the table of docs/TOPICS.md, the rules for rooms and Mosquitto's file.
// No rule gives what the table refuses, so private messages stay private.
// Everywhere else Mosquitto's file alone decides when there is one, as it
// would in Mosquitto, and else every topic is open but those that begin with $.
//
// # Rules for rooms
//
// One rule a line; the first that matches decides; when none does, the rules
// allow. docs/ACL.md has the whole with examples:
//
//	allow join,emit   namespace /class  room staff-*  role teacher
//	deny  join,emit   namespace /class  room staff-*
//	allow join        room desk-{user}
//	deny  join        room desk-*
//	deny  emit        to all            event alarm   role guest
//	deny  publish     anonymous
//
// join and emit are judged at both doors, where subscribing is joining and
// publishing is emitting; subscribe and publish at the MQTT door only.
//
// The functions are pure and may be called by many goroutines at once. They
// do not block.
package acl

import (
	"slices"

	"siomq/rooms"
	"siomq/rooms/topic"
)

// Roles that mean something to [Default]. All other roles are the operator's,
// for the rules of rooms.
const (
	// RoleBackend receives what sockets emit to the server, acknowledges it, and
	// makes sockets join, leave and disconnect: from, call, ack and control of
	// the topic table.
	RoleBackend = "backend"
	// RoleServer may do what servers do: everything beneath the prefix and
	// between servers, the private messages of everybody included. It is for
	// other siomq servers that use this one's broker, never for people.
	RoleServer = "server"
)

// ToServer is the target of an event that a socket emits to the server itself,
// for [Policy].CanEmit. No message is sent to it.
const ToServer rooms.TargetKind = 1 << 7

// TopicRoom begins the name of a room that is a subscription: topic:a/+/b.
const TopicRoom = "topic:"

// Principal is who asks. It is not modified while it is in use.
type Principal struct {
	// ID is the MQTT client identifier or the socket id: the name of the
	// private topic socket/{sid}. Empty means none.
	ID string
	// Username is who was authenticated, the name of the private topic
	// user/{user}. Empty means nobody: an anonymous client is no user.
	Username string
	// Roles are what authentication says of the principal.
	Roles []string
}

// Is reports whether p has the role.
func (p *Principal) Is(role string) bool { return slices.Contains(p.Roles, role) }

// Policy decides. Implementations take topic names and filters that are valid,
// with $share/{group}/ removed. All methods may be called by many
// goroutines at once; they do not block, and do not keep p, which is not nil.
//
// The first three are the MQTT door, and whatever else reads or writes topics;
// the others the Socket.IO door.
type Policy interface {
	// CanPublish decides a publish, Will Messages included.
	CanPublish(p *Principal, n topic.Name) bool
	// CanSubscribe decides a subscription. It refuses a filter only when
	// CanReceive would refuse every name that the filter matches.
	CanSubscribe(p *Principal, f topic.Filter) bool
	// CanReceive decides one delivery by its real topic.
	CanReceive(p *Principal, n topic.Name) bool

	// CanConnect decides whether a socket may be in a namespace, where it
	// receives what is emitted to everyone in it.
	CanConnect(p *Principal, namespace string) bool
	// CanJoin decides whether a socket may be in a room, where it receives
	// every event of it: it is refused where CanReceive would refuse one. A
	// room whose name begins with [TopicRoom] is judged as a subscription to
	// the filter after it; deliveries to it need CanReceive each.
	CanJoin(p *Principal, namespace string, room rooms.Room) bool
	// CanEmit decides whether a socket may emit the event to the target, one of
	// kind [ToServer] for what it emits to the server.
	CanEmit(p *Principal, namespace string, to rooms.Target, event string) bool
}

// Uniform is a Policy that knows what is the same for everybody.
type Uniform interface {
	// EveryoneReceives reports that CanReceive is true for every principal, so
	// that a delivery to very many clients need ask only once. False says nothing.
	EveryoneReceives(n topic.Name) bool
}
