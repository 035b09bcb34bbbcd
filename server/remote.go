package server

import (
	"context"
	"time"

	"siomq/rooms"
)

// RemoteSocket is a socket as other servers see it: what FetchSockets returns.
type RemoteSocket struct {
	nsp       *Namespace
	id        rooms.SocketID
	handshake *Handshake
	rooms     []rooms.Room
	data      any
}

// ID returns the socket's id.
func (r *RemoteSocket) ID() rooms.SocketID { return r.id }

// Handshake returns what is known of the socket from the time it connected.
func (r *RemoteSocket) Handshake() *Handshake { return r.handshake }

// Rooms returns the rooms it was in when it was fetched.
func (r *RemoteSocket) Rooms() []rooms.Room { return r.rooms }

// Data returns its data as they were when it was fetched.
func (r *RemoteSocket) Data() any { return r.data }

// Emit sends it an event.
func (r *RemoteSocket) Emit(event string, values ...any) error {
	return r.nsp.ToSocket(r.id).Emit(event, values...)
}

// EmitWithAck sends it an event and waits for its acknowledgement, until ctx
// ends. The error is ErrDisconnected when it is gone.
func (r *RemoteSocket) EmitWithAck(ctx context.Context, event string, values ...any) (Args, error) {
	return r.Timeout(0).EmitWithAck(ctx, event, values...)
}

// Timeout returns a sender whose EmitWithAck fails with ErrTimeout after d.
func (r *RemoteSocket) Timeout(d time.Duration) *RemoteSender {
	return &RemoteSender{operator: r.nsp.ToSocket(r.id).Timeout(d)}
}

// Join puts it into rooms.
func (r *RemoteSocket) Join(names ...rooms.Room) { r.nsp.ToSocket(r.id).SocketsJoin(names...) }

// Leave takes it out of a room.
func (r *RemoteSocket) Leave(name rooms.Room) { r.nsp.ToSocket(r.id).SocketsLeave(name) }

// Disconnect ends it, see [Socket.Disconnect].
func (r *RemoteSocket) Disconnect(also ...DisconnectOption) {
	r.nsp.ToSocket(r.id).DisconnectSockets(also...)
}

// RemoteSender emits to a RemoteSocket with options.
type RemoteSender struct{ operator *BroadcastOperator }

// EmitWithAck is [RemoteSocket.EmitWithAck] with the options.
func (r *RemoteSender) EmitWithAck(ctx context.Context, event string, values ...any) (Args, error) {
	got, err := r.operator.EmitWithAck(ctx, event, values...)
	switch {
	case err != nil:
		return Args{}, err
	case len(got) == 0:
		return Args{}, ErrDisconnected
	}
	return got[0], nil
}

// FetchSockets returns the sockets that the operator selects.
func (b *BroadcastOperator) FetchSockets(context.Context) ([]*RemoteSocket, error) {
	var all []*RemoteSocket
	for _, s := range b.sockets() {
		all = append(all, &RemoteSocket{
			nsp: b.nsp, id: s.id, handshake: s.handshake, rooms: s.Rooms(), data: s.Data(),
		})
	}
	return all, nil
}

// SocketsJoin puts the sockets that the operator selects into rooms.
func (b *BroadcastOperator) SocketsJoin(names ...rooms.Room) {
	for _, s := range b.sockets() {
		_ = s.Join(names...) // one that has gone meanwhile joins nothing
	}
}

// SocketsLeave takes the sockets that the operator selects out of rooms.
func (b *BroadcastOperator) SocketsLeave(names ...rooms.Room) {
	for _, s := range b.sockets() {
		for _, name := range names {
			s.Leave(name)
		}
	}
}

// DisconnectSockets disconnects the sockets that the operator selects, see
// [Socket.Disconnect].
func (b *BroadcastOperator) DisconnectSockets(also ...DisconnectOption) {
	for _, s := range b.sockets() {
		s.Disconnect(also...)
	}
}

func (b *BroadcastOperator) sockets() []*Socket {
	var all []*Socket
	m := &rooms.Message{Targets: b.targets, ExceptRooms: b.exceptRooms, ExceptSockets: b.exceptSockets}
	b.nsp.index.Each(selection(m), func(s *Socket) bool {
		all = append(all, s)
		return true
	})
	return all
}
