package ws_test

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"siomq/internal/ws"
)

// tcpPair returns two ends of a TCP connection on the loopback interface.
func tcpPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatalf("dial: %v", err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatalf("accept: %v", err)
	}
	_ = l.Close()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// mustWrite writes all of b.
func mustWrite(t testing.TB, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatalf("write %d bytes: %v", len(b), err)
	}
}

// TestIdleHoldsNothing follows the pooled buffers of a connection through its waits.
func TestIdleHoldsNothing(t *testing.T) {
	if !haveRaw {
		t.Skip("connections wait with a buffer here")
	}
	ours, theirs := tcpPair(t)
	var held ws.Held
	c := ws.NewTestConn(ours, ws.NewPool(&held), -1, nil)
	parked := make(chan int64)
	ws.OnPark(c, func() { parked <- held.Load() })
	var r recorder
	ended := make(chan error, 1)
	go func() { ended <- c.ReadLoop(&r) }()
	long := frame(0x82, strings.Repeat("x", 3*ws.BufferSize))
	steps := []struct {
		name string
		send []byte
		want int64
	}{
		{"before anything", nil, 0},
		{"after a message", frame(0x81, "hello"), 0},
		{"after many messages", join(frame(0x81, "a"), frame(0x89, "b"), frame(0x81, "c")), 0},
		{"one byte of a header", frame(0x81, "hello")[:1], ws.SmallSize},
		{"part of a payload", frame(0x81, "hello")[1:8], ws.SmallSize},
		{"its end", frame(0x81, "hello")[8:], 0},
		{"first fragment", frame(0x01, "hel"), 0},
		{"last fragment", frame(0x80, "lo"), 0},
		{"much of a payload", frame(0x82, strings.Repeat("x", 1000))[:900], ws.BufferSize},
		{"the rest", frame(0x82, strings.Repeat("x", 1000))[900:], 0},
		{"a large message in part", long[:100], 0},
		{"more of it", long[100:20000], 0},
		{"the rest and one byte", append(long[20000:], 0x81), ws.SmallSize},
	}
	for _, s := range steps {
		if s.send != nil {
			mustWrite(t, theirs, s.send)
		}
		// TCP may bring the bytes in parts, so the wait that counts is the last; a probe after it would be another step.
		got := int64(-1)
		for late := time.After(testWait); got != s.want; {
			select {
			case got = <-parked:
			case <-late:
				t.Fatalf("%s: a waiting connection holds %d bytes, want %d", s.name, got, s.want)
			}
		}
	}
	_ = theirs.Close()
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("end is %v, want unexpected EOF", err)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("an ended connection holds %d bytes", n)
	}
}

// TestWaitWithoutRaw holds that a connection without raw reads waits with a small buffer, except inside a longer frame.
func TestWaitWithoutRaw(t *testing.T) {
	whole := frame(0x81, strings.Repeat("x", 1000))
	nc := &chunkConn{chunks: [][]byte{frame(0x81, "a"), whole, whole[:10], whole[10:], frame(0x81, "b")[:1]}}
	var held ws.Held
	var got []int64
	nc.before = func() { got = append(got, held.Load()) }
	c := ws.NewTestConn(nc, ws.NewPool(&held), -1, nil)
	var r recorder
	_ = c.ReadLoop(&r)
	small, large := int64(ws.SmallSize), int64(ws.BufferSize)
	// before a; before the long message, and inside it; before the next, and inside it; before b; inside it
	want := []int64{small, small, large, small, large, small, small}
	if !slices.Equal(got, want) {
		t.Errorf("reads begin with buffers of %d bytes, want %d", got, want)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("an ended connection holds %d bytes", n)
	}
}

// TestReadDeadline brings a message byte by byte, and lets deadlines pass before and after each.
func TestReadDeadline(t *testing.T) {
	stream := join(frame(0x01, "Hel"), frame(0x80, "lo"))
	last := len(stream) - 1
	for _, how := range []string{"TCP", "pipe"} {
		t.Run(how, func(t *testing.T) {
			ours, theirs := tcpPair(t)
			if how == "pipe" {
				ours, theirs = net.Pipe()
				defer func() { _, _ = ours.Close(), theirs.Close() }()
			}
			c := ws.NewTestConn(ours, nil, -1, nil)
			for i := range last {
				written := make(chan struct{})
				go func() {
					defer close(written)
					_, _ = theirs.Write(stream[i : i+1])
				}()
				for taken := false; !taken; { // a pipe is written to only while it is read
					select {
					case <-written:
						taken = true
					default:
					}
					within(t, c, time.Millisecond)
					if _, _, err := c.Next(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("after %d bytes: error %v, want deadline", i, err)
					}
				}
			}
			written := make(chan struct{})
			go func() {
				defer close(written)
				_, _ = theirs.Write(stream[last:])
			}()
			within(t, c, testWait)
			if _, data, err := c.Next(nil); err != nil || string(data) != "Hello" {
				t.Errorf("message is %q with error %v, want Hello", data, err)
			}
			<-written
		})
	}
}

