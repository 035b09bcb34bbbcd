package bridge

import (
	"hash/maphash"
	"sync"
	"time"
)

// echoes remembers the last publishes of a bridge for a short time, by their sums.
type echoes struct {
	// Fixed after init.
	window time.Duration
	seed   maphash.Seed
	now    func() time.Time

	mu   sync.Mutex
	ring [256]echo
	next int
	last time.Time // of the newest
}

type echo struct {
	sum uint64
	at  time.Time // zero: taken, or never set
}

func (e *echoes) init(window time.Duration) {
	e.window, e.seed, e.now = window, maphash.MakeSeed(), time.Now
}

func (e *echoes) sum(topic string, payload []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(e.seed)
	_, _ = h.WriteString(topic) // never fails, see hash/maphash
	_ = h.WriteByte(0)          // in no topic
	_, _ = h.Write(payload)
	return h.Sum64()
}

// put remembers a publish.
func (e *echoes) put(topic string, payload []byte) {
	sum := e.sum(topic, payload)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = e.now()
	e.ring[e.next] = echo{sum, e.last}
	e.next = (e.next + 1) % len(e.ring)
}

// take reports whether the publish is remembered, and forgets it.
func (e *echoes) take(topic string, payload []byte) bool {
	if e.window <= 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := e.now().Add(-e.window)
	if e.last.Before(oldest) {
		return false // all are too old
	}
	sum := e.sum(topic, payload)
	for i := range e.ring {
		if x := &e.ring[i]; x.sum == sum && !x.at.IsZero() && !x.at.Before(oldest) {
			x.at = time.Time{}
			return true
		}
	}
	return false
}
