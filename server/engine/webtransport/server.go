package webtransport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
	"go.uber.org/zap"

	"siomq/server/engine"
)

// Options of a Server.
type Options struct {
	// Addr is the UDP address to listen on, "host:port". Default ":443". Clients
	// expect the port to be that of the HTTP server.
	Addr string
	// TLSConfig has the certificate. Needed: there is no HTTP/3 without one.
	TLSConfig *tls.Config
	// Path that clients connect to. Default "/socket.io/".
	Path string
	// Logger receives what no caller can be told. Nil is silent.
	Logger *zap.Logger
}

const (
	defaultAddr = ":443"
	defaultPath = "/socket.io/"

	// idleTimeout is how long a connection lives on which nothing arrives; the
	// heartbeat of a session is usually faster.
	idleTimeout = 60 * time.Second
	// keepAlive is when QUIC asks for a sign of life, for sessions whose heartbeat
	// is slower than the client's own idle timeout, which is often 30 s.
	keepAlive = 25 * time.Second
	// maxStreams is how many streams of each kind a client may have open. A session
	// takes two, HTTP/3 three unidirectional ones.
	maxStreams = 16
	// maxStreamWindow and maxWindow bound what a client may send ahead of a reader
	// that is busy, in bytes.
	maxStreamWindow = 1 << 20
	maxWindow       = 3 << 19
	// maxHeaderBytes of a request.
	maxHeaderBytes = 16 << 10
	// farewell is how long clients have to close their connections at Close.
	farewell = time.Second
)

// Server listens for WebTransport sessions and hands them to an engine.Server.
type Server struct {
	// Fixed after New.
	engine   *engine.Server
	path     string
	log      *zap.Logger
	udp      *net.UDPConn
	quic     *quic.Transport
	listener *quic.EarlyListener
	wt       *webtransport.Server
	withdraw func()

	conns     sync.WaitGroup // connections, their sessions included
	accepting chan struct{}  // closed when no connection is accepted any longer
	once      sync.Once      // Close
	closeErr  error          // of it
}

// New listens on a UDP port and makes e announce WebTransport to its clients,
// until Close. It fails when WebTransport is not among the transports of e.
func New(e *engine.Server, o *Options) (*Server, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.TLSConfig == nil {
		return nil, errors.New("webtransport: option TLSConfig: missing")
	}
	if opts.Addr == "" {
		opts.Addr = defaultAddr
	}
	if opts.Path == "" {
		opts.Path = defaultPath
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	s := &Server{
		engine: e, path: strings.TrimSuffix(opts.Path, "/"), log: opts.Logger,
		accepting: make(chan struct{}),
	}
	withdraw, err := e.OfferWebTransport()
	if err != nil {
		return nil, fmt.Errorf("webtransport: %w", err)
	}
	if err := s.listen(&opts); err != nil {
		withdraw()
		return nil, fmt.Errorf("webtransport: %w", err)
	}
	s.withdraw = withdraw
	go s.accept()
	return s, nil
}

func (s *Server) listen(o *Options) error {
	addr, err := net.ResolveUDPAddr("udp", o.Addr)
	if err != nil {
		return fmt.Errorf("option Addr: %w", err)
	}
	if s.udp, err = net.ListenUDP("udp", addr); err != nil {
		return fmt.Errorf("option Addr: %w", err)
	}
	s.quic = &quic.Transport{Conn: s.udp}
	h3 := &http3.Server{
		Handler:        http.HandlerFunc(s.serve),
		MaxHeaderBytes: maxHeaderBytes,
		ConnContext:    guardContext,
	}
	s.wt = &webtransport.Server{
		H3:          h3,
		CheckOrigin: func(*http.Request) bool { return true }, // the engine has
	}
	s.listener, err = s.quic.ListenEarly(http3.ConfigureTLSConfig(o.TLSConfig), &quic.Config{
		MaxIdleTimeout:                   idleTimeout,
		KeepAlivePeriod:                  keepAlive,
		MaxIncomingStreams:               maxStreams,
		MaxIncomingUniStreams:            maxStreams,
		MaxStreamReceiveWindow:           maxStreamWindow,
		MaxConnectionReceiveWindow:       maxWindow,
		EnableDatagrams:                  true, // WebTransport does not go without
		EnableStreamResetPartialDelivery: true,
	})
	if err != nil {
		_ = s.quic.Close()
		_ = s.udp.Close()
		return err
	}
	return nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.udp.LocalAddr() }

// accept serves connections until the listener is closed.
func (s *Server) accept() {
	defer close(s.accepting)
	for {
		conn, err := s.listener.Accept(context.Background())
		if err != nil {
			return
		}
		s.conns.Go(func() {
			if err := s.wt.ServeQUICConn(conn); err != nil {
				s.log.Debug("webtransport: connection", zap.Error(err))
				_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeInternalError), "")
			}
		})
	}
}

// serve handles one request. It returns when the session that comes of it is
// over.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.TrimSuffix(r.URL.Path, "/") != s.path:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodConnect:
		http.Error(w, "WebTransport only", http.StatusMethodNotAllowed)
		return
	}
	r.RequestURI = r.URL.RequestURI() // http3 gives that of a plain CONNECT, which has no path
	if !s.engine.AdmitSession(w, r) {
		return
	}
	ws, err := s.wt.Upgrade(w, r)
	if err != nil {
		s.log.Debug("webtransport: handshake", zap.Error(err))
		http.Error(w, "not a WebTransport request", http.StatusBadRequest)
		return
	}
	g := guardOf(r)
	g.enter()
	defer g.leave()
	s.engine.ServeSession(&session{Session: ws, closing: &s.conns}, r)
}

// Close stops listening, gives the connections that are left a second to end,
// and closes them. Sessions are not closed in the protocol's way: that is what
// closing the engine before does. It waits for all goroutines and may be called
// more than once.
func (s *Server) Close() error {
	s.once.Do(func() {
		s.withdraw()
		err := s.listener.Close()
		<-s.accepting
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			s.conns.Wait()
		}()
		late := time.NewTimer(farewell)
		defer late.Stop()
		select {
		case <-gone:
		case <-late.C:
		}
		err = errors.Join(err, s.wt.Close())
		<-gone
		s.closeErr = errors.Join(err, s.quic.Close(), s.udp.Close())
	})
	return s.closeErr
}
