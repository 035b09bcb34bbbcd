package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"

	"siomq/rooms/args"
)

// ServerEvent is an event that another server emitted to the servers of a namespace.
type ServerEvent struct {
	name   string
	args   Args
	answer func(Args)
	acked  atomic.Bool
}

// Name returns the name of the event.
func (e *ServerEvent) Name() string { return e.name }

// Args returns its arguments.
func (e *ServerEvent) Args() Args { return e.args }

// Bind decodes the arguments, like [Event.Bind].
func (e *ServerEvent) Bind(ptrs ...any) error { return args.Bind(e.args, ptrs...) }

// Ack acknowledges the event. The error is ErrNoAck when no acknowledgement is
// wanted, or a second one given.
func (e *ServerEvent) Ack(values ...any) error {
	if e.answer == nil || !e.acked.CompareAndSwap(false, true) {
		return ErrNoAck
	}
	a, err := args.Encode(values...)
	if err != nil {
		e.acked.Store(false)
		return err
	}
	e.answer(a)
	return nil
}

// OnServerSide adds a listener for an event that other servers emit by ServerSideEmit. It
// must not block.
func (n *Namespace) OnServerSide(event string, fn func(*ServerEvent)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.serverSide == nil {
		n.serverSide = make(map[string][]func(*ServerEvent))
	}
	n.serverSide[event] = append(slices.Clip(n.serverSide[event]), fn)
}

// ServerSideEmit sends an event to the other servers of the cluster, not to clients.
// On a server that stands alone nobody receives it.
func (n *Namespace) ServerSideEmit(event string, values ...any) error {
	_, err := n.serverSideEmit(context.Background(), event, values, false)
	return err
}

// ServerSideEmitWithAck sends an event to the other servers and returns their
// acknowledgements, those that came when ctx ends included.
func (n *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, values ...any) ([]Args, error) {
	return n.serverSideEmit(ctx, event, values, true)
}

func (n *Namespace) serverSideEmit(ctx context.Context, event string, values []any, wantAcks bool) ([]Args, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	a, err := args.Encode(values...)
	if err != nil {
		return nil, fmt.Errorf("server-side emit %q: %w", event, err)
	}
	got, err := n.adapter.ServerSideEmit(ctx, event, a, wantAcks)
	if err != nil {
		return got, fmt.Errorf("server-side emit %q: %w", event, err)
	}
	return got, nil
}

// ServerSide implements adapter.Local.
func (n *Namespace) ServerSide(event string, a Args, answer func(Args)) {
	n.mu.Lock()
	listeners := n.serverSide[event]
	n.mu.Unlock()
	e := &ServerEvent{name: event, args: a, answer: answer}
	defer func() {
		if r := recover(); r != nil {
			n.server.log.Error("panic in a server-side listener", zap.Any("panic", r),
				zap.String("event", event), zap.ByteString("stack", debug.Stack()))
		}
	}()
	for _, fn := range listeners {
		fn(e)
	}
}
