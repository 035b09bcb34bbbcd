package ws_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"siomq/internal/ws"
)

// idleServer upgrades connections and reads each in a goroutine of its own, as a server with many of them does.
type idleServer struct {
	http    *httptest.Server
	readers sync.WaitGroup
	got     chan struct{} // one for each message
}

func newIdleServer(t testing.TB) *idleServer {
	e := &idleServer{got: make(chan struct{})}
	e.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		e.readers.Go(func() {
			_ = c.ReadLoop(idleHandler{e})
			_ = c.Close()
		})
	}))
	return e
}

type idleHandler struct{ e *idleServer }

func (h idleHandler) Message(ws.Opcode, []byte) error { h.e.got <- struct{}{}; return nil }
func (h idleHandler) Pong([]byte)                     {}

// dial connects, shakes hands and sends one message.
func (e *idleServer) dial(ctx context.Context, t testing.TB) net.Conn {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", e.http.Listener.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	mustWrite(t, nc, []byte(request))
	answer := make([]byte, 129) // always the same length
	if _, err := io.ReadFull(nc, answer); err != nil {
		t.Fatalf("read answer: %v", err)
	}
	mustWrite(t, nc, frame(0x81, "hello"))
	<-e.got
	return nc
}

// close ends the server after its clients have gone.
func (e *idleServer) close() {
	e.readers.Wait()
	e.http.Close()
}

func BenchmarkUpgrade(b *testing.B) {
	e := newIdleServer(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = e.dial(context.Background(), b).Close()
	}
	e.close()
}
