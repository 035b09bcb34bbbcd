package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"siomq/server/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// received is one message that a handler was given.
type received struct {
	data   string
	binary bool
}

// ended is what a handler was told at the end.
type ended struct {
	reason engine.Reason
	err    error
}

// session is the server's side of a test: a Handler that keeps what it is given.
type session struct {
	*engine.Socket
	onMessage func(s *session, data []byte, binary bool) // nil: keep it
	messages  chan received                              // never closed
	closed    chan ended                                 // one value for each call of Close; never closed
}

func (s *session) Message(data []byte, binary bool) {
	if s.onMessage != nil {
		s.onMessage(s, data, binary)
		return
	}
	s.messages <- received{string(data), binary}
}

func (s *session) Close(reason engine.Reason, err error) { s.closed <- ended{reason, err} }

func echo(s *session, data []byte, binary bool) {
	_ = s.Send(engine.NewMessage(engine.Part{Data: data, Binary: binary}))
}

func text(s string) *engine.Message { return engine.NewMessage(engine.Part{Data: []byte(s)}) }

// server is an engine.Server behind a real http.Server.
type server struct {
	t *testing.T
	*engine.Server
	http     *http.Client
	dial     func() (net.Conn, error)
	sessions chan *session // in the order they were opened; never closed
}

// newServer starts a server on a port of the loopback interface.
func newServer(t *testing.T, o *engine.Options, onMessage func(*session, []byte, bool)) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, o, onMessage, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

// newPipeServer starts a server on connections in memory, for synctest.
func newPipeServer(t *testing.T, o *engine.Options, onMessage func(*session, []byte, bool)) *server {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	return serve(t, o, onMessage, l, l.dial)
}

func serve(t *testing.T, o *engine.Options, onMessage func(*session, []byte, bool), l net.Listener, dial func() (net.Conn, error)) *server {
	sessions := make(chan *session, 10_000)
	srv, err := engine.New(o, func(sk *engine.Socket) engine.Handler {
		ss := &session{Socket: sk, onMessage: onMessage, messages: make(chan received, 10_000), closed: make(chan ended, 10)}
		sessions <- ss
		return ss
	})
	if err != nil {
		t.Fatal(err)
	}
	s := listen(t, srv, l, dial)
	s.sessions = sessions
	return s
}

// mount puts srv behind a port of the loopback interface.
func mount(t *testing.T, srv *engine.Server) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, srv, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

func listen(t *testing.T, srv *engine.Server, l net.Listener, dial func() (net.Conn, error)) *server {
	s := &server{t: t, Server: srv, dial: dial}
	transport := &http.Transport{
		DialContext:         func(context.Context, string, string) (net.Conn, error) { return dial() },
		MaxIdleConnsPerHost: 100,
	}
	s.http = &http.Client{Transport: transport}
	hs := &http.Server{Handler: s.Server}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		transport.CloseIdleConnections()
		_ = hs.Close()
		wg.Wait()
	})
	return s
}

// session returns the server's side of the next session.
func (s *server) session() *session { return next(s.t, s.sessions, "session") }

// next returns the next value of c.
func next[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func (s *session) wantMessage(t *testing.T, data string, binary bool) {
	t.Helper()
	if got, want := next(t, s.messages, "message"), (received{data, binary}); got != want {
		t.Fatalf("message %+v, want %+v", got, want)
	}
}

func (s *session) wantClosed(t *testing.T, reason engine.Reason) ended {
	t.Helper()
	got := next(t, s.closed, "close")
	if got.reason != reason {
		t.Fatalf("closed with %q (%v), want %q", got.reason, got.err, reason)
	}
	return got
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// reply is a response with its body read.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) want(t *testing.T, status int, body string) {
	t.Helper()
	if r.err != nil || r.status != status || r.body != body {
		t.Fatalf("got %d %q (%v), want %d %q", r.status, r.body, r.err, status, body)
	}
}

const (
	unknownSID = `{"code":1,"message":"Session ID unknown"}`
	badRequest = `{"code":3,"message":"Bad request"}`
)

// do makes a request and reads the response.
func (s *server) do(method, query string, body io.Reader, headers ...string) reply {
	req, err := http.NewRequest(method, "http://example.test/engine.io/?"+query, body)
	if err != nil {
		return reply{err: err}
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(b), err}
}

// poller is a polling client.
type poller struct {
	t   *testing.T
	srv *server
	sid string
}

type openPacket struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"`
	PingTimeout  int      `json:"pingTimeout"`
	MaxPayload   int      `json:"maxPayload"`
}

func parseOpen(t *testing.T, packet string) openPacket {
	t.Helper()
	var o openPacket
	if !strings.HasPrefix(packet, "0") {
		t.Fatalf("open packet %q", packet)
	}
	if err := json.Unmarshal([]byte(packet[1:]), &o); err != nil {
		t.Fatalf("open packet %q: %v", packet, err)
	}
	return o
}

