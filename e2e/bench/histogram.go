//go:build linux

package main

import (
	"math/bits"
	"time"
)

// histogram counts latencies in buckets of 1/32 of their size, so that a
// quantile is right to 3 percent whatever it is.
type histogram struct {
	buckets [64 * 32]uint64
	count   uint64
}

func (h *histogram) add(ns int64) {
	h.buckets[bucket(uint64(max(ns, 1)))]++
	h.count++
}

// bucket is the index for v: the exponent, then the five bits after the first.
func bucket(v uint64) int {
	if v < 32 {
		return int(v)
	}
	shift := bits.Len64(v) - 6
	return shift*32 + int(v>>shift)
}

// quantile returns the latency that the part q of all do not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	want := uint64(q * float64(h.count))
	for i, n := range h.buckets {
		if n > want {
			return time.Duration(upper(i))
		}
		want -= n
	}
	return 0
}

// upper is the largest value of a bucket.
func upper(i int) uint64 {
	if i < 64 {
		return uint64(i)
	}
	shift := i/32 - 1
	return (uint64(i%32)+33)<<shift - 1
}
