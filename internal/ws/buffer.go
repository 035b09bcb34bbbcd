package ws

import "sync"

const (
	// bufferSize is the length of a read buffer: messages up to it are handed over where they were read.
	bufferSize = 8 << 10
	// smallSize is the length of the buffer that keeps the beginning of a frame while the rest is on its way, and
	// of the one that a connection without raw reads waits with.
	smallSize = 256
)

// buffer is what the pool hands out. A pointer to it goes in and out of a sync.Pool without allocation.
type buffer struct{ b []byte }

// bufferPool keeps buffers of the two sizes. Safe for use by any number of goroutines.
type bufferPool struct {
	large, small sync.Pool
	// count, when not nil, is told +1 and -1 times the length of each buffer taken and given back. For tests.
	count func(bytes int)
}

// shared is the pool of every connection outside tests. It is a cache: nothing depends on what it holds.
var shared bufferPool

// get returns a buffer of size bufferSize or smallSize.
func (p *bufferPool) get(size int) *buffer {
	pool := &p.large
	if size == smallSize {
		pool = &p.small
	}
	if p.count != nil {
		p.count(size)
	}
	if b, ok := pool.Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, size)}
}

// put takes a buffer back. One of a foreign size is left to the garbage collector.
func (p *bufferPool) put(b *buffer) {
	if p.count != nil {
		p.count(-len(b.b))
	}
	switch len(b.b) {
	case bufferSize:
		p.large.Put(b)
	case smallSize:
		p.small.Put(b)
	}
}
