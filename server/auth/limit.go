package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
)

// gate lets a bounded number compute at once and a bounded number wait.
type gate struct {
	slots   chan struct{} // one value for each that computes; never closed
	waiting atomic.Int64
	most    int64
}

// enter waits for a place. After it without an error, leave is due.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return ErrBusy
	}
	defer g.waiting.Add(-1)
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
	}
}

func (g *gate) leave() { <-g.slots }

// proven remembers passwords that were right, so that a client which comes back
// costs little. It keeps no password, only a MAC of each with a key that never
// leaves the process, over the hash of the file as well: a changed password is forgotten by itself.
// When full, the oldest goes.
type proven struct {
	key [32]byte // fixed

	mu   sync.Mutex
	has  map[[32]byte]struct{}
	ring [][32]byte // in the order of arrival, from next on once it is full
	next int
	size int
}

func newProven(size int) *proven {
	p := &proven{has: make(map[[32]byte]struct{}), size: size}
	_, _ = rand.Read(p.key[:]) // never fails, as its documentation says
	return p
}

func (p *proven) mac(h *hash, password []byte) (sum [32]byte) {
	m := hmac.New(sha256.New, p.key[:])
	m.Write(h.sum) // of fixed size
	m.Write(password)
	return [32]byte(m.Sum(sum[:0]))
}

func (p *proven) contains(sum [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.has[sum]
	return ok
}

func (p *proven) add(sum [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.has[sum]; ok || p.size == 0 {
		return
	}
	if len(p.ring) < p.size {
		p.ring = append(p.ring, sum)
	} else {
		delete(p.has, p.ring[p.next])
		p.ring[p.next] = sum
		p.next = (p.next + 1) % p.size
	}
	p.has[sum] = struct{}{}
}
