package engine

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats are counters since the server was made.
type Stats struct {
	Opened   uint64            // sessions
	Upgraded uint64            // sessions that went from polling to WebSocket or WebTransport
	Closed   map[Reason]uint64 // sessions, by reason

	MessagesIn  uint64 // received by handlers
	MessagesOut uint64 // handed to a transport
	BytesIn     uint64 // request bodies and WebSocket messages
	BytesOut    uint64 // response bodies and WebSocket frames

	DroppedVolatile uint64 // volatile messages for transports that were not ready
	QueueFull       uint64 // sessions closed because their queue was over MaxQueue

	HTTPErrors [6]uint64 // requests refused, by error code 0 to 5
	TooLarge   uint64    // request bodies and WebSocket messages over MaxPayload
}

// counters is Stats in the making.
type counters struct {
	opened, upgraded           atomic.Uint64
	messagesIn, messagesOut    atomic.Uint64
	bytesIn, bytesOut          atomic.Uint64
	droppedVolatile, queueFull atomic.Uint64
	tooLarge                   atomic.Uint64
	httpErrors                 [6]atomic.Uint64

	mu     sync.Mutex
	closed map[Reason]uint64 // guarded by mu
}

func (c *counters) countClosed(r Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = make(map[Reason]uint64)
	}
	c.closed[r]++
}

func (c *counters) snapshot() Stats {
	s := Stats{
		Opened:          c.opened.Load(),
		Upgraded:        c.upgraded.Load(),
		MessagesIn:      c.messagesIn.Load(),
		MessagesOut:     c.messagesOut.Load(),
		BytesIn:         c.bytesIn.Load(),
		BytesOut:        c.bytesOut.Load(),
		DroppedVolatile: c.droppedVolatile.Load(),
		QueueFull:       c.queueFull.Load(),
		TooLarge:        c.tooLarge.Load(),
	}
	for i := range c.httpErrors {
		s.HTTPErrors[i] = c.httpErrors[i].Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Closed = maps.Clone(c.closed)
	if s.Closed == nil {
		s.Closed = make(map[Reason]uint64)
	}
	return s
}
