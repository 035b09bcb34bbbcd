package embedded

import "sync"

// flusher writes what large publications have queued, in a goroutine of its own that
// exists while there is something to write. The publisher goes on at once: when it publishes
// again before a subscriber was reached, that one gets both in one write.
type flusher struct {
	b *Broker

	mu      sync.Mutex
	waiting [][]*conn
	spare   [][]*conn // slices to use again
	running bool
}

const (
	// inlineFlush is how many connections a publisher flushes itself: for a few, a goroutine
	// costs more than it saves.
	inlineFlush = 16
	// maxFlushes bounds the publications that wait. A publisher that finds more flushes its own, so
	// that queues grow no faster than they are written.
	maxFlushes = 16
)

// flush writes the queues of conns, now or soon. size is that of the message: what may
// wait must leave the queue of a client that reads far from its bound.
func (f *flusher) flush(conns []*conn, size int) {
	if len(conns) > inlineFlush && size <= f.b.opts.MaxQueue/maxFlushes/4 && f.later(conns) {
		return
	}
	flushAll(conns)
}

func flushAll(conns []*conn) {
	for _, c := range conns {
		c.w.flush()
	}
}

// later leaves a copy of conns to the goroutine. It reports false when too many wait, or the
// broker is closed.
func (f *flusher) later(conns []*conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= maxFlushes {
		return false
	}
	if !f.running && !f.b.spawn(f.run) {
		return false
	}
	f.running = true
	var list []*conn
	if n := len(f.spare); n > 0 {
		list, f.spare = f.spare[n-1], f.spare[:n-1]
	}
	f.waiting = append(f.waiting, append(list, conns...))
	return true
}

func (f *flusher) run() {
	f.mu.Lock()
	for len(f.waiting) > 0 {
		batch := f.waiting
		f.waiting = nil
		f.mu.Unlock()
		for _, conns := range batch {
			flushAll(conns)
			clear(conns)
		}
		f.mu.Lock()
		for _, conns := range batch {
			if len(f.spare) < maxFlushes {
				f.spare = append(f.spare, conns[:0])
			}
		}
	}
	f.running = false
	f.mu.Unlock()
}
