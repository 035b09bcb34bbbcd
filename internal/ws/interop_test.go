package ws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"siomq/internal/ws"
)

// echo answers each message with itself, and ends as a server should.
type echo struct{ c *ws.Conn }

func (e *echo) Message(op ws.Opcode, data []byte) error {
	_, err := e.c.Write(ws.AppendFrame(nil, op, data))
	return err
}

func (e *echo) Pong(frame []byte) { _, _ = e.c.Write(frame) }

// echoServer starts a server whose handlers echo; ended is given the error that ended each connection.
func echoServer(t testing.TB, tls bool, o *ws.UpgradeOptions) (s *httptest.Server, ended chan error) {
	t.Helper()
	ended = make(chan error, 16)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws.Upgrade(w, r, o)
		if err != nil {
			ended <- err
			return
		}
		err = c.ReadLoop(&echo{c})
		if _, err := c.Write(ws.AppendCloseReply(nil, err)); err != nil {
			t.Logf("write reply: %v", err)
		}
		_ = c.Linger(testWait)
		ended <- err
	}))
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, ended
}

// dial connects the coder/websocket client.
func dial(ctx context.Context, t testing.TB, s *httptest.Server) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{HTTPClient: s.Client(), Subprotocols: []string{"x", "mqtt"}})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func TestInterop(t *testing.T) {
	for _, tls := range []bool{false, true} {
		name := map[bool]string{false: "TCP", true: "TLS"}[tls]
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testWait)
			defer cancel()
			s, ended := echoServer(t, tls, &ws.UpgradeOptions{Subprotocols: []string{"mqtt"}, MaxMessage: 4 << 20})
			c := dial(ctx, t, s)
			if c.Subprotocol() != "mqtt" {
				t.Errorf("subprotocol is %q, want mqtt", c.Subprotocol())
			}
			for _, n := range []int{0, 1, 125, 126, 1000, 8191, 8192, 8193, 65535, 65536, 3 << 20} {
				interopEcho(ctx, t, c, n)
			}
			interopPing(ctx, t, c)
			if err := c.Close(4321, "done"); err != nil {
				t.Errorf("close handshake: %v", err)
			}
			var closed *ws.CloseError
			if err := <-ended; !errors.As(err, &closed) || closed.Code != 4321 || closed.Reason != "done" {
				t.Errorf("server's end is %v, want 4321 done", err)
			}
		})
	}
}

// interopEcho sends n bytes as binary and as text in two fragments, and awaits both back.
func interopEcho(ctx context.Context, t *testing.T, c *websocket.Conn, n int) {
	t.Helper()
	payload := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
	if err := c.Write(ctx, websocket.MessageBinary, payload); err != nil {
		t.Fatalf("write %d bytes: %v", n, err)
	}
	kind, got, err := c.Read(ctx)
	if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, payload) {
		t.Fatalf("echo of %d bytes is %v of %d bytes, error %v", n, kind, len(got), err)
	}
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatalf("writer: %v", err)
	}
	for _, part := range [][]byte{payload[:n/2], payload[n/2:]} {
		if _, err := w.Write(part); err != nil {
			t.Fatalf("write fragment: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("end message: %v", err)
	}
	kind, r, err := c.Reader(ctx)
	if err != nil || kind != websocket.MessageText {
		t.Fatalf("echo of fragments: %v, %v", kind, err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("echo of fragments is %d bytes, error %v, want %d", len(got), err, n)
	}
}

// interopPing pings while the client reads, as that client needs it.
func interopPing(ctx context.Context, t *testing.T, c *websocket.Conn) {
	t.Helper()
	read := make(chan error, 1)
	go func() {
		_, _, err := c.Read(ctx)
		read <- err
	}()
	if err := c.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("wake")); err != nil {
		t.Errorf("write: %v", err)
	}
	if err := <-read; err != nil {
		t.Errorf("read beside a ping: %v", err)
	}
}

// TestInteropViolations holds that the client learns the code, also while it is still sending.
func TestInteropViolations(t *testing.T) {
	tests := []struct {
		name string
		kind websocket.MessageType
		data []byte
		code websocket.StatusCode
	}{
		{"too large", websocket.MessageBinary, make([]byte, 5<<20), websocket.StatusMessageTooBig},
		{"not UTF-8", websocket.MessageText, []byte("\xff"), websocket.StatusInvalidFramePayloadData},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testWait)
			defer cancel()
			s, ended := echoServer(t, false, nil)
			c := dial(ctx, t, s)
			if err := c.Write(ctx, tt.kind, tt.data); err != nil {
				t.Fatalf("write: %v", err)
			}
			if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != tt.code {
				t.Errorf("client's end is %v, want code %d", err, tt.code)
			}
			_ = c.CloseNow()
			if err := <-ended; !strings.Contains(err.Error(), "violates") {
				t.Errorf("server's end is %v, want a violation", err)
			}
		})
	}
}

// TestInteropCompression has the client compress in each of its modes. All get the same frames.
func TestInteropCompression(t *testing.T) {
	modes := map[string]websocket.CompressionMode{
		"context takeover offered": websocket.CompressionContextTakeover,
		"no context takeover":      websocket.CompressionNoContextTakeover,
		"disabled":                 websocket.CompressionDisabled,
	}
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testWait)
			defer cancel()
			ended := make(chan error, 1)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := ws.Upgrade(w, r, &ws.UpgradeOptions{Compression: true, MaxMessage: 4 << 20})
				if err != nil {
					ended <- err
					return
				}
				err = c.ReadLoop(&deflateEcho{c})
				_, _ = c.Write(ws.AppendCloseReply(nil, err))
				_ = c.Linger(testWait)
				ended <- err
			}))
			t.Cleanup(s.Close)
			c, resp, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{HTTPClient: s.Client(), CompressionMode: mode, CompressionThreshold: 1})
			if err != nil {
				t.Fatalf("dial: %v", err)
			}
			if resp.Body != nil {
				_ = resp.Body.Close()
			}
			if got, want := resp.Header.Get("Sec-Websocket-Extensions") != "", mode != websocket.CompressionDisabled; got != want {
				t.Errorf("compression agreed on: %v, want %v", got, want)
			}
			c.SetReadLimit(-1)
			t.Cleanup(func() { _ = c.CloseNow() })
			for _, n := range []int{0, 1, 125, 1000, 8191, 8192, 8193, 65535, 65536, 3 << 20} {
				interopEcho(ctx, t, c, n)
			}
			interopPing(ctx, t, c)
			if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
				t.Errorf("close handshake: %v", err)
			}
			var closed *ws.CloseError
			if err := <-ended; !errors.As(err, &closed) || closed.Code != ws.CodeNormal {
				t.Errorf("server's end is %v, want 1000", err)
			}
		})
	}
}

// deflateEcho answers each message with itself, compressed where that was agreed on.
type deflateEcho struct{ c *ws.Conn }

func (e *deflateEcho) Message(op ws.Opcode, data []byte) error {
	f := ws.AppendFrame(nil, op, data)
	if e.c.TakesCompressed(len(data)) {
		f = ws.AppendCompressedFrame(nil, op, data, ws.BestSpeed)
	}
	_, err := e.c.Write(f)
	return err
}

func (e *deflateEcho) Pong(frame []byte) { _, _ = e.c.Write(frame) }
