package ws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"siomq/internal/ws"
)

// streamPair returns a Stream and the other end of its connection.
func streamPair(t testing.TB, how string) (*ws.Stream, net.Conn) {
	t.Helper()
	ours, theirs := tcpPair(t)
	if how == "pipe" {
		ours, theirs = net.Pipe()
		t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	}
	if err := theirs.SetDeadline(time.Now().Add(testWait)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	return ws.NewStream(ws.NewTestConn(ours, nil, -1, nil)), theirs
}

// expect reads as many bytes as want has.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got[:n], err, want)
	}
}

func TestStreamRead(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4096)
	tests := []struct {
		name  string
		bytes []byte
		want  string
		end   string
	}{
		{"messages joined", join(frame(0x82, "ab"), frame(0x82, "cd"), frame(0x82, "e"), frame(0x88, "\x03\xe8")), "abcde", ""},
		{"fragments and empty messages", join(frame(0x02, "a"), frame(0x80, "b"), frame(0x82, ""), frame(0x02, ""), frame(0x80, ""), frame(0x82, "c"), frame(0x88, "")), "abc", ""},
		{"ping inside", join(frame(0x02, "a"), frame(0x89, "p"), frame(0x80, "b"), frame(0x88, "\x03\xe9")), "ab", ""},
		{"long", join(frame(0x82, long), frame(0x02, long), frame(0x80, long), frame(0x88, "")), long + long + long, ""},
		{"end without Close", frame(0x82, "a"), "a", ""},
		{"end inside a message", frame(0x02, "a"), "a", "unexpected EOF"},
		{"end inside a frame", frame(0x82, "abc")[:8], "ab", "unexpected EOF"},
		{"error told by the peer", join(frame(0x82, "a"), frame(0x88, "\x03\xf3")), "a", "ws: closed by peer with 1011"},
		{"text", join(frame(0x82, "a"), frame(0x81, "b")), "a", `ws: peer violates the protocol: 1003 "message is not binary"`},
		{"empty text", frame(0x81, ""), "", `ws: peer violates the protocol: 1003 "message is not binary"`},
		{"not masked", []byte("\x82\x01a"), "", `ws: peer violates the protocol: 1002 "frame is not masked"`},
	}
	for _, how := range []string{"TCP", "pipe"} {
		for _, tt := range tests {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				s, theirs := streamPair(t, how)
				go func() { _, _ = io.Copy(io.Discard, theirs) }()
				go func() {
					for _, piece := range split(tt.bytes, 999) {
						_, _ = theirs.Write(piece)
					}
					if half, ok := theirs.(*net.TCPConn); ok {
						_ = half.CloseWrite()
					} else {
						_ = theirs.Close()
					}
				}()
				got, err := io.ReadAll(s)
				text := ""
				if err != nil {
					text = err.Error()
				}
				if string(got) != tt.want || text != tt.end {
					t.Errorf("read %s, error %q, want %s, %q", brief(string(got)), text, brief(tt.want), tt.end)
				}
			})
		}
	}
}

// TestStreamAnswers holds what goes back to the peer and that nothing follows a Close frame.
func TestStreamAnswers(t *testing.T) {
	s, theirs := streamPair(t, "TCP")
	mustWrite(t, theirs, join(frame(0x89, "ping"), frame(0x82, "x")))
	expect(t, s, "x")
	expect(t, theirs, "\x8a\x04ping")
	mustWrite(t, s, []byte("hello"))
	expect(t, theirs, "\x82\x05hello")
	long := strings.Repeat("l", 70000)
	written := make(chan error, 1)
	go func() {
		_, err := s.Write([]byte(long))
		written <- err
	}()
	expect(t, theirs, "\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x70"+long)
	if err := <-written; err != nil {
		t.Errorf("long write: %v", err)
	}
	if n, err := s.Write(nil); n != 0 || err != nil {
		t.Errorf("write of nothing: %d, %v", n, err)
	}
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Errorf("read of nothing: %d, %v", n, err)
	}
	mustWrite(t, theirs, frame(0x88, "\x03\xe8bye"))
	for range 2 {
		if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read after Close: %v, want EOF", err)
		}
	}
	if _, err := s.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v, want closed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	got, err := io.ReadAll(theirs)
	if err != nil || string(got) != "\x88\x02\x03\xe8" {
		t.Errorf("peer reads %q, %v, want one Close frame", got, err)
	}
}