// poll opens a polling session.
func (s *server) poll() (*poller, *session) {
	s.t.Helper()
	r := s.do("GET", "EIO=4&transport=polling", nil)
	if r.err != nil || r.status != 200 {
		s.t.Fatalf("handshake: %d %q %v", r.status, r.body, r.err)
	}
	first, _, _ := strings.Cut(r.body, "\x1e")
	return &poller{s.t, s, parseOpen(s.t, first).SID}, s.session()
}

func (p *poller) query() string { return "EIO=4&transport=polling&sid=" + p.sid }

func (p *poller) get() reply { return p.srv.do("GET", p.query(), nil) }

// getLater makes a GET in the background and returns when the server has it.
func (p *poller) getLater(s *session) <-chan reply {
	p.t.Helper()
	c := make(chan reply, 1)
	go func() { c <- p.get() }()
	until(p.t, "a GET is open", func() bool { return engine.HasPoll(s.Socket) })
	return c
}

func (p *poller) post(body string) reply {
	return p.srv.do("POST", p.query(), strings.NewReader(body), "Content-Type", "text/plain;charset=UTF-8")
}

// wantGone checks that the session is no longer known.
func (p *poller) wantGone() {
	p.t.Helper()
	p.get().want(p.t, 400, unknownSID)
}

// client is a WebSocket client, of few manners: it sends what it is told to.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// frame opcodes, RFC 6455 section 5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// connect makes the WebSocket handshake. A refusal is returned as a reply.
func (s *server) connect(query string, headers ...string) (*client, reply) {
	s.t.Helper()
	conn, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	var b strings.Builder
	fmt.Fprintf(&b, "GET /engine.io/?%s HTTP/1.1\r\nHost: example.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", query)
	b.WriteString("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	b.WriteString("\r\n")
	if _, err := conn.Write([]byte(b.String())); err != nil {
		s.t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return &client{s.t, conn, r}, reply{status: 101, header: resp.Header}
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return nil, reply{resp.StatusCode, resp.Header, string(body), err}
}

// ws opens a WebSocket session.
func (s *server) ws() (*client, *session) {
	s.t.Helper()
	c, r := s.connect("EIO=4&transport=websocket")
	if c == nil {
		s.t.Fatalf("handshake refused: %d %s", r.status, r.body)
	}
	op, data := c.next()
	if op != opText {
		s.t.Fatalf("first frame has opcode %d", op)
	}
	parseOpen(s.t, string(data))
	return c, s.session()
}

// maskedFrame builds a client frame. Its masking key is zero, which is a key
// like any other.
func maskedFrame(op byte, payload []byte) []byte {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}

func (c *client) sendFrame(op byte, payload []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(maskedFrame(op, payload)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) send(packet string) {
	c.t.Helper()
	c.sendFrame(opText, []byte(packet))
}

// read returns the opcode and the payload of the next frame.
func (c *client) read() (byte, []byte, error) {
	first, payload, err := c.frame()
	return first & 0x0f, payload, err
}

// frame returns the first byte and the payload of the next frame.
func (c *client) frame() (byte, []byte, error) {
	var h [2]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	ext := 0
	switch n {
	case 126:
		ext = 2
	case 127:
		ext = 8
	}
	if ext > 0 {
		var b [8]byte
		if _, err := io.ReadFull(c.r, b[8-ext:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(c.r, payload)
	return h[0], payload, err
}

func (c *client) next() (byte, []byte) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	op, payload, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return op, payload
}

func (c *client) want(packet string) {
	c.t.Helper()
	if op, got := c.next(); op != opText || string(got) != packet {
		c.t.Fatalf("got opcode %d %q, want text %q", op, got, packet)
	}
}

func (c *client) wantBinary(data []byte) {
	c.t.Helper()
	if op, got := c.next(); op != opBinary || !bytes.Equal(got, data) {
		c.t.Fatalf("got opcode %d %q, want binary %q", op, got, data)
	}
}

// wantClose reads the close frame, answers it and sees the connection end.
func (c *client) wantClose() []byte {
	c.t.Helper()
	op, payload := c.next()
	if op != opClose {
		c.t.Fatalf("got opcode %d %q, want a close frame", op, payload)
	}
	_, _ = c.conn.Write(maskedFrame(opClose, payload))
	c.wantEnd()
	return payload
}

// wantEnd sees the connection end, whatever comes before.
func (c *client) wantEnd() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		_, _, err := c.read()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("the connection does not end")
		}
		if err != nil {
			return
		}
	}
}

// upgrade opens the WebSocket of an upgrade and probes.
func (p *poller) probe() *client {
	p.t.Helper()
	c, r := p.srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
	if c == nil {
		p.t.Fatalf("upgrade refused: %d %s", r.status, r.body)
	}
	c.send("2probe")
	c.want("3probe")
	return c
}

// pipeListener accepts connections in memory.
type pipeListener struct {
	conns chan net.Conn // from dial to Accept; never closed
	done  chan struct{} // closed by Close
	once  sync.Once
}

func (l *pipeListener) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// newReaderClient is a client that reads frames from r and has no connection.
func newReaderClient(t *testing.T, r io.Reader) *client {
	return &client{t: t, r: bufio.NewReader(r)}
}
