package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/args"
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

// On adds a listener for an event. Listeners are called in the order in which
// they were added.
func (s *Socket) On(event string, fn func(*Event)) *Listener {
	l := &Listener{fn: fn, remove: func(l *Listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners.removeFrom(event, l)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.add(event, l)
	return l
}

// Once adds a listener that is removed when it is called.
func (s *Socket) Once(event string, fn func(*Event)) *Listener {
	var l *Listener
	var called atomic.Bool
	l = s.On(event, func(e *Event) {
		if called.CompareAndSwap(false, true) {
			l.Remove()
			fn(e)
		}
	})
	return l
}

// OnAny adds a listener for every event that the client emits. It is called
// before the listeners of the event itself.
func (s *Socket) OnAny(fn func(*Event)) *Listener {
	l := &Listener{fn: fn, remove: func(l *Listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners.any = without(s.listeners.any, l)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.any = append(slices.Clip(s.listeners.any), l)
	return l
}

// OnAnyOutgoing adds a listener for every event sent to the client, broadcasts
// included. It is called by the goroutine that emits, before the event is written, and must not
// block; the Event has a name and arguments and wants no acknowledgement.
func (s *Socket) OnAnyOutgoing(fn func(*Event)) *Listener {
	l := &Listener{fn: fn, remove: func(l *Listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outgoing = without(s.outgoing, l)
		s.watched.Store(len(s.outgoing) > 0)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outgoing = append(slices.Clip(s.outgoing), l)
	s.watched.Store(true)
	return l
}

// Use adds a middleware for incoming events. They run in the order in which
// they were added, before any listener; an error keeps the event from them and
// goes to OnError functions.
func (s *Socket) Use(fn func(*Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.middleware = append(slices.Clip(s.middleware), fn)
	s.interceptor.Store(true)
}

// OnError adds a function that is called with the error by which a middleware of
// this socket refused an event.
func (s *Socket) OnError(fn func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(slices.Clip(s.failed), fn)
}

// RemoveAllListeners removes the listeners of these events; without events, those of all
// events and the catch-all ones.
func (s *Socket) RemoveAllListeners(events ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(events) == 0 {
		s.listeners = listeners{}
	}
	for _, event := range events {
		delete(s.listeners.byEvent, event)
	}
}

// OnDisconnect adds a function that is called once when the socket has
// disconnected and left its rooms, after all its events have been handled. The reason is one that
// Socket.IO documents for the server: "client namespace disconnect", "server
// namespace disconnect", "server shutting down", "ping timeout", "transport
// close", "transport error", "parse error", "forced close", "forced server close".
func (s *Socket) OnDisconnect(fn func(reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(slices.Clip(s.gone), fn)
}

// OnDisconnecting is like OnDisconnect, but runs first, while Rooms still
// returns the rooms the socket was in.
func (s *Socket) OnDisconnecting(fn func(reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = append(slices.Clip(s.leaving), fn)
}

// Emit sends an event to this client. It does not wait for the client. The
// error is ErrDisconnected when the socket is gone, ErrReservedEvent, or tells
// which argument cannot be encoded.
func (s *Socket) Emit(event string, values ...any) error {
	return s.emit(event, values, sendFlags{})
}

func (s *Socket) emit(event string, values []any, f sendFlags) error {
	p, err := s.eventPacket(event, values)
	if err != nil {
		return err
	}
	return s.write(p, f)
}

func (s *Socket) eventPacket(event string, values []any) (*packet.Packet, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	a, err := args.Encode(values...)
	if err != nil {
		return nil, fmt.Errorf("emit %q: %w", event, err)
	}
	return &packet.Packet{Type: packet.Event, Namespace: s.nsp.name, Event: event, Args: a}, nil
}

// EmitWithAck sends an event and waits for the client's acknowledgement, whose
// arguments it returns. It ends with the error of ctx, or with ErrDisconnected
// when the socket disconnects first. In a listener it holds up the events of this socket
// meanwhile, but not its acknowledgements.
func (s *Socket) EmitWithAck(ctx context.Context, event string, values ...any) (Args, error) {
	return s.emitWithAck(ctx, event, values, sendFlags{})
}

func (s *Socket) emitWithAck(ctx context.Context, event string, values []any, f sendFlags) (Args, error) {
	type answer struct {
		args Args
		err  error
	}
	got := make(chan answer, 1)
	forget, err := s.emitCall(event, values, f, func(a Args, err error) { got <- answer{a, err} })
	if err != nil {
		return Args{}, err
	}
	select {
	case a := <-got:
		return a.args, a.err
	case <-ctx.Done():
		forget()
		return Args{}, fmt.Errorf("acknowledgement of %q: %w", event, context.Cause(ctx))
	}
}

// EmitCall sends an event and calls fn once: with the arguments of the
// acknowledgement, or with ErrTimeout after the timeout (0: none), or with
// ErrDisconnected. fn is called by a goroutine of the server and must not block.
func (s *Socket) EmitCall(timeout time.Duration, fn func(Args, error), event string, values ...any) error {
	return s.emitTimed(timeout, fn, event, values, sendFlags{})
}

func (s *Socket) emitTimed(timeout time.Duration, fn func(Args, error), event string, values []any, f sendFlags) error {
	if timeout <= 0 {
		_, err := s.emitCall(event, values, f, fn)
		return err
	}
	var once sync.Once
	var timer *time.Timer
	armed := make(chan struct{})
	forget, err := s.emitCall(event, values, f, func(a Args, err error) {
		once.Do(func() {
			<-armed
			timer.Stop()
			fn(a, err)
		})
	})
	if err != nil {
		return err
	}
	timer = time.AfterFunc(timeout, func() {
		forget()
		once.Do(func() { fn(Args{}, ErrTimeout) })
	})
	close(armed)
	return nil
}

// emitCall registers fn before it sends, since the answer may come at once.
func (s *Socket) emitCall(event string, values []any, f sendFlags, fn func(Args, error)) (forget func(), err error) {
	p, err := s.eventPacket(event, values)
	if err != nil {
		return nil, err
	}
	p.HasID, p.ID = true, s.nsp.acks.Add(1)
	if !s.expectAck(p.ID, fn) {
		return nil, fmt.Errorf("emit %q: %w", event, ErrDisconnected)
	}
	forget = func() { s.takeAck(p.ID) }
	if err := s.write(p, f); err != nil {
		forget()
		return nil, err
	}
	return forget, nil
}

func (s *Socket) takeAck(id uint64) func(Args, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn := s.acks[id]
	delete(s.acks, id)
	return fn
}

// To starts a broadcast to rooms that leaves this socket out. A socket in several of
// them receives the event once. The id of a socket is the name of a room.
func (s *Socket) To(names ...rooms.Room) *BroadcastOperator { return s.Broadcast().To(names...) }

// In is another name for To.
func (s *Socket) In(names ...rooms.Room) *BroadcastOperator { return s.To(names...) }

// Except starts a broadcast to everyone but this socket and those in the rooms.
func (s *Socket) Except(names ...rooms.Room) *BroadcastOperator {
	return s.Broadcast().Except(names...)
}

// Broadcast starts a broadcast to everyone in the namespace but this socket.
func (s *Socket) Broadcast() *BroadcastOperator {
	return &BroadcastOperator{nsp: s.nsp, from: s, exceptSockets: []rooms.SocketID{s.id}}
}

// ToSocket starts a private message to a socket or an MQTT client, see
// [BroadcastOperator.ToSocket].
func (s *Socket) ToSocket(ids ...rooms.SocketID) *BroadcastOperator {
	return s.Broadcast().ToSocket(ids...)
}

// ToUser starts a private message to a person, see [BroadcastOperator.ToUser].
func (s *Socket) ToUser(users ...string) *BroadcastOperator { return s.Broadcast().ToUser(users...) }

// Local starts a broadcast, without this socket, that stays on this server and off MQTT.
func (s *Socket) Local() *BroadcastOperator { return s.Broadcast().Local() }

// Volatile returns a sender whose events may be dropped when the client is not
// ready to receive them.
func (s *Socket) Volatile() *Sender { return &Sender{socket: s, flags: sendFlags{volatile: true}} }

// Compress returns a sender whose events may be compressed or not, see
// [BroadcastOperator.Compress].
func (s *Socket) Compress(on bool) *Sender {
	return &Sender{socket: s, flags: sendFlags{verbatim: !on}}
}

// Timeout returns a sender whose EmitWithAck fails with ErrTimeout after d.
func (s *Socket) Timeout(d time.Duration) *Sender { return &Sender{socket: s, timeout: d} }

// Sender emits to one socket with options.
type Sender struct {
	socket  *Socket
	flags   sendFlags
	timeout time.Duration
}

// Volatile adds the option of Socket.Volatile.
func (d *Sender) Volatile() *Sender {
	c := *d
	c.flags.volatile = true
	return &c
}

// Compress adds the option of Socket.Compress.
func (d *Sender) Compress(on bool) *Sender {
	c := *d
	c.flags.verbatim = !on
	return &c
}

// Timeout adds the option of Socket.Timeout.
func (d *Sender) Timeout(timeout time.Duration) *Sender {
	c := *d
	c.timeout = timeout
	return &c
}

// Emit is Socket.Emit with the options.
func (d *Sender) Emit(event string, values ...any) error {
	return d.socket.emit(event, values, d.flags)
}

// EmitWithAck is Socket.EmitWithAck with the options. After the timeout, the error is
// ErrTimeout.
func (d *Sender) EmitWithAck(ctx context.Context, event string, values ...any) (Args, error) {
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d.timeout, ErrTimeout)
		defer cancel()
	}
	return d.socket.emitWithAck(ctx, event, values, d.flags)
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

// sendFlags are the options of one packet.
type sendFlags struct {
	volatile bool
	verbatim bool // not to be compressed
}

// write encodes p and sends it on the socket's connection.
func (s *Socket) write(p *packet.Packet, f sendFlags) error {
	if !s.connected.Load() {
		return fmt.Errorf("emit %q: %w", p.Event, ErrDisconnected)
	}
	if s.nsp.memory != nil && p.Type == packet.Event && !p.HasID && !f.volatile {
		own := &rooms.Message{Event: p.Event, Targets: []rooms.Target{{Kind: rooms.ToSocket, Name: s.id}}, Verbatim: f.verbatim}
		return s.nsp.deliver(own, p, func(member *Socket) bool { return member == s })
	}
	m, err := s.nsp.server.encode(p)
	if err != nil {
		return err
	}
	if f.verbatim {
		m.DisableCompression()
	}
	if p.Type == packet.Event && s.watched.Load() {
		s.notifyOutgoing(p)
	}
	send := s.client.conn.Send
	if f.volatile {
		send = s.client.conn.SendVolatile
	}
	if err := send(m); err != nil {
		return fmt.Errorf("emit %q: %w", p.Event, err)
	}
	return nil
}

func (s *Socket) notifyOutgoing(p *packet.Packet) {
	s.mu.Lock()
	ls := s.outgoing
	s.mu.Unlock()
	if len(ls) == 0 {
		return
	}
	e := &Event{socket: s, packet: &packet.Packet{Type: packet.Event, Namespace: p.Namespace, Event: p.Event, Args: p.Args}}
	for _, l := range ls {
		l.fn(e)
	}
}

func (s *Socket) badArgument(e *Event, err error) {
	s.nsp.server.log.Warn("event with an unexpected argument",
		zap.String("socket", s.id), zap.String("event", e.Name()), zap.Error(err))
	if e.WantsAck() {
		_ = e.Ack(map[string]string{"error": err.Error()}) // the client may be gone, then nobody waits
	}
}