func TestStreamClose(t *testing.T) {
	for _, how := range []string{"TCP", "pipe"} {
		t.Run(how, func(t *testing.T) {
			s, theirs := streamPair(t, how)
			reading := make(chan error, 1)
			go func() {
				_, err := s.Read(make([]byte, 1))
				reading <- err
			}()
			closed := make(chan error, 1)
			go func() { closed <- s.Close() }()
			expect(t, theirs, "\x88\x02\x03\xe8")
			if err := <-closed; err != nil {
				t.Errorf("close: %v", err)
			}
			if err := <-reading; !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("read ended with %v, want closed", err)
			}
		})
	}
}

// TestStreamDeadlines holds that a read goes on after a deadline and that a write that was cut is the last.
func TestStreamDeadlines(t *testing.T) {
	s, theirs := streamPair(t, "TCP")
	f := frame(0x82, "ab")
	mustWrite(t, theirs, f[:7])
	expect(t, s, "a")
	if err := s.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	if _, err := s.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: %v, want deadline", err)
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		t.Fatalf("clear deadline: %v", err)
	}
	mustWrite(t, theirs, f[7:])
	expect(t, s, "b")
	huge := make([]byte, 64<<20)
	if err := s.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	n, err := s.Write(huge)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n <= 0 || n >= 64<<20 {
		t.Fatalf("write: %d, %v, want a part and deadline", n, err)
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		t.Fatalf("clear deadline: %v", err)
	}
	if n, err := s.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("write after a cut frame: %d, %v, want an error", n, err)
	}
}

// TestStreamInterop carries random bytes both ways at once, with pings, against a foreign client.
func TestStreamInterop(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	done := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws.Upgrade(w, r, &ws.UpgradeOptions{Subprotocols: []string{"mqtt"}, MaxMessage: 10})
		if err != nil {
			done <- err
			return
		}
		stream := ws.NewStream(c)
		_, err = io.Copy(stream, struct{ io.Reader }{stream})
		done <- errors.Join(err, stream.Close())
	}))
	defer s.Close()
	conn := dial(ctx, t, s)
	client := websocket.NetConn(ctx, conn, websocket.MessageBinary)
	data := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(20000))
			if _, err := client.Write(rest[:n]); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			rest = rest[n:]
		}
	})
	writing.Go(func() {
		for range 20 {
			if err := conn.Ping(ctx); err != nil {
				t.Errorf("ping: %v", err)
			}
		}
	})
	// The last pongs are read with the bytes; a reader must stand by until the pings are done.
	got := make([]byte, len(data))
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, data) {
		t.Errorf("echo differs, error %v", err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := client.Read(make([]byte, 1))
		ended <- err
	}()
	writing.Wait()
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close handshake: %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("read after the close handshake: got no error")
	}
	if err := <-done; err != nil {
		t.Errorf("server: %v", err)
	}
}

// TestStreamPongBesideWriter holds that a ping is answered after a message that waits, not inside it, and that the
// reader does not wait for it.
func TestStreamPongBesideWriter(t *testing.T) {
	s, theirs := streamPair(t, "pipe")
	long := strings.Repeat("l", 20000)
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = s.Write([]byte(long)) })
	expect(t, theirs, "\x82\x7e\x4e\x20") // the writer now waits for the rest to be taken
	writing.Go(func() { _, _ = theirs.Write(join(frame(0x89, "1"), frame(0x89, "2"), frame(0x82, "x"))) })
	expect(t, s, "x")
	expect(t, theirs, long)
	expect(t, theirs, "\x8a\x012")
	writing.Wait()
}
