package server

import (
	"context"
	"fmt"
	"sync"

	"siomq/adapter"
	"siomq/rooms"
	"siomq/server/packet"
)

// EmitWithAck sends an event and waits until every socket that received it has
// acknowledged it, or is gone. It returns the arguments of the acknowledgements, in
// the order in which they came. When ctx ends first, or the time given by Timeout, the
// error says so (ErrTimeout for the latter) and those that came are returned with it. A
// socket that disconnects meanwhile is not waited for: the error is then ErrDisconnected.
func (b *BroadcastOperator) EmitWithAck(ctx context.Context, event string, values ...any) ([]Args, error) {
	m, err := b.message(event, values)
	if err != nil {
		return nil, err
	}
	if b.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, b.timeout, ErrTimeout)
		defer cancel()
	}
	w := &answers{all: make(chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call := &adapter.Call{Message: m, Expect: w.expect, Answer: w.answer, Context: ctx}
	if err := b.nsp.adapter.Call(call); err != nil {
		return nil, fmt.Errorf("emit %q: %w", event, err)
	}
	w.expect(0) // the adapter has called Expect: without receivers there is nothing to wait for
	select {
	case <-w.all:
	case <-ctx.Done():
		err = fmt.Errorf("acknowledgements of %q: %w", event, context.Cause(ctx))
	}
	got, lost := w.take()
	if err == nil && lost != nil {
		err = fmt.Errorf("acknowledgements of %q: %w", event, lost)
	}
	return got, err
}

// answers collects acknowledgements.
type answers struct {
	all chan struct{} // closed when nothing is missing

	mu      sync.Mutex
	missing int
	begun   bool
	got     []Args
	lost    error // of the first socket that did not answer
	taken   bool
}

func (w *answers) expect(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missing += n
	if n == 0 {
		w.begun = true
	}
	w.finishLocked()
}

func (w *answers) answer(_ rooms.SocketID, a Args, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missing--
	switch {
	case w.taken:
		return
	case err == nil:
		w.got = append(w.got, a)
	case w.lost == nil:
		w.lost = err
	}
	w.finishLocked()
}

// finishLocked ends the wait once the adapter has said how many answers there will
// be and all are there.
func (w *answers) finishLocked() {
	if w.begun && w.missing == 0 && !w.taken {
		select {
		case <-w.all:
		default:
			close(w.all)
		}
	}
}

func (w *answers) take() ([]Args, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = true
	return w.got, w.lost
}

// Call implements adapter.Local: one frame with one id for all sockets, and each
// socket expects the answer to that id.
func (n *Namespace) Call(c *adapter.Call) error {
	id := n.acks.Add(1)
	p := &packet.Packet{
		Type: packet.Event, Namespace: n.name, Event: c.Message.Event, Args: c.Message.Args, HasID: true, ID: id,
	}
	var asked []*Socket
	err := n.deliver(c.Message, p, func(s *Socket) bool {
		if !s.expectAck(id, func(a Args, err error) { c.Answer(s.id, a, err) }) {
			return false // it has just disconnected
		}
		asked = append(asked, s)
		return true
	})
	if err != nil {
		return err
	}
	c.Expect(len(asked))
	context.AfterFunc(c.Context, func() {
		for _, s := range asked {
			s.takeAck(id)
		}
	})
	return nil
}

// expectAck registers fn for the acknowledgement with this id.
func (s *Socket) expectAck(id uint64, fn func(Args, error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != socketConnected {
		return false
	}
	if s.acks == nil {
		s.acks = make(map[uint64]func(Args, error))
	}
	s.acks[id] = fn
	return true
}
