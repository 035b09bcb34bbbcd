package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"siomq/internal/ws"
)

// WebTransport is the name of the transport over HTTP/3. The engine knows no
// HTTP/3: package webtransport brings it.
const WebTransport = "webtransport"

// maxOpenPacket is the most bytes of the packet that a stream begins with. It
// has a session id at most.
const maxOpenPacket = 1 << 10

// OfferWebTransport makes the server announce WebTransport as an upgrade to
// clients that poll, until withdraw is called. It is for those who hand sessions
// to ServeSession. It fails when WebTransport is not among Options.Transports.
func (s *Server) OfferWebTransport() (withdraw func(), err error) {
	if !slices.Contains(s.opts.Transports, WebTransport) {
		return nil, errors.New("engine: option Transports: lacks " + WebTransport)
	}
	s.offers.Add(1)
	return func() { s.offers.Add(-1) }, nil
}

// AdmitSession tells whether r, the CONNECT request of a WebTransport session,
// may become one; otherwise it has answered it. As for a WebSocket,
// Options.CheckOrigin is asked, and for a new session Options.AllowRequest,
// which may block.
func (s *Server) AdmitSession(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	eio, sid := query.Get("EIO"), query.Get("sid")
	switch {
	case !slices.Contains(s.opts.Transports, WebTransport):
		s.reject(w, r, codeUnknownTransport, map[string]any{"transport": WebTransport})
		return false
	case eio != "" && eio != "4": // the reference implementation does not ask for it
		s.reject(w, r, codeUnsupportedProtocol, map[string]any{"protocol": eio})
		return false
	case !s.originAllowed(r):
		s.reject(w, r, codeForbidden, map[string]any{"name": "INVALID_ORIGIN", "origin": r.Header.Get("Origin")})
		return false
	}
	if sid == "" && s.opts.AllowRequest != nil {
		if err := s.opts.AllowRequest(r); err != nil {
			s.reject(w, r, codeForbidden, map[string]any{"message": err.Error()})
			return false
		}
	}
	s.addHeaders(w.Header(), r)
	return true
}

// ServeSession serves a WebTransport session that AdmitSession has let in, until
// it is over. r is its request, of which nothing is kept afterwards. The first
// stream of the client is its transport, the others are refused. A session that
// is refused is closed with the error code that a request would be answered with.
func (s *Server) ServeSession(sess StreamSession, r *http.Request) {
	l := newStreamLink(s, sess)
	if !s.arrive(l) {
		sess.Close(codeBadRequest, "server closed")
		return
	}
	defer s.wg.Done()
	sid, err := l.open(s.opts.UpgradeTimeout)
	s.arrived(l)
	if err != nil {
		s.opts.Logger.Debug("engine: webtransport handshake", zap.Error(err))
		s.refuseSession(l, codeBadRequest)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.wg.Go(func() { l.refuseStreams(ctx) })
	if sid == "" {
		s.openWebTransport(l, r)
	} else {
		s.upgradeToWebTransport(l, sid)
	}
	<-l.closed
}

// open waits for the stream and its first packet, and returns the id of the
// session that is to move to it, "" for a new one.
func (l *streamLink) open(timeout time.Duration) (sid string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	st, err := l.sess.AcceptStream(ctx)
	if err != nil {
		return "", err
	}
	l.use(st)
	setDeadline(l, deadline)
	buf := l.srv.getBuffer()
	defer l.srv.putBuffer(buf)
	op, err := l.next(buf, maxOpenPacket)
	if err != nil {
		return "", err
	}
	setDeadline(l, time.Time{})
	packet := *buf
	if op != ws.Text || len(packet) == 0 || packet[0] != packetOpen {
		return "", errPacket
	}
	if len(packet) == 1 {
		return "", nil
	}
	var data struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(packet[1:], &data); err != nil || data.SID == "" {
		return "", errPacket
	}
	return data.SID, nil
}

// refuseStreams refuses what streams the client opens until ctx ends.
func (l *streamLink) refuseStreams(ctx context.Context) {
	for {
		st, err := l.sess.AcceptStream(ctx)
		if err != nil {
			return
		}
		st.Reset()
	}
}

// openWebTransport opens a session of this server. Section "Handshake".
func (s *Server) openWebTransport(l *streamLink, r *http.Request) {
	if r.URL.Query().Get("sid") != "" {
		// It came in as an upgrade: AllowRequest was not asked.
		s.refuseSession(l, codeBadRequest)
		return
	}
	id, err := s.opts.NewID(r)
	if err != nil || !validID(id) {
		s.opts.Logger.Error("engine: session id", zap.String("id", id), zap.Error(err))
		s.refuseSession(l, codeBadRequest)
		return
	}
	sk := newSocket(s, id)
	sk.req.init(r, 4)
	sk.conn = l
	if !s.open(sk, WebTransport) {
		s.refuseSession(l, codeBadRequest)
		return
	}
	sk.accept()
	sk.Flush()
	sk.readConn(l)
}

// upgradeToWebTransport moves a session that polls to l. Section "Upgrade".
func (s *Server) upgradeToWebTransport(l *streamLink, sid string) {
	s.mu.RLock()
	sk := s.sockets[sid]
	s.mu.RUnlock()
	up := &upgrade{conn: l}
	switch {
	case sk == nil:
		s.refuseSession(l, codeUnknownSID)
	case s.opts.DisableUpgrades, sk.req.Protocol != 4, !sk.beginUpgrade(up):
		s.refuseSession(l, codeBadRequest)
	default:
		s.wg.Add(1)
		sk.runUpgrade(up)
	}
}

func (s *Server) refuseSession(l *streamLink, code int) {
	s.stats.httpErrors[code].Add(1)
	l.end(uint32(code), refusals[code])
}

// arrive registers a WebTransport session that belongs to no session of this
// server yet, and takes a place in wg.
func (s *Server) arrive(l *streamLink) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Add(1)
		s.arriving[l] = struct{}{}
	}
	return !s.closed
}

// arrived is called when l has said what it wants, or is not waited for any
// longer.
func (s *Server) arrived(l *streamLink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.arriving, l)
}
