package engine

import (
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"siomq/internal/ws"
)

// handshake opens a session. Section "Handshake".
func (s *Server) handshake(req *request) {
	switch {
	case req.r.Method != http.MethodGet:
		s.reject(req.w, req.r, codeBadMethod, map[string]any{"method": req.r.Method})
		return
	case req.transport == WebSocket && !req.upgrade:
		s.reject(req.w, req.r, codeBadRequest, map[string]any{"name": "TRANSPORT_HANDSHAKE_ERROR"})
		return
	}
	if s.opts.AllowRequest != nil {
		if err := s.opts.AllowRequest(req.r); err != nil {
			s.reject(req.w, req.r, codeForbidden, map[string]any{"message": err.Error()})
			return
		}
	}
	protocol := s.opts.revision(req.eio)
	if protocol == 0 {
		s.reject(req.w, req.r, codeUnsupportedProtocol, map[string]any{"protocol": req.eio})
		return
	}
	id, err := s.opts.NewID(req.r)
	if err != nil || !validID(id) {
		s.opts.Logger.Error("engine: session id", zap.String("id", id), zap.Error(err))
		s.reject(req.w, req.r, codeBadRequest, map[string]any{"name": "ID_GENERATION_ERROR", "error": err})
		return
	}
	if s.opts.Cookie != nil {
		req.w.Header().Add("Set-Cookie", s.opts.Cookie.header(id))
	}
	sk := newSocket(s, id)
	sk.req.init(req.r, protocol)
	sk.b64 = req.b64
	if req.transport == WebSocket {
		s.openWebSocket(req, sk)
	} else {
		s.openPolling(req, sk)
	}
}

func (s *Server) openPolling(req *request, sk *Socket) {
	p := newPoll(sk.payloadFormLocked(req))
	sk.poll = p
	if !s.open(sk, Polling) {
		s.refuse(req.w, codeBadRequest)
		return
	}
	sk.accept()
	sk.answer(req.w, req.r, p)
}

func (s *Server) openWebSocket(req *request, sk *Socket) {
	s.addHeaders(req.w.Header(), req.r)
	conn, err := ws.Upgrade(req.w, req.r, s.upgradeOptions())
	if err != nil {
		s.opts.Logger.Debug("engine: websocket handshake", zap.Error(err))
		return
	}
	sk.conn = conn
	if !s.open(sk, WebSocket) {
		refuseConn(conn)
		return
	}
	sk.accept()
	sk.Flush()
	// A goroutine of its own has a small stack, and net/http lets go of what it
	// holds for the request when this one returns.
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		sk.readConn(conn)
	}()
}

// open registers a new session and queues its open packet. It returns false
// when the id is in use or the server is closed.
func (s *Server) open(sk *Socket, transport string) bool {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.pushLocked(s.openMessage(sk.id, transport))
	if !s.add(sk) {
		s.opts.Logger.Warn("engine: session id in use, or server closed", zap.String("id", sk.id))
		return false
	}
	if sk.req.Protocol == revision3 {
		sk.armLocked(phaseClient, s.opts.PingInterval+s.opts.PingTimeout)
	} else {
		sk.armLocked(phaseIdle, s.opts.PingInterval)
	}
	return true
}

// openMessage makes the packet that tells the client about its session.
func (s *Server) openMessage(id, transport string) *Message {
	packet := make([]byte, 0, 128)
	packet = append(packet, packetOpen)
	packet = append(packet, `{"sid":"`...)
	packet = append(packet, id...)
	packet = append(packet, `","upgrades":[`...)
	if transport == Polling && !s.opts.DisableUpgrades {
		packet = s.appendUpgrades(packet)
	}
	packet = append(packet, s.openTail...)
	return newControl(packet...)
}

// appendUpgrades appends what a session that polls can be upgraded to.
func (s *Server) appendUpgrades(dst []byte) []byte {
	offered := s.offers.Load() > 0 // OfferWebTransport has checked Transports
	if slices.Contains(s.opts.Transports, WebSocket) {
		dst = append(dst, `"websocket"`...)
		if offered {
			dst = append(dst, ',')
		}
	}
	if offered {
		dst = append(dst, `"webtransport"`...)
	}
	return dst
}

// validID tells whether an id can stand in a URL query, in JSON and in a cookie
// as it is.
func validID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"\&+#%;,=`, c)
	})
}
