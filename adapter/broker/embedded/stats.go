package embedded

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats is what a Broker has counted since it began.
type Stats struct {
	Connections int64 // open now
	Sessions    int64 // kept now, connected or not
	Retained    int64 // messages kept now

	Opened    int64 // connections taken
	Received  int64 // publishes by clients
	Published int64 // publishes by this server

	Closed  map[string]int64 // connections that ended, by reason
	Dropped map[string]int64 // messages that somebody did not get, by reason
	Refused map[string]int64 // publishes that were not taken, by reason
}

// counters are what Stats is made of.
type counters struct {
	opened, received, published atomic.Int64

	mu                       sync.Mutex
	closed, dropped, refused map[string]int64
}

func (c *counters) add(m *map[string]int64, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *m == nil {
		*m = make(map[string]int64)
	}
	(*m)[reason]++
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	s := Stats{
		Opened:    b.stats.opened.Load(),
		Received:  b.stats.received.Load(),
		Published: b.stats.published.Load(),
	}
	b.mu.Lock()
	s.Connections, s.Sessions = int64(len(b.conns)), int64(len(b.sessions))
	b.mu.Unlock()
	b.retained.mu.Lock()
	s.Retained = int64(b.retained.n)
	b.retained.mu.Unlock()
	b.stats.mu.Lock()
	defer b.stats.mu.Unlock()
	s.Closed = maps.Clone(b.stats.closed)
	s.Dropped = maps.Clone(b.stats.dropped)
	s.Refused = maps.Clone(b.stats.refused)
	return s
}
