package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server/packet"
)

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
