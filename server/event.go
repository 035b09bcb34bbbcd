package server

import (
	"context"
	"sync/atomic"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server/packet"
)

// Args are arguments of an event, undecoded. Given to an Emit, they are put in as they are, however
// many they are: Emit(e.Name(), e.Args()) relays an event without decoding it.
type Args = rooms.Args

// Event is an event that a client emitted, on its way through middleware and
// listeners. It may be kept beyond the listener and used by any goroutine.
type Event struct {
	socket *Socket
	packet *packet.Packet
	acked  atomic.Bool
}

// Name returns the name of the event.
func (e *Event) Name() string { return e.packet.Event }

// Socket returns the socket that emitted it.
func (e *Event) Socket() *Socket { return e.socket }

// Context returns the socket's context, which ends when the socket disconnects.
func (e *Event) Context() context.Context { return e.socket.Context() }

// Len returns the number of arguments.
func (e *Event) Len() int { return e.packet.Args.N }

// Args returns all arguments.
func (e *Event) Args() Args { return e.packet.Args }

// Arg returns the argument of index i alone, or no argument when there is none.
func (e *Event) Arg(i int) Args { return args.At(e.packet.Args, i) }

// Bind decodes the arguments into ptrs, in order, by the rules of encoding/json; binary data goes into
// []byte. Nil skips an argument; missing arguments leave their pointers alone.
func (e *Event) Bind(ptrs ...any) error { return args.Bind(e.packet.Args, ptrs...) }

// Bind decodes the first argument of e as a T. A missing argument is the zero value.
func Bind[T any](e *Event) (T, error) {
	var v T
	err := e.Bind(&v)
	return v, err
}

// WantsAck reports whether the client asked for an acknowledgement that it has not got yet.
func (e *Event) WantsAck() bool { return e.packet.HasID && !e.acked.Load() }

// Ack acknowledges the event with these arguments. The error is ErrNoAck when
// the client asked for none or has it already, and ErrDisconnected when it is gone.
func (e *Event) Ack(values ...any) error {
	if !e.packet.HasID || !e.acked.CompareAndSwap(false, true) {
		return ErrNoAck
	}
	a, err := args.Encode(values...)
	if err != nil {
		e.acked.Store(false) // not sent: the caller may try again
		return err
	}
	e.socket.answered(e)
	return e.socket.write(&packet.Packet{
		Type: packet.Ack, Namespace: e.socket.nsp.name, HasID: true, ID: e.packet.ID, Args: a,
	}, sendFlags{})
}

// Handle adds a listener whose first argument is decoded as a T. An event whose
// argument is no T is logged and, when it wants an acknowledgement, answered with
// an object {"error": text}; the listener is not called.
func Handle[T any](s *Socket, event string, fn func(e *Event, v T)) *Listener {
	return s.On(event, func(e *Event) {
		v, err := Bind[T](e)
		if err != nil {
			s.badArgument(e, err)
			return
		}
		fn(e, v)
	})
}
