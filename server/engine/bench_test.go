package engine_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"siomq/server/engine"
)

// fleet is a server with many clients which only count what they receive.
type fleet struct {
	srv     *engine.Server
	sockets []*engine.Socket
	bytes   atomic.Int64  // received by all clients, after their handshakes
	target  atomic.Int64  // of bytes
	reached chan struct{} // one token when bytes comes to target; never closed
}

// count adds to what the clients have received.
func (f *fleet) count(n int) {
	if n > 0 && f.bytes.Add(int64(n)) == f.target.Load() {
		f.reached <- struct{}{}
	}
}

type silent struct{}

func (silent) Message([]byte, bool)       {}
func (silent) Close(engine.Reason, error) {}

// newFleet opens n WebSocket sessions. With read, each client has a goroutine
// that reads.
func newFleet(tb testing.TB, n int, read bool) *fleet {
	return newFleetWith(tb, n, read, engine.Options{}, "")
}

// newFleetWith is newFleet with options, and lines added to the requests.
func newFleetWith(tb testing.TB, n int, read bool, o engine.Options, header string) *fleet {
	f := &fleet{reached: make(chan struct{}, 1)}
	var mu sync.Mutex
	o.PingInterval = time.Hour // no pings: the clients count bytes
	srv, err := engine.New(&o, func(s *engine.Socket) engine.Handler {
		mu.Lock()
		defer mu.Unlock()
		f.sockets = append(f.sockets, s)
		return silent{}
	})
	if err != nil {
		tb.Fatal(err)
	}
	f.srv = srv
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	hs := &http.Server{Handler: srv}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(l) })
	conns := make([]net.Conn, 0, n)
	for range n {
		conns = append(conns, dialFleet(tb, l.Addr().String(), header))
	}
	if read {
		for _, c := range conns {
			buf := make([]byte, 8<<10)
			wg.Go(func() {
				for {
					k, err := c.Read(buf)
					f.count(k)
					if err != nil {
						return
					}
				}
			})
		}
	}
	tb.Cleanup(func() {
		for _, c := range conns {
			_ = c.Close()
		}
		srv.Close()
		_ = hs.Close()
		wg.Wait()
	})
	return f
}

// dialFleet makes one handshake and reads it and the open packet.
func dialFleet(tb testing.TB, addr, header string) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept-Language: en-US,en;q=0.5\r\n"+header+"\r\n"); err != nil {
		tb.Fatal(err)
	}
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.HasSuffix(got.String(), "}") { // the end of the open packet
		n, err := c.Read(buf)
		if err != nil {
			tb.Fatal(err)
		}
		got.Write(buf[:n])
	}
	return c
}

// BenchmarkBroadcast: what does one message cost for n WebSocket sessions, until
// all clients have it? One op is one broadcast.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 100, 500} {
		for _, inFlight := range []int{1, 4} {
			b.Run(fmt.Sprintf("sockets=%d/inflight=%d", n, inFlight), func(b *testing.B) {
				f := newFleet(b, n, true)
				payload := []byte(strings.Repeat("x", 128))
				size := int64(text(string(payload)).Len())
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i += inFlight {
					k := min(inFlight, b.N-i)
					f.target.Add(size * int64(n*k))
					var wg sync.WaitGroup
					for range k {
						wg.Go(func() { f.broadcast(payload) })
					}
					wg.Wait()
					<-f.reached
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
			})
		}
	}
}

func (f *fleet) broadcast(payload []byte) {
	m := engine.NewText(len(payload), func(dst []byte) []byte { return append(dst, payload...) })
	for _, s := range f.sockets {
		_ = s.Enqueue(m)
	}
	for _, s := range f.sockets {
		s.Flush()
	}
}

// BenchmarkSend: one message to one WebSocket, which takes it at once.
func BenchmarkSend(b *testing.B) {
	f := newFleet(b, 1, true)
	m := text(strings.Repeat("x", 128))
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		_ = f.sockets[0].Send(m)
	}
}

// TestSendAllocations: on the way of a message to a connection that takes it,
// nothing is allocated.
func TestSendAllocations(t *testing.T) {
	f := newFleet(t, 1, true)
	m := text("x")
	s := f.sockets[0]
	if n := testing.AllocsPerRun(1000, func() {
		_ = s.Enqueue(m)
		_ = s.Enqueue(m)
		s.Flush()
	}); n > 0.1 { // a queue that grows now and then is not what is meant
		t.Errorf("%v allocations, want 0", n)
	}
}

// BenchmarkIdleMemory reports what one idle WebSocket session takes, in memory
// of the Go runtime (heap and stacks), server side and without the client's
// end, which is a net.Conn. One op is one session.
func BenchmarkIdleMemory(b *testing.B) {
	const n = 2000
	for _, compression := range []bool{false, true} {
		b.Run(fmt.Sprintf("compression=%v", compression), func(b *testing.B) {
			o, header := compressing(compression)
			conns := 0.0
			for b.Loop() {
				pairs := measure(func() func() { return idleConns(b, n) })
				total := measure(func() func() { newFleetWith(b, n, false, o, header); return func() {} })
				conns = (total - pairs/2) / n
			}
			b.ReportMetric(conns, "B/session")
		})
	}
}

// compressing returns what newFleetWith needs for connections with or without compression.
func compressing(on bool) (engine.Options, string) {
	if !on {
		return engine.Options{}, ""
	}
	return engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{}}, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
}

// BenchmarkBroadcastLarge: what does a message over the threshold cost for 500
// sessions, with and without compression?
func BenchmarkBroadcastLarge(b *testing.B) {
	const n = 500
	payload := []byte(strings.Repeat(`{"room":"kitchen","temperature":21.5,"time":1755600000},`, 80))
	for _, compression := range []bool{false, true} {
		b.Run(fmt.Sprintf("compression=%v", compression), func(b *testing.B) {
			o, header := compressing(compression)
			f := newFleetWith(b, n, true, o, header)
			size := int64(text(string(payload)).Len())
			if compression {
				m := text(string(payload))
				size = int64(engine.Compress(m, &engine.PerMessageDeflate{Threshold: 1, Level: 1}).Len())
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				f.target.Add(size * n)
				f.broadcast(payload)
				<-f.reached
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/delivery")
			b.ReportMetric(float64(size), "B/frame")
		})
	}
}

// measure returns the memory that make leaves in use.
func measure(make func() func()) float64 {
	before := inUse()
	release := make()
	after := inUse()
	release()
	return after - before
}

// idleConns opens n plain connections, both ends.
func idleConns(tb testing.TB, n int) func() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	all := make([]net.Conn, 0, 2*n)
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		d, err := l.Accept()
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, c, d)
	}
	return func() {
		for _, c := range all {
			_ = c.Close()
		}
		_ = l.Close()
	}
}

func inUse() float64 {
	for range 3 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // lets goroutines end that only had to return
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}
