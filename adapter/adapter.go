// Package adapter is the seam between a server and what carries its messages
// beyond the server itself.
//
// A server opens an [Adapter] for each of its namespaces and broadcasts through
// it. [Memory] stays within the process. [MQTT] also publishes in the topic
// namespace of docs/TOPICS.md, and hands what MQTT clients publish there to the
// namespace.
package adapter

import (
	"context"

	"siomq/adapter/broker"
	"siomq/rooms"
)

// Local is a namespace of this server, as an adapter sees it. Its methods may be
// called by many goroutines at once.
type Local interface {
	// Namespace returns the name, "/" or "/chat".
	Namespace() string
	// Deliver puts m into the queue of every socket here that it is for. It does
	// not wait for a client.
	Deliver(m *rooms.Message) error
	// Call is Deliver for an event that wants acknowledgements.
	Call(c *Call) error
	// Receive takes what an MQTT client published into the namespace. An error means
	// that the namespace refused it. It may block that client, and nobody else. With a
	// Call, whose Message is left to the namespace, the sockets are asked to acknowledge.
	Receive(m *rooms.Message, c *Call) error
	// Acknowledge takes a backend's acknowledgement of what a socket emitted. It
	// reports false when nobody waits for it: another one was faster, or the socket is gone.
	Acknowledge(id rooms.SocketID, ack string, a rooms.Args) bool
	// Control takes what a backend wants done with sockets here.
	Control(c *Control)
	// ServerSide takes an event that another server emitted to the servers of the namespace. answer,
	// not nil when acknowledgements are wanted, may be called once, by any goroutine.
	ServerSide(event string, a rooms.Args, answer func(rooms.Args))
	// HasSocket reports whether a socket with this id is connected here.
	HasSocket(id rooms.SocketID) bool
}

// Adapter carries the messages of one namespace.
type Adapter interface {
	// Broadcast delivers m to its targets: first to the local sockets, then beyond.
	// An error of the second does not undo the first. Messages of one goroutine
	// keep their order.
	Broadcast(m *rooms.Message) error
	// Call is Broadcast for an event that wants acknowledgements of the sockets
	// that receive it.
	Call(c *Call) error
	// ServerSideEmit hands an event to the other servers of the namespace. With wantAcks it
	// waits for their acknowledgements and returns them, those that came when ctx ends included.
	// Without other servers there is nothing to do.
	ServerSideEmit(ctx context.Context, event string, a rooms.Args, wantAcks bool) ([]rooms.Args, error)
	// Close ends the adapter; the namespace is gone.
	Close()
}

// Watcher is an Adapter that follows what the sockets here do.
type Watcher interface {
	// Joined says that a socket is now in these rooms; connected, that it has just come into
	// the namespace. It is called without a lock held, after the fact.
	Joined(id rooms.SocketID, names []rooms.Room, connected bool)
	// Emitted says what a socket emitted to the server, before its listeners hear of it.
	Emitted(e *Emitted)
}

// TopicWatcher is an Adapter that can follow any topics of the broker.
type TopicWatcher interface {
	// Watch calls fn for each publish whose topic the filter matches, those of this server included,
	// until stop is called, which waits for calls that are under way. fn must not block, and must not keep
	// the message.
	Watch(filter string, fn func(*broker.Message)) (stop func(), err error)
}

// Emitted is an event that a socket emitted to the server.
type Emitted struct {
	ID    rooms.SocketID
	Event string
	Args  rooms.Args
	// Ack names the acknowledgement that the client waits for, empty for none.
	Ack string
	// Expect is called, if Ack is not empty, before anybody can answer by Local.Acknowledge. It
	// reports false when no more answers can be waited for.
	Expect func() bool
}

// Control is an order of a backend: join, leave or disconnect.
type Control struct {
	Target rooms.Target // a socket, or all sockets in a room
	Verb   string       // topic.VerbJoin, VerbLeave, VerbDisconnect
	Rooms  []rooms.Room // to join or leave
	Close  bool         // disconnect: the connection too
}

// Call is a broadcast that wants acknowledgements. Its functions may be called by
// any goroutine, before Adapter.Call returns and after, and must not block.
type Call struct {
	Message *rooms.Message
	// Expect is called once for each server that takes part, with the number of sockets that
	// it has sent the event to.
	Expect func(sockets int)
	// Answer is called for each of them at most once: with the arguments of its acknowledgement, or
	// with an error when it is gone.
	Answer func(id rooms.SocketID, a rooms.Args, err error)
	// Context ends when nobody waits for answers any more.
	Context context.Context
}

// Constructor opens the adapter of a namespace.
type Constructor func(Local) Adapter

// Memory is the adapter of a server that stands alone.
func Memory(local Local) Adapter { return memory{local} }

type memory struct{ local Local }

func (a memory) Broadcast(m *rooms.Message) error { return a.local.Deliver(m) }
func (a memory) Call(c *Call) error               { return a.local.Call(c) }
func (memory) Close()                             {}

// ServerSideEmit reaches nobody: there are no other servers.
func (memory) ServerSideEmit(context.Context, string, rooms.Args, bool) ([]rooms.Args, error) {
	return nil, nil
}
