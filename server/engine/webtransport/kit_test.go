package webtransport_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	client "github.com/quic-go/webtransport-go"
	"go.uber.org/goleak"

	"siomq/server/engine"
	"siomq/server/engine/webtransport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

type received struct {
	data   string
	binary bool
}

type ended struct {
	reason engine.Reason
	err    error
}

// session is the server's side of a test.
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

// server is an engine behind HTTP and WebTransport.
type server struct {
	t *testing.T
	*engine.Server
	wt       *webtransport.Server
	http     *httptest.Server
	roots    *x509.CertPool
	sessions chan *session // in the order they were opened; never closed
}

func newServer(t *testing.T, o *engine.Options, onMessage func(*session, []byte, bool)) *server {
	var opts engine.Options
	if o != nil {
		opts = *o
	}
	if opts.Transports == nil {
		opts.Transports = []string{engine.Polling, engine.WebSocket, engine.WebTransport}
	}
	s := &server{t: t, sessions: make(chan *session, 1000)}
	var err error
	s.Server, err = engine.New(&opts, func(sk *engine.Socket) engine.Handler {
		ss := &session{Socket: sk, onMessage: onMessage, messages: make(chan received, 10_000), closed: make(chan ended, 10)}
		s.sessions <- ss
		return ss
	})
	if err != nil {
		t.Fatal(err)
	}
	var config *tls.Config
	config, s.roots = certificate(t)
	s.wt, err = webtransport.New(s.Server, &webtransport.Options{Addr: "127.0.0.1:0", TLSConfig: config, Path: "/engine.io/"})
	if err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(s.Server)
	t.Cleanup(func() {
		s.Server.Close()
		s.http.Close()
		if err := s.wt.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// certificate makes one such as browsers take by its hash: ECDSA, and valid for
// less than two weeks.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(13 * 24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// session returns the server's side of the next session.
func (s *server) session() *session {
	s.t.Helper()
	return next(s.t, s.sessions, "session")
}

// peer is a WebTransport client with one stream.
type peer struct {
	t       *testing.T
	session *client.Session
	stream  *client.Stream
	in      *bufio.Reader
}

// dial opens a WebTransport session. A refusal has its status.
func (s *server) dial(path string, header http.Header) (*client.Session, int, error) {
	tr := &client.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots, NextProtos: []string{"h3"}},
		QUICConfig:      &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, sess, err := tr.Dial(ctx, "https://"+s.wt.Addr().String()+path, header)
	if err != nil {
		status := 0
		if r != nil {
			status = r.StatusCode
		}
		return nil, status, err
	}
	s.t.Cleanup(func() { _ = sess.CloseWithError(0, "") })
	return sess, r.StatusCode, nil
}

// connect opens a WebTransport session and its stream, and sends nothing.
func (s *server) connect(query string) *peer {
	s.t.Helper()
	sess, _, err := s.dial("/engine.io/?EIO=4&transport=webtransport"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &peer{t: s.t, session: sess}
	if p.stream, err = sess.OpenStream(); err != nil {
		s.t.Fatal(err)
	}
	p.in = bufio.NewReader(p.stream)
	return p
}

type openPacket struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"`
	MaxPayload   int      `json:"maxPayload"`
}

func parseOpen(t *testing.T, packet string) (o openPacket) {
	t.Helper()
	if !strings.HasPrefix(packet, "0") {
		t.Fatalf("open packet %q", packet)
	}
	if err := json.Unmarshal([]byte(packet[1:]), &o); err != nil {
		t.Fatalf("open packet %q: %v", packet, err)
	}
	return o
}

// open opens a session of the engine.
func (s *server) open() (*peer, *session) {
	s.t.Helper()
	p := s.connect("")
	p.send("0")
	data, binary := p.next()
	if binary {
		s.t.Fatalf("open packet is binary: %q", data)
	}
	parseOpen(s.t, data)
	return p, s.session()
}

// frame frames a packet as engine.io-parser does.
func frame(payload string, isBinary bool) []byte {
	var b []byte
	switch n := len(payload); {
	case n < 126:
		b = []byte{byte(n)}
	case n < 65536:
		b = binary.BigEndian.AppendUint16([]byte{126}, uint16(n))
	default:
		b = binary.BigEndian.AppendUint64([]byte{127}, uint64(n))
	}
	if isBinary {
		b[0] |= 0x80
	}
	return append(b, payload...)
}

func (p *peer) raw(b []byte) {
	p.t.Helper()
	if _, err := p.stream.Write(b); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func (p *peer) send(packet string)     { p.t.Helper(); p.raw(frame(packet, false)) }
func (p *peer) sendBinary(data string) { p.t.Helper(); p.raw(frame(data, true)) }

// read returns the next frame.
func (p *peer) read() (data string, isBinary bool, err error) {
	first, err := p.in.ReadByte()
	if err != nil {
		return "", false, err
	}
	n := uint64(first & 0x7f)
	var ext [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(p.in, ext[6:])
		n = binary.BigEndian.Uint64(ext[:])
	case 127:
		_, err = io.ReadFull(p.in, ext[:])
		n = binary.BigEndian.Uint64(ext[:])
	}
	if err != nil {
		return "", false, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(p.in, b)
	return string(b), first&0x80 != 0, err
}

func (p *peer) next() (data string, isBinary bool) {
	p.t.Helper()
	_ = p.stream.SetReadDeadline(time.Now().Add(patience))
	data, isBinary, err := p.read()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return data, isBinary
}

func (p *peer) want(packet string) {
	p.t.Helper()
	if got, isBinary := p.next(); isBinary || got != packet {
		p.t.Fatalf("got %.80q (binary %t), want text %.80q", got, isBinary, packet)
	}
}

func (p *peer) wantBinary(data string) {
	p.t.Helper()
	if got, isBinary := p.next(); !isBinary || got != data {
		p.t.Fatalf("got %.80q (binary %t), want binary %.80q", got, isBinary, data)
	}
}

// wantEnd sees the server end the session with code, whatever comes before, and
// answers pings.
func (p *peer) wantEnd(code client.SessionErrorCode) {
	p.t.Helper()
	_ = p.stream.SetReadDeadline(time.Now().Add(patience))
	for {
		data, _, err := p.read()
		if err == nil {
			if data == "2" {
				p.send("3")
			}
			continue
		}
		// The client closes its connection with the session, and a read may fail for
		// that: how the session ended is told by it.
		_, err = p.session.AcceptStream(p.t.Context())
		var end *client.SessionError
		if !errors.As(err, &end) || !end.Remote || end.ErrorCode != code {
			p.t.Fatalf("session ended with %v (%T), want code %d", err, err, code)
		}
		return
	}
}

// poll opens a polling session and returns its id.
func (s *server) poll() (openPacket, *session) {
	s.t.Helper()
	o := parseOpen(s.t, s.get(""))
	return o, s.session()
}

func (s *server) get(sid string) string { return s.request("GET", sid, "") }

func (s *server) request(method, sid, body string) string {
	s.t.Helper()
	url := fmt.Sprintf("%s/engine.io/?EIO=4&transport=polling", s.http.URL)
	if sid != "" {
		url += "&sid=" + sid
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return ""
	}
	resp, err := s.http.Client().Do(req)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Errorf("%s %s: %d %q %v", method, url, resp.StatusCode, b, err)
	}
	return string(b)
}
