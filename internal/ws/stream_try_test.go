package ws_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/internal/ws"
)

// unframe reads frames from r until its end: the payloads of binary ones joined, and the other frames in a row.
func unframe(t *testing.T, r io.Reader) (data []byte, control string) {
	t.Helper()
	for {
		var h [10]byte
		if _, err := io.ReadFull(r, h[:2]); err != nil {
			if err != io.EOF {
				t.Errorf("between frames: %v", err)
			}
			return data, control
		}
		op, n := h[0], int(h[1])
		for more := map[int]int{126: 2, 127: 8}[n]; more > 0; more = 0 {
			if _, err := io.ReadFull(r, h[:more]); err != nil {
				t.Fatalf("header: %v", err)
			}
			n = 0
			for _, b := range h[:more] {
				n = n<<8 | int(b)
			}
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatalf("payload of %d bytes: %v", n, err)
		}
		if op == 0x82 {
			data = append(data, p...)
		} else {
			control += string(p) + ";"
		}
	}
}

// TestStreamTryWrite writes more than the connection takes, with pings in between: every byte arrives, no pong stands
// inside a message, and the last ping is answered.
func TestStreamTryWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nothing can be tried")
	}
	s, theirs := streamPair(t, "TCP")
	if err := s.SetDeadline(time.Now().Add(testWait)); err != nil {
		t.Fatal(err)
	}
	_ = s.NetConn().(*net.TCPConn).SetWriteBuffer(16 << 10)
	data := make([]byte, 2<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	var others sync.WaitGroup
	others.Go(func() { _, _ = io.Copy(io.Discard, s) })
	others.Go(func() {
		for range 50 {
			mustWrite(t, theirs, frame(0x89, "ping"))
		}
		mustWrite(t, theirs, frame(0x89, "last"))
	})
	var got []byte
	var control string
	others.Go(func() {
		got, control = unframe(t, theirs)
		_ = theirs.Close()
	})
	whole, cut := 0, 0
	for at := 0; at < len(data); {
		p := data[at:min(len(data), at+1+r.IntN(90000))]
		n, err := s.TryWrite(p)
		switch {
		case err != nil:
			t.Fatal(err)
		case n == len(p):
			whole++
		default:
			if cut++; cut%2 == 0 { // else by TryWrite again
				var m int
				if m, err = s.Write(p[n:]); err != nil || m != len(p)-n {
					t.Fatalf("write of the rest: %d of %d, %v", m, len(p)-n, err)
				}
				n += m
			}
		}
		if at += n; n == 0 {
			runtime.Gosched()
		}
	}
	if whole == 0 || cut == 0 {
		t.Errorf("%d writes were whole, %d were cut", whole, cut)
	}
	_ = s.NetConn().(*net.TCPConn).CloseWrite()
	others.Wait()
	if !bytes.Equal(got, data) {
		t.Errorf("received %d bytes, want %d, or others", len(got), len(data))
	}
	if strings.Trim(control, "pinglast;") != "" {
		t.Errorf("control frames %q", control)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// stall fills the connection until a frame is cut.
func stall(t *testing.T, s *ws.Stream) {
	t.Helper()
	p := make([]byte, 100_000)
	for {
		n, err := s.TryWrite(p)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && n < len(p) {
			return
		}
		if n == 0 {
			t.Skip("frames are not cut here")
		}
	}
}

// TestStreamTryWriteCut holds what happens while a frame is cut: the reader is not held up by a ping, and Close writes
// nothing into the frame.
func TestStreamTryWriteCut(t *testing.T) {
	s, theirs := streamPair(t, "TCP")
	stall(t, s)
	mustWrite(t, theirs, join(frame(0x89, "p"), frame(0x82, "x")))
	expect(t, s, "x")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.TryWrite([]byte("more")); err == nil {
		t.Error("a write after Close succeeds")
	}
	tail := make([]byte, 0, 200_000)
	buf := make([]byte, 100_000)
	for {
		n, err := theirs.Read(buf)
		if tail = append(tail, buf[:n]...); err != nil {
			break
		}
		tail = tail[max(0, len(tail)-10):]
	}
	if strings.Trim(string(tail), "\x00") != "" {
		t.Errorf("the last bytes are %q", tail)
	}
}

// TestStreamTryWriteUnsupported: where nothing can be tried nothing is written, and Write does it.
func TestStreamTryWriteUnsupported(t *testing.T) {
	s, theirs := streamPair(t, "pipe")
	if n, err := s.TryWrite([]byte("hello")); n != 0 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	var writing sync.WaitGroup
	writing.Go(func() { mustWrite(t, s, []byte("hello")) })
	expect(t, theirs, "\x82\x05hello")
	writing.Wait()
}

// TestStreamTryWriteFailed: the error stays.
func TestStreamTryWriteFailed(t *testing.T) {
	s, _ := streamPair(t, "TCP")
	_ = s.NetConn().Close()
	if _, err := s.TryWrite([]byte("x")); !errors.Is(err, net.ErrClosed) && runtime.GOOS != "windows" {
		t.Errorf("first: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second: %v", err)
	}
}

// TestStreamTryWriteAllocs: a small message costs no allocation.
func TestStreamTryWriteAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s, theirs := streamPair(t, "TCP")
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	p := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.TryWrite(p); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
