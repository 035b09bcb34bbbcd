package server

import (
	"context"
	"time"

	"siomq/rooms"
)

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
