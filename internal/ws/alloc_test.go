package ws_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/internal/ws"
)

// sink is a handler that does nothing but count, and tells when it has got what was announced.
type sink struct {
	want int
	done chan struct{}
}

func (s *sink) Message(ws.Opcode, []byte) error {
	if s.want--; s.want == 0 {
		s.done <- struct{}{}
	}
	return nil
}

func (*sink) Pong([]byte) {}

func TestReadDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops buffers at random under the race detector")
	}
	for _, how := range []string{"TCP", "pipe"} {
		t.Run(how, func(t *testing.T) {
			ours, theirs := tcpPair(t)
			if how == "pipe" {
				ours, theirs = net.Pipe()
				defer func() { _, _ = ours.Close(), theirs.Close() }()
			}
			c := ws.NewTestConn(ours, nil, -1, nil)
			h := &sink{done: make(chan struct{})}
			var reader sync.WaitGroup
			reader.Go(func() { _ = c.ReadLoop(h) })
			one := join(frame(0x81, strings.Repeat("x", 100)), frame(0x89, "ping"))
			if n := testing.AllocsPerRun(200, func() {
				h.want = 1
				mustWrite(t, theirs, one)
				<-h.done
			}); n != 0 {
				t.Errorf("reading a message allocates %v times, want 0", n)
			}
			_ = ours.Close()
			reader.Wait()
		})
	}
}

func TestTryWriteDoesNotAllocate(t *testing.T) {
	if !haveRaw || raceEnabled {
		t.Skip("no nonblocking write here, or race detector")
	}
	ours, theirs := tcpPair(t)
	var reader sync.WaitGroup
	reader.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
	c := ws.NewTestConn(ours, nil, -1, nil)
	f := ws.AppendFrame(nil, ws.Text, make([]byte, 100))
	bufs := [][]byte{f, f, f}
	if n := testing.AllocsPerRun(200, func() {
		_, _ = c.TryWrite(f)
		_, _ = c.TryWritev(bufs)
	}); n != 0 {
		t.Errorf("writing a frame allocates %v times, want 0", n)
	}
	_ = ours.Close()
	reader.Wait()
}

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{16, 128, 1024, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				ws.Mask(0x12345678, p)
			}
		})
	}
}

// BenchmarkRead reads messages of 128 bytes, each written alone and awaited, or many in one write.
func BenchmarkRead(b *testing.B) {
	for _, at := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d in a write", at), func(b *testing.B) {
			ours, theirs := tcpPair(b)
			c := ws.NewTestConn(ours, nil, -1, nil)
			h := &sink{done: make(chan struct{})}
			var reader sync.WaitGroup
			reader.Go(func() { _ = c.ReadLoop(h) })
			var burst []byte
			for range at {
				burst = append(burst, frame(0x81, strings.Repeat("x", 128))...)
			}
			b.ReportAllocs()
			for b.Loop() {
				h.want = at
				mustWrite(b, theirs, burst)
				<-h.done
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*at), "ns/message")
			_ = ours.Close()
			reader.Wait()
		})
	}
}

// BenchmarkBroadcast writes one prepared frame to 200 connections, which are read on the other side meanwhile.
func BenchmarkBroadcast(b *testing.B) {
	const n = 200
	conns := make([]*ws.Conn, n)
	var readers sync.WaitGroup
	for i := range conns {
		ours, theirs := tcpPair(b)
		conns[i] = ws.NewTestConn(ours, nil, -1, nil)
		readers.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
	}
	f := ws.AppendFrame(nil, ws.Text, make([]byte, 128))
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range conns {
			if _, err := c.TryWrite(f); err != nil {
				b.Fatalf("try: %v", err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/frame")
	for _, c := range conns {
		_ = c.Close()
	}
	readers.Wait()
}

// BenchmarkIdle reports the memory of 1,000 connections that were upgraded, have read one message and wait: heap and
// stacks of the server's side, its goroutine included, and of the client's sockets in this process (about 1 KiB each).
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(idleMemory(b, 1000), "B/conn")
	}
}

func idleMemory(b *testing.B, n int) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e := newIdleServer(b)
	clients := make([]net.Conn, n)
	before := memory()
	for i := range clients {
		clients[i] = e.dial(ctx, b)
	}
	after := memory()
	for _, c := range clients {
		_ = c.Close()
	}
	e.close()
	return float64(after-before) / float64(n)
}

// memory returns the bytes of heap and stacks in use after a collection.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
