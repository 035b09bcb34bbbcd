package server

import (
	"sync"

	"siomq/server/engine"
)

// flusher writes what large broadcasts have queued, in a goroutine of its own that exists
// while there is something to write. The emitter goes on at once: when it emits again before
// a connection was reached, that connection gets both events in one write. So a burst of
// broadcasts costs a write for each receiver, not one for each event.
type flusher struct {
	wg *sync.WaitGroup // counts the goroutine, of the Server
	// maxSize is the largest message whose flush may wait: as many of them as may wait must leave
	// the queue of a client that reads far from its bound.
	maxSize int

	mu      sync.Mutex
	waiting []*delivery
	running bool
	closed  bool // no goroutine is started any more
}

const (
	// inlineFlush is how many connections are flushed by the emitter itself: for a few, a
	// goroutine costs more than it saves.
	inlineFlush = 16
	// maxFlushes bounds the deliveries that wait. An emitter that finds more flushes its own, so
	// that what is queued for clients grows no faster than it is written.
	maxFlushes = 16
	// defaultMaxQueue is that of engine.Options.
	defaultMaxQueue = 16 << 20
)

func (f *flusher) init(wg *sync.WaitGroup, maxQueue int) {
	if maxQueue <= 0 {
		maxQueue = defaultMaxQueue
	}
	f.wg, f.maxSize = wg, maxQueue/maxFlushes/4
}

// flush writes the queues of d's connections, now or soon, and recycles d.
func (f *flusher) flush(d *delivery) {
	if len(d.conns) <= inlineFlush || d.volatile || d.size > f.maxSize {
		d.flush()
		return
	}
	f.mu.Lock()
	if f.closed || len(f.waiting) >= maxFlushes {
		f.mu.Unlock()
		d.flush()
		return
	}
	f.waiting = append(f.waiting, d)
	if !f.running {
		f.running = true
		f.wg.Add(1)
		go f.run()
	}
	f.mu.Unlock()
}

// close has every later flush done by its emitter.
func (f *flusher) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *flusher) run() {
	defer f.wg.Done()
	var spare []*delivery
	for {
		f.mu.Lock()
		batch := f.waiting
		if len(batch) == 0 {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.waiting = spare
		f.mu.Unlock()
		for i, d := range batch {
			d.flush()
			batch[i] = nil
		}
		spare = batch[:0]
	}
}

// delivery is what remains to be done when an event is in the queues.
type delivery struct {
	conns    []*engine.Socket // to flush
	watched  []*Socket        // with listeners for outgoing events
	volatile bool             // what waits would count as not ready
	size     int              // of the message
}

// deliveries recycles them.
var deliveries = sync.Pool{New: func() any { return new(delivery) }}

func (d *delivery) flush() {
	for i, c := range d.conns {
		c.Flush()
		d.conns[i] = nil
	}
	d.conns = d.conns[:0]
	deliveries.Put(d)
}