// within sets the read deadline.
func within(t *testing.T, c *ws.Conn, d time.Duration) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
}

// TestReadDeadlineEndsWait sets a deadline while the reader waits.
func TestReadDeadlineEndsWait(t *testing.T) {
	ours, _ := tcpPair(t)
	c := ws.NewTestConn(ours, nil, -1, nil)
	ended := make(chan error, 1)
	go func() { ended <- c.ReadLoop(&recorder{}) }()
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("end is %v, want deadline", err)
	}
}

func TestCloseEndsWait(t *testing.T) {
	ours, _ := tcpPair(t)
	c := ws.NewTestConn(ours, nil, -1, nil)
	ended := make(chan error, 1)
	go func() { ended <- c.ReadLoop(&recorder{}) }()
	if err := c.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("end is %v, want closed", err)
	}
	if _, _, err := c.Next(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after the end: %v, want the same error", err)
	}
	if _, err := c.TryWrite([]byte("x")); !errors.Is(err, net.ErrClosed) && !errors.Is(err, ws.ErrTryUnsupported) {
		t.Errorf("write after Close: %v, want closed", err)
	}
}

// failing is a handler whose Message fails.
type failing struct{ recorder }

var errHandler = errors.New("handler failed")

func (f *failing) Message(op ws.Opcode, data []byte) error {
	return errors.Join(errHandler, f.recorder.Message(op, data))
}

// TestHandlerError changes the handler after each message, as an upgrade does; what follows in the same read is kept.
func TestHandlerError(t *testing.T) {
	long := strings.Repeat("x", 1000)
	stream := join(frame(0x81, "a"), frame(0x81, long), frame(0x81, "c"), frame(0x02, "d"), frame(0x80, "e"), frame(0x81, "f"))
	nc := &chunkConn{chunks: [][]byte{stream}}
	var held ws.Held
	c := ws.NewTestConn(nc, ws.NewPool(&held), -1, nil)
	var got []string
	var err error
	for {
		var f failing
		err = c.ReadLoop(&f)
		got = append(got, f.lines...)
		if !errors.Is(err, errHandler) {
			break
		}
	}
	same(t, got, []string{"text a", "text " + brief(long), "text c", "binary de", "text f"}, "a handler for each message")
	if err != io.EOF {
		t.Errorf("end is %v, want EOF", err)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes of buffers were not given back", n)
	}
}

// TestTryWrite fills the send buffer, finds that nothing goes, and that what went arrives in order.
func TestTryWrite(t *testing.T) {
	if !haveRaw {
		t.Skip("no nonblocking write here")
	}
	for _, vec := range []bool{false, true} {
		ours, theirs := tcpPair(t)
		c := ws.NewTestConn(ours, nil, -1, nil)
		if !c.CanTry() {
			t.Fatal("CanTry is false on TCP")
		}
		block := []byte(strings.Repeat("0123456789abcdef", 4096))
		var sent []byte
		for {
			var n int
			var err error
			if vec {
				n, err = c.TryWritev([][]byte{block[:1], nil, block[1:20000], block[20000:]})
			} else {
				n, err = c.TryWrite(block)
			}
			if err != nil {
				t.Fatalf("try: %v", err)
			}
			if n == 0 {
				break
			}
			sent = append(sent, block[:n]...)
		}
		go func() { _ = ours.(*net.TCPConn).CloseWrite() }()
		got, err := io.ReadAll(theirs)
		if err != nil || string(got) != string(sent) {
			t.Errorf("vec %v: %d bytes arrived with error %v, want the %d that were taken", vec, len(got), err, len(sent))
		}
	}
}

