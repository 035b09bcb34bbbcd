package embedded

import (
	"slices"
	"sync"
	"time"

	"siomq/adapter/broker"
)

// observers are the functions given to Observe.
type observers struct {
	mu   sync.RWMutex
	list []*observer // replaced, never modified
}

type observer struct{ fn func(broker.ClientEvent) }

// Observe implements [broker.Clients]. Events of one client come in order, from
// the goroutine that reads from it.
func (b *Broker) Observe(fn func(broker.ClientEvent)) (remove func()) {
	o := &observer{fn}
	b.observers.mu.Lock()
	b.observers.list = append(slices.Clip(b.observers.list), o)
	b.observers.mu.Unlock()
	return func() {
		b.observers.mu.Lock()
		defer b.observers.mu.Unlock()
		b.observers.list = slices.DeleteFunc(slices.Clone(b.observers.list), func(x *observer) bool { return x == o })
	}
}

// tell calls the observers.
func (b *Broker) tell(e broker.ClientEvent) {
	b.observers.mu.RLock()
	list := b.observers.list
	b.observers.mu.RUnlock()
	for _, o := range list {
		o.fn(e)
	}
}

// Connected implements [broker.Clients]. yield may call the Broker.
func (b *Broker) Connected(yield func(c broker.Client, filters []string) bool) {
	b.mu.Lock()
	list := make([]*session, 0, len(b.sessions))
	for _, s := range b.sessions {
		if s.online.Load() {
			list = append(list, s)
		}
	}
	b.mu.Unlock()
	for _, s := range list {
		if !yield(*s.client.Load(), s.filters()) {
			return
		}
	}
}

// Known implements [broker.Clients].
func (b *Broker) Known(clientID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.sessions[clientID]
	return ok
}

// Find implements [broker.Clients].
func (b *Broker) Find(clientID string) (broker.Client, bool) {
	b.mu.Lock()
	s := b.sessions[clientID]
	b.mu.Unlock()
	if s == nil {
		return broker.Client{}, false
	}
	return *s.client.Load(), true
}

// Wants implements [broker.Interest].
func (b *Broker) Wants(topic string) bool { return b.index.wants(topic) }

// Subscribed implements [broker.Interest].
func (b *Broker) Subscribed() bool { return b.index.size.Load() > 0 }

// Retained implements [broker.Retainer].
func (b *Broker) Retained(filter string, yield func(*broker.Message) bool) {
	for _, m := range b.retained.matching(filter, time.Now()) {
		p := publication{message: *m}
		p.retain = true
		if !yield(p.toHandlers()) {
			return
		}
	}
}
