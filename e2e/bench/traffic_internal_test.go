//go:build linux

package main

// Internal: it is a program, and what is counted wrongly would show nowhere.

import (
	"testing"
	"time"
)

func TestTrafficCounts(t *testing.T) {
	tests := []struct {
		name           string
		arrive         []uint64 // at the one receiver, of messages 0 to 3
		lost, disorder int
	}{
		{"all in order", []uint64{0, 1, 2, 3}, 0, 0},
		{"one lost", []uint64{0, 1, 3}, 1, 0},
		{"one late", []uint64{0, 2, 1, 3}, 0, 1},
		{"the last lost", []uint64{0, 1, 2}, 1, 0},
		{"none", nil, 4, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := &traffic{loop: &loop{}}
			var sent [][]byte
			p := tr.add(0, 1, 4, func(_ uint64, payload []byte) { sent = append(sent, append([]byte(nil), payload...)) })
			p.fill()
			tr.stopped = true
			if len(sent) != 4 {
				t.Fatalf("a window of 4: got %d messages", len(sent))
			}
			c := &conn{}
			for _, n := range tt.arrive {
				tr.text(c, sent[n])
			}
			if lost := tr.expected - tr.received; lost != tt.lost || tr.disorder != tt.disorder {
				t.Errorf("arrived %v: got lost %d, out of order %d, want %d, %d", tt.arrive, lost, tr.disorder, tt.lost, tt.disorder)
			}
			if want := 4 - len(tt.arrive); tr.inflight != want {
				t.Errorf("arrived %v: got %d in flight, want %d", tt.arrive, tr.inflight, want)
			}
			tr.giveUp()
			if tr.inflight != 0 {
				t.Errorf("given up: got %d in flight, want none", tr.inflight)
			}
		})
	}
}

func TestHistogramQuantile(t *testing.T) {
	var h histogram
	for ms := int64(1); ms <= 1000; ms++ {
		h.add(ms * int64(time.Millisecond))
	}
	for _, tt := range []struct {
		q    float64
		want time.Duration
	}{{0.5, 500 * time.Millisecond}, {0.99, 990 * time.Millisecond}, {0, time.Millisecond}} {
		if got := h.quantile(tt.q); got < tt.want || got > tt.want*104/100 {
			t.Errorf("quantile %v of 1 to 1,000 ms: got %s, want %s to 4 %% more", tt.q, got, tt.want)
		}
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	for v := uint64(1); v < 1<<40; v += 1 + v/50 {
		if b := bucket(v); upper(b) < v || b > 0 && upper(b-1) >= v {
			t.Fatalf("%d: got bucket %d, of values over %d to %d", v, b, upper(b-1), upper(b))
		}
	}
}