func TestTryWritevMany(t *testing.T) {
	if !haveRaw {
		t.Skip("no nonblocking write here")
	}
	ours, theirs := tcpPair(t)
	c := ws.NewTestConn(ours, nil, -1, nil)
	bufs := make([][]byte, 200)
	for i := range bufs {
		bufs[i] = []byte{byte(i)}
	}
	for len(bufs) > 0 {
		n, err := c.TryWritev(bufs)
		if err != nil || n == 0 {
			t.Fatalf("try: %d, %v", n, err)
		}
		bufs = bufs[n:] // of one byte each
	}
	if n, err := c.TryWritev(nil); n != 0 || err != nil {
		t.Errorf("try of nothing: %d, %v", n, err)
	}
	got := make([]byte, 200)
	if _, err := io.ReadFull(theirs, got); err != nil {
		t.Fatalf("read: %v", err)
	}
	for i, b := range got {
		if int(b) != i {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func TestTryWriteUnsupported(t *testing.T) {
	c := ws.NewTestConn(&chunkConn{}, nil, -1, nil)
	if c.CanTry() {
		t.Error("CanTry is true without raw writes")
	}
	if n, err := c.TryWrite([]byte("x")); n != 0 || err != ws.ErrTryUnsupported {
		t.Errorf("TryWrite = %d, %v, want ErrTryUnsupported", n, err)
	}
	if n, err := c.TryWritev([][]byte{{1}}); n != 0 || err != ws.ErrTryUnsupported {
		t.Errorf("TryWritev = %d, %v, want ErrTryUnsupported", n, err)
	}
}

func TestTryWriteToClosedPeer(t *testing.T) {
	if !haveRaw {
		t.Skip("no nonblocking write here")
	}
	ours, theirs := rawPair(t)
	defer func() { _ = ours.Close() }()
	_ = theirs.Close()
	c := ws.NewTestConn(ours, nil, -1, nil)
	_, err := c.TryWrite([]byte("x"))
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("write to a closed peer: %v, want a net.OpError", err)
	}
}

// TestShutdown lets the peer answer, and then not.
func TestShutdown(t *testing.T) {
	tests := []struct {
		name    string
		answer  []byte
		timeout time.Duration
		want    string
	}{
		{"answered", join(frame(0x81, "late"), frame(0x88, "\x03\xe9")), testWait, "text late|closed 1001 "},
		{"not answered", nil, time.Millisecond, "i/o timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ours, theirs := tcpPair(t)
			c := ws.NewTestConn(ours, nil, -1, nil)
			var r recorder
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				r.end(c.ReadLoop(&r))
			}()
			if err := c.Shutdown(ws.CodeGoingAway, "bye", tt.timeout); err != nil {
				t.Fatalf("shutdown: %v", err)
			}
			got := make([]byte, 7)
			if _, err := io.ReadFull(theirs, got); err != nil || string(got) != "\x88\x05\x03\xe9bye" {
				t.Errorf("peer reads %q, %v", got, err)
			}
			mustWrite(t, theirs, tt.answer)
			<-ended
			if got := strings.Join(r.lines, "|"); !strings.HasSuffix(got, tt.want) {
				t.Errorf("reader saw %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLinger holds that a Close frame arrives although the peer goes on sending, and that the wait for it is bounded.
func TestLinger(t *testing.T) {
	ours, theirs := tcpPair(t)
	var held ws.Held
	c := ws.NewTestConn(ours, ws.NewPool(&held), 10, nil)
	sent := make(chan error, 1)
	go func() {
		_, err := theirs.Write(frame(0x82, strings.Repeat("x", 8<<20)))
		sent <- err
	}()
	_, _, err := c.Next(nil)
	mustWrite(t, ours, ws.AppendCloseReply(nil, err))
	lingered := make(chan error, 1)
	go func() { lingered <- c.Linger(testWait) }()
	if err := <-sent; err != nil {
		t.Errorf("peer could not send on: %v", err)
	}
	got, err := io.ReadAll(theirs)
	if err != nil || !strings.HasPrefix(string(got), "\x88\x16\x03\xf1") {
		t.Errorf("peer reads %q, %v, want a Close frame with 1009", got, err)
	}
	_ = theirs.Close()
	if err := <-lingered; err != nil {
		t.Errorf("linger: %v", err)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes of buffers were not given back", n)
	}
	ours, _ = tcpPair(t)
	if err := ws.NewTestConn(ours, nil, 10, nil).Linger(time.Millisecond); err != nil {
		t.Errorf("linger with a silent peer: %v", err)
	}
}

func TestAppendCloseReply(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"echo", &ws.CloseError{Code: 1000, Reason: "theirs"}, "\x88\x02\x03\xe8"},
		{"echo without code", &ws.CloseError{Code: ws.CodeNoStatus}, "\x88\x00"},
		{"violation", &ws.CloseError{Code: 1002, Reason: "why", Local: true}, "\x88\x05\x03\xeawhy"},
		{"wrapped", errors.Join(&ws.CloseError{Code: 1000}), "\x88\x02\x03\xe8"},
		{"end of stream", io.EOF, ""},
		{"nothing", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(ws.AppendCloseReply(nil, tt.err)); got != tt.want {
				t.Errorf("AppendCloseReply(%v) = %q, want %q", tt.err, got, tt.want)
			}
		})
	}
}
