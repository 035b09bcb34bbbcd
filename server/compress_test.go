package server_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"siomq/internal/siotest"
	"siomq/server"
	"siomq/server/engine"
)

// deflating is a WebSocket client that has agreed to permessage-deflate and looks at frames.
type deflating struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dialDeflating(t *testing.T, url string) *deflating {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(siotest.Deadline))
	if _, err := io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	c := &deflating{t: t, conn: conn, r: bufio.NewReader(conn)}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v, %v", resp, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	c.next()                                                                    // open
	if _, err := conn.Write([]byte("\x81\x82\x00\x00\x00\x0040")); err != nil { // CONNECT
		t.Fatal(err)
	}
	c.next()
	return c
}

// next reads a frame and tells whether it is compressed.
func (c *deflating) next() bool {
	c.t.Helper()
	var h [4]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		c.t.Fatal(err)
	}
	n := int(h[1])
	if n == 126 {
		if _, err := io.ReadFull(c.r, h[2:]); err != nil {
			c.t.Fatal(err)
		}
		n = int(binary.BigEndian.Uint16(h[2:]))
	}
	if _, err := c.r.Discard(n); err != nil {
		c.t.Fatal(err)
	}
	return h[0]&0x40 != 0
}

// https://socket.io/docs/v4/server-api/#socketcompressvalue
func TestCompress(t *testing.T) {
	for _, memory := range []*server.RecoveryOptions{nil, {}} {
		name := "without recovery"
		if memory != nil {
			name = "with recovery"
		}
		t.Run(name, func(t *testing.T) {
			srv, url := start(t, &server.Options{Recovery: memory, Engine: engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{}}})
			sockets := make(chan *server.Socket, 1)
			srv.OnConnection(func(s *server.Socket) { sockets <- s })
			c := dialDeflating(t, url)
			s := receive(t, sockets)
			long := strings.Repeat("x", 2000)
			for _, tt := range []struct {
				name string
				emit func(event string, values ...any) error
				want bool
			}{
				{"emit", s.Emit, true},
				{"emit, off", s.Compress(false).Emit, false},
				{"emit, on", s.Compress(false).Compress(true).Emit, true},
				{"volatile, off", s.Volatile().Compress(false).Emit, false},
				{"broadcast", srv.Emit, true},
				{"broadcast, off", srv.Compress(false).Emit, false},
				{"room, off", srv.To(s.ID()).Compress(false).Emit, false},
				{"room, on", srv.To(s.ID()).Compress(false).Compress(true).Emit, true},
			} {
				if err := tt.emit("msg", long); err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				if got := c.next(); got != tt.want {
					t.Errorf("%s: compressed is %v, want %v", tt.name, got, tt.want)
				}
				if err := tt.emit("msg", "short"); err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				if c.next() {
					t.Errorf("%s: a short event is compressed", tt.name)
				}
			}
		})
	}
}
