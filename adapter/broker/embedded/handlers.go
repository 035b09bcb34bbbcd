package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"siomq/adapter/broker"
	"siomq/rooms/topic"
)

// handler is one function given to Handle.
type handler struct {
	call broker.Handler

	mu      sync.Mutex
	removed bool
	active  []uint64 // goroutines that are in call
	idle    sync.Cond
}

// handlers finds the handlers of a topic.
type handlers struct {
	mu   sync.RWMutex
	tree tree[[]*handler]
}

// Handle implements [broker.Broker]. Handlers of one publish run in the order in
// which they were added for each filter; the first error refuses the publish and
// the later ones do not see it. A panic in h ends the client's connection.
func (b *Broker) Handle(_ context.Context, filter string, h broker.Handler) (remove func(), err error) {
	f, err := (topic.Limits{MaxLevels: -1}).Filter(filter)
	if err != nil {
		return nil, fmt.Errorf("handle: %w: %w", broker.ErrInvalidTopic, err)
	}
	if b.isClosed() {
		return nil, fmt.Errorf("handle %q: %w", filter, broker.ErrClosed)
	}
	e := &handler{call: h}
	e.idle.L = &e.mu
	b.handlers.mu.Lock()
	leaf := b.handlers.tree.add(string(f))
	*leaf = append(slices.Clip(*leaf), e)
	b.handlers.mu.Unlock()
	var once sync.Once
	return func() {
		once.Do(func() { b.handlers.remove(string(f), e) })
		e.stop()
	}, nil
}

func (hs *handlers) remove(filter string, e *handler) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	leaf := hs.tree.get(filter)
	rest := slices.DeleteFunc(slices.Clone(*leaf), func(h *handler) bool { return h == e })
	if *leaf = rest; len(rest) == 0 {
		hs.tree.remove(filter)
	}
}

// collect puts the handlers of p into p.handlers.
func (hs *handlers) collect(p *publication) {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	hs.tree.match(p.topic, func(leaf *[]*handler) bool {
		p.handlers = append(p.handlers, *leaf...)
		return true
	})
}

// run calls the handlers of p, in the goroutine with the given number.
func (p *publication) run(routine uint64) error {
	if len(p.handlers) == 0 {
		return nil
	}
	m := p.toHandlers()
	for _, h := range p.handlers {
		if err := h.run(m, routine); err != nil {
			return err
		}
	}
	return nil
}

func (h *handler) run(m *broker.Message, routine uint64) error {
	h.mu.Lock()
	if h.removed {
		h.mu.Unlock()
		return nil
	}
	h.active = append(h.active, routine)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		i := slices.Index(h.active, routine)
		h.active = slices.Delete(h.active, i, i+1)
		h.idle.Broadcast()
		h.mu.Unlock()
	}()
	return h.call(m)
}

// stop waits until nobody but the caller itself is in call.
func (h *handler) stop() {
	self := goroutineID()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removed = true
	for slices.ContainsFunc(h.active, func(r uint64) bool { return r != self }) {
		h.idle.Wait()
	}
}
