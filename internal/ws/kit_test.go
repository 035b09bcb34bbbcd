package ws_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"siomq/internal/ws"
)

// testWait bounds every wait in the tests.
const testWait = 10 * time.Second

// testKey is the masking key of RFC 6455 section 5.7.
var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// frame builds a client frame: first is the whole first byte, so that it may be wrong.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, testKey[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^testKey[i%4])
	}
	return b
}

// join makes one stream of frames.
func join(frames ...[]byte) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f...)
	}
	return b
}

// recorder notes what ReadLoop gives it, one line for each call.
type recorder struct{ lines []string }

func (r *recorder) Message(op ws.Opcode, data []byte) error {
	kind := "text"
	if op == ws.Binary {
		kind = "binary"
	}
	r.lines = append(r.lines, kind+" "+brief(string(data)))
	return nil
}

func (r *recorder) Pong(frame []byte) { r.lines = append(r.lines, fmt.Sprintf("pong %x", frame)) }

// end notes the error that ended ReadLoop.
func (r *recorder) end(err error) {
	var closed *ws.CloseError
	switch {
	case errors.As(err, &closed) && closed.Local:
		r.lines = append(r.lines, fmt.Sprintf("violation %d", closed.Code))
	case errors.As(err, &closed):
		r.lines = append(r.lines, fmt.Sprintf("closed %d %s", closed.Code, closed.Reason))
	default:
		r.lines = append(r.lines, err.Error())
	}
}

// brief shortens what is long, with its length and a sum over its bytes.
func brief(s string) string {
	if len(s) <= 40 {
		return s
	}
	sum := uint32(2166136261)
	for i := range len(s) {
		sum = (sum ^ uint32(s[i])) * 16777619
	}
	return fmt.Sprintf("%d bytes %08x", len(s), sum)
}

// chunkConn is a connection without raw reads, each Read of which returns one chunk, or the part that fits.
type chunkConn struct {
	net.Conn // nil: nothing else is called
	chunks   [][]byte
	before   func() // called before each Read
}

func (c *chunkConn) Read(p []byte) (int, error) {
	if c.before != nil {
		c.before()
	}
	for len(c.chunks) > 0 && len(c.chunks[0]) == 0 {
		c.chunks = c.chunks[1:]
	}
	if len(c.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.chunks[0])
	c.chunks[0] = c.chunks[0][n:]
	return n, nil
}

// delivery is a way to bring chunks to a reader, and returns what it made of them.
type delivery func(t testing.TB, limit int64, chunks ...[]byte) []string

// deliveries are the ways there are: with a buffer while waiting, and raw.
func deliveries() map[string]delivery { return deliveriesOf(ws.NewTestConn) }

// deflateDeliveries are the same on connections that agreed on compression.
func deflateDeliveries() map[string]delivery {
	return deliveriesOf(func(nc net.Conn, pool any, limit int64, early []byte) *ws.Conn {
		c := ws.NewTestConn(nc, pool, limit, early)
		ws.Agree(c, 15)
		return c
	})
}

// newConn makes the Conn under test.
type newConn func(nc net.Conn, pool any, limit int64, early []byte) *ws.Conn

func deliveriesOf(conn newConn) map[string]delivery {
	d := map[string]delivery{"plain": func(t testing.TB, limit int64, chunks ...[]byte) []string {
		return deliverPlainTo(t, conn, limit, chunks...)
	}}
	if haveRaw {
		d["raw"] = func(t testing.TB, limit int64, chunks ...[]byte) []string {
			return deliverRaw(t, conn, limit, chunks...)
		}
	}
	return d
}

func deliverPlain(t testing.TB, limit int64, chunks ...[]byte) []string {
	return deliverPlainTo(t, ws.NewTestConn, limit, chunks...)
}

func deliverPlainTo(t testing.TB, conn newConn, limit int64, chunks ...[]byte) []string {
	var held ws.Held
	copies := make([][]byte, len(chunks))
	copy(copies, chunks)
	c := conn(&chunkConn{chunks: copies}, ws.NewPool(&held), limit, nil)
	var r recorder
	r.end(c.ReadLoop(&r))
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes of buffers were not given back", n)
	}
	return r.lines
}

// deliverRaw writes each chunk when the reader has read the one before and waits.
func deliverRaw(t testing.TB, conn newConn, limit int64, chunks ...[]byte) []string {
	ours, theirs := rawPair(t)
	var held ws.Held
	c := conn(ours, ws.NewPool(&held), limit, nil)
	parked := make(chan struct{})
	done := make(chan struct{})
	ws.OnPark(c, func() {
		select {
		case parked <- struct{}{}:
		case <-done:
		}
	})
	var r recorder
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.end(c.ReadLoop(&r))
	}()
	write := func() {
		defer close(done)
		for _, chunk := range chunks {
			for len(chunk) > 0 { // a chunk larger than the socket's buffer goes in parts
				select {
				case <-parked:
				case <-ended:
					return
				}
				n := min(len(chunk), 32<<10)
				if _, err := theirs.Write(chunk[:n]); err != nil {
					return
				}
				chunk = chunk[n:]
			}
		}
		select {
		case <-parked:
		case <-ended:
		}
	}
	write()
	_ = theirs.Close()
	<-ended
	_ = ours.Close()
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes of buffers were not given back", n)
	}
	return r.lines
}

// same compares what a reader made of a stream.
func same(t *testing.T, got, want []string, about string, args ...any) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Fatalf("%s\ngot:\n%s\nwant:\n%s", fmt.Sprintf(about, args...), g, w)
	}
}

// split cuts b into pieces of n bytes.
func split(b []byte, n int) [][]byte {
	var pieces [][]byte
	for len(b) > n {
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return append(pieces, b)
}
