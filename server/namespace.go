package server

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"siomq/adapter"
	"siomq/rooms"
)

// Namespace is one of the namespaces of a server, from [Server.Of]. Its methods
// may be called by any goroutine.
type Namespace struct {
	// Fixed after New.
	name    string
	server  *Server
	index   *rooms.Index[*Socket]
	adapter adapter.Adapter
	watcher adapter.Watcher // the adapter, if it follows what sockets do; else nil
	topics  topicRooms
	memory  *recovery        // of clients that may come back; nil without Options.Recovery
	parent  *ParentNamespace // that it came from; nil for one from Server.Of

	acks atomic.Uint64 // ids of acknowledgements given so far

	pins int // sockets that are in it or on the way; guarded by Server.mu

	mu         sync.Mutex // for the fields below; nothing is called while it is held
	middleware []func(*Socket) error
	connection []func(*Socket)
	publish    []func(*Publish) error
	changes    []func(RoomChange)
	serverSide map[string][]func(*ServerEvent)
}

func newNamespace(srv *Server, name string) *Namespace {
	n := &Namespace{name: name, server: srv, index: rooms.NewIndex[*Socket]()}
	if srv.opts.Recovery != nil {
		n.memory = newRecovery(srv.opts.Recovery, srv.newSocketID()[:8]+"-")
	}
	n.adapter = srv.openAdapter(n)
	n.watcher, _ = n.adapter.(adapter.Watcher)
	n.topics.nsp = n
	n.topics.watcher, _ = n.adapter.(adapter.TopicWatcher)
	n.adapter = srv.bridgeAdapter(n.adapter)
	return n
}

// Name returns the name of the namespace, "/" or "/chat".
func (n *Namespace) Name() string { return n.name }

// Use adds a middleware: a function that decides whether a socket may connect. They run in
// the order in which they were added, each once the one before has returned,
// and may take their time. An error refuses the socket; the client gets its text, and
// the data of an *Error, in connect_error.
func (n *Namespace) Use(fn func(*Socket) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.middleware = append(slices.Clip(n.middleware), fn)
}

// OnConnection adds a function that is called for each socket that connects. No event of the
// socket is handled before it has returned, so listeners added in it miss nothing.
func (n *Namespace) OnConnection(fn func(*Socket)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.connection = append(slices.Clip(n.connection), fn)
}

func (n *Namespace) admit(s *Socket) error {
	n.mu.Lock()
	middleware := n.middleware
	n.mu.Unlock()
	for _, fn := range middleware {
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}

func (n *Namespace) connectionListeners() []func(*Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.connection
}

// Socket returns the connected socket with this id, nil if there is none here.
func (n *Namespace) Socket(id rooms.SocketID) *Socket {
	s, _ := n.index.Get(id)
	return s
}

// Sockets returns the sockets connected here that are in any of the rooms;
// without rooms, all of them.
func (n *Namespace) Sockets(names ...rooms.Room) []*Socket { return n.To(names...).sockets() }

// Rooms returns the names of the rooms that sockets here have joined, in no
// order, without the rooms that sockets have by their ids.
func (n *Namespace) Rooms() []rooms.Room { return roomsOf(n.index.AllRooms()) }

// HasSocket implements adapter.Local.
func (n *Namespace) HasSocket(id rooms.SocketID) bool {
	_, ok := n.index.Get(id)
	return ok
}

// Namespace implements adapter.Local.
func (n *Namespace) Namespace() string { return n.name }

// Emit sends an event to everyone in the namespace.
func (n *Namespace) Emit(event string, values ...any) error { return n.all().Emit(event, values...) }

// To starts a broadcast to rooms, see [BroadcastOperator.To].
func (n *Namespace) To(names ...rooms.Room) *BroadcastOperator { return n.all().To(names...) }

// In is another name for To.
func (n *Namespace) In(names ...rooms.Room) *BroadcastOperator { return n.all().To(names...) }

// ToSocket starts a private message, see [BroadcastOperator.ToSocket].
func (n *Namespace) ToSocket(ids ...rooms.SocketID) *BroadcastOperator {
	return n.all().ToSocket(ids...)
}

// ToUser starts a private message to a person, see [BroadcastOperator.ToUser].
func (n *Namespace) ToUser(users ...string) *BroadcastOperator { return n.all().ToUser(users...) }

// Except starts a broadcast to everyone but those in the rooms.
func (n *Namespace) Except(names ...rooms.Room) *BroadcastOperator { return n.all().Except(names...) }

// Volatile starts a broadcast that may be dropped, see [BroadcastOperator.Volatile].
func (n *Namespace) Volatile() *BroadcastOperator { return n.all().Volatile() }

// Local starts a broadcast that stays on this server, see [BroadcastOperator.Local].
func (n *Namespace) Local() *BroadcastOperator { return n.all().Local() }

// Compress starts a broadcast that may be compressed or not, see [BroadcastOperator.Compress].
func (n *Namespace) Compress(on bool) *BroadcastOperator { return n.all().Compress(on) }

// Retain starts a broadcast that is kept as the last value of its topic, see
// [BroadcastOperator.Retain].
func (n *Namespace) Retain() *BroadcastOperator { return n.all().Retain() }

// QoS starts a broadcast with an MQTT quality of service, see [BroadcastOperator.QoS].
func (n *Namespace) QoS(level byte) *BroadcastOperator { return n.all().QoS(level) }

// Timeout starts a broadcast whose EmitWithAck waits for d at most.
func (n *Namespace) Timeout(d time.Duration) *BroadcastOperator { return n.all().Timeout(d) }

// EmitWithAck sends an event to everyone and waits for their acknowledgements, see
// [BroadcastOperator.EmitWithAck].
func (n *Namespace) EmitWithAck(ctx context.Context, event string, values ...any) ([]Args, error) {
	return n.all().EmitWithAck(ctx, event, values...)
}

// FetchSockets returns all sockets in the namespace, see [BroadcastOperator.FetchSockets].
func (n *Namespace) FetchSockets(ctx context.Context) ([]*RemoteSocket, error) {
	return n.all().FetchSockets(ctx)
}

// SocketsJoin puts all sockets into rooms, see [BroadcastOperator.SocketsJoin].
func (n *Namespace) SocketsJoin(names ...rooms.Room) { n.all().SocketsJoin(names...) }

// SocketsLeave takes all sockets out of rooms, see [BroadcastOperator.SocketsLeave].
func (n *Namespace) SocketsLeave(names ...rooms.Room) { n.all().SocketsLeave(names...) }

// DisconnectSockets disconnects all sockets, see [BroadcastOperator.DisconnectSockets].
func (n *Namespace) DisconnectSockets(also ...DisconnectOption) { n.all().DisconnectSockets(also...) }

func (n *Namespace) all() *BroadcastOperator { return &BroadcastOperator{nsp: n} }
