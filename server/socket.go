package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/server/packet"
)

// Socket is one client in one namespace. A connection that uses several
// namespaces has a Socket in each.
//
// Its events are handled in the order in which they came, one at a time; a slow
// listener holds up this socket alone. All methods may be called by any
// goroutine, listeners included; emits of one goroutine arrive in its order.
type Socket struct {
	// Fixed once it is connected.
	id          rooms.SocketID
	privateID   string // with which the client may come back; empty without recovery
	startOffset uint64 // newest event when it connected first
	recovered   bool
	nsp         *Namespace
	client      *client
	handshake   *Handshake
	inbox       inbox

	connected   atomic.Bool
	muted       atomic.Bool // events that wait are not handled any more
	watched     atomic.Bool // there are listeners for outgoing events
	interceptor atomic.Bool // there is middleware for incoming events

	mu         sync.Mutex // for the fields below; nothing is called while it is held
	state      socketState
	listeners  listeners
	outgoing   []*Listener
	middleware []func(*Event) error
	failed     []func(error)         // OnError
	leaving    []func(reason string) // OnDisconnecting
	gone       []func(reason string) // OnDisconnect
	data       any
	principal  *acl.Principal    // who it is; set once, before it is admitted
	user       string            // see SetUser
	early      []string          // keys of rooms joined in a middleware, before it is a member
	lastRooms  []string          // keys of those it was in, while OnDisconnecting runs
	calls      map[string]*Event // which backends may acknowledge, by id
	acks       map[uint64]func(Args, error)
	ctx        context.Context // made when somebody asks
	cancel     context.CancelFunc
}

type socketState uint8

const (
	socketConnecting socketState = iota // middleware decides
	socketConnected
	socketClosed
)

func newSocket(c *client, n *Namespace, h *Handshake) *Socket {
	s := &Socket{id: n.server.newSocketID(), nsp: n, client: c, handshake: h}
	s.inbox.limit = n.server.opts.EventQueue
	s.inbox.wg = &n.server.running
	return s
}

// ID returns the socket's id, which is also the name of a room of its own.
func (s *Socket) ID() rooms.SocketID { return s.id }

// Namespace returns the namespace it is in.
func (s *Socket) Namespace() *Namespace { return s.nsp }

// Handshake returns what is known of it from the time it connected.
func (s *Socket) Handshake() *Handshake { return s.handshake }

// Connected reports whether the socket is connected.
func (s *Socket) Connected() bool { return s.connected.Load() }

// Recovered reports whether the client came back within the time given by Options.Recovery:
// id, rooms and data are those it had, and it has got what it missed.
func (s *Socket) Recovered() bool { return s.recovered }

// Transport returns the transport now in use: "polling" or "websocket".
func (s *Socket) Transport() string { return s.client.conn.Transport() }

// Data returns what SetData kept, nil at first.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData keeps a value with the socket, for the server's own use.
func (s *Socket) SetData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = v
}

// User returns who the socket is, see SetUser; empty when nobody said.
func (s *Socket) User() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user
}

// SetUser says who the socket is: private messages to that person reach it. A
// namespace middleware that has checked who it is calls it; the name must not be taken on trust.
// It is called once, before or after the socket is admitted.
func (s *Socket) SetUser(name string) error {
	s.mu.Lock()
	if s.user != "" && s.user != name {
		s.mu.Unlock()
		return fmt.Errorf("set user %q: the socket is %q", name, s.user)
	}
	s.user = name
	if s.state == socketConnecting {
		s.early = append(s.early, userKey(name))
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if !s.nsp.index.Join(s.id, userKey(name)) {
		return fmt.Errorf("set user %q: %w", name, ErrDisconnected)
	}
	return nil
}

// Context returns a context that ends when the socket disconnects.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		if s.state == socketClosed {
			s.cancel()
		}
	}
	return s.ctx
}

// Join puts the socket into rooms; in a namespace middleware, as soon as it is
// admitted. The error is ErrDisconnected when it is not in the namespace any more, it is
// then in no room, and ErrNotAllowed when Options.Policy says no, it is then in none of these.
//
// A room "topic:" and a topic filter is that MQTT subscription: the socket receives every publish that
// matches as the event TopicEvent ("mqtt") with three arguments: the topic, the payload, and an object with qos,
// retain and what else the publish has.
func (s *Socket) Join(names ...rooms.Room) error {
	if err := s.mayJoin(names); err != nil {
		return err
	}
	s.mu.Lock()
	if s.state == socketConnecting {
		s.early = append(s.early, roomKeys(names)...)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	var errs error
	if slices.ContainsFunc(names, isTopicRoom) {
		for _, name := range names {
			if isTopicRoom(name) {
				errs = errors.Join(errs, s.nsp.topics.join(s, name))
			}
		}
		names = slices.DeleteFunc(slices.Clone(names), isTopicRoom)
	}
	if len(names) > 0 {
		errs = errors.Join(errs, s.joinRooms(names))
	}
	s.nsp.index.Tell()
	return errs
}

// joinRooms puts the socket into rooms that are not topic rooms.
func (s *Socket) joinRooms(names []rooms.Room) error {
	joined := names
	if s.nsp.watcher != nil {
		joined = slices.DeleteFunc(slices.Clone(names), func(r rooms.Room) bool { return s.nsp.index.Has(s.id, roomKey(r)) })
	}
	if !s.nsp.index.Join(s.id, roomKeys(names)...) {
		return fmt.Errorf("join %q: %w", names, ErrDisconnected)
	}
	if s.nsp.watcher != nil && len(joined) > 0 {
		s.nsp.watcher.Joined(s.id, joined, false)
	}
	return nil
}

// Leave takes the socket out of a room. It does nothing when it is not in it.
func (s *Socket) Leave(name rooms.Room) {
	s.mu.Lock()
	if s.state == socketConnecting {
		s.early = slices.DeleteFunc(s.early, func(key string) bool { return key == roomKey(name) })
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	if isTopicRoom(name) {
		s.nsp.topics.leave(s, name)
	} else {
		s.nsp.index.Leave(s.id, roomKey(name))
	}
	s.nsp.index.Tell()
}

// Rooms returns the rooms the socket is in, its own first. While OnDisconnecting
// functions run, these are the rooms it was in.
func (s *Socket) Rooms() []rooms.Room {
	s.mu.Lock()
	last := s.lastRooms
	if s.state == socketConnecting {
		last = s.early
	}
	s.mu.Unlock()
	if last == nil {
		last = s.nsp.index.Rooms(s.id)
	}
	return roomsOf(last)
}

// Disconnect ends the socket: the client gets a DISCONNECT packet after all
// that was emitted before, and events of it that still wait are dropped. With
// CloseConnection, the connection ends too, and with it its sockets in other namespaces.
func (s *Socket) Disconnect(also ...DisconnectOption) {
	if slices.Contains(also, CloseConnection) {
		s.client.disconnect()
		return
	}
	s.disconnect()
}

// DisconnectOption extends Disconnect.
type DisconnectOption uint8

// CloseConnection also closes the connection that the socket is on.
const CloseConnection DisconnectOption = 1

func (s *Socket) disconnect() {
	s.closeWith(reasonServerDisconnect, true, func() {
		s.client.forget(s, kickedByServer) // before the packet, upon which the client may connect again at once
		s.client.send(&packet.Packet{Type: packet.Disconnect, Namespace: s.nsp.name})
	})
}
