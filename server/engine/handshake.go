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
		s.refuse(req.w, codeBadMethod)
		return
	case req.transport == WebSocket && !req.upgrade:
		s.refuse(req.w, codeBadRequest)
		return
	}
	if s.opts.AllowRequest != nil {
		if err := s.opts.AllowRequest(req.r); err != nil {
			s.refuseWith(req.w, codeForbidden, err.Error())
			return
		}
	}
	if req.eio != "4" {
		s.refuse(req.w, codeUnsupportedProtocol)
		return
	}
	id, err := s.opts.NewID(req.r)
	if err != nil || !validID(id) {
		s.opts.Logger.Error("engine: session id", zap.String("id", id), zap.Error(err))
		s.refuse(req.w, codeBadRequest)
		return
	}
	if s.opts.Cookie != nil {
		req.w.Header().Add("Set-Cookie", s.opts.Cookie.header(id))
	}
	sk := newSocket(s, id)
	sk.req.init(req.r, 4)
	if req.transport == WebSocket {
		s.openWebSocket(req, sk)
	} else {
		s.openPolling(req, sk)
	}
}

func (s *Server) openPolling(req *request, sk *Socket) {
	p := newPoll()
	sk.poll = p
	if !s.open(sk, Polling) {
		s.refuse(req.w, codeBadRequest)
		return
	}
	sk.accept()
	sk.answer(req.w, req.r, p)
}

func (s *Server) openWebSocket(req *request, sk *Socket) {
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
	sk.armLocked(phaseIdle, s.opts.PingInterval)
	return true
}

// openMessage makes the packet that tells the client about its session.
func (s *Server) openMessage(id, transport string) *Message {
	packet := make([]byte, 0, 128)
	packet = append(packet, packetOpen)
	packet = append(packet, `{"sid":"`...)
	packet = append(packet, id...)
	packet = append(packet, `","upgrades":[`...)
	if transport == Polling && !s.opts.DisableUpgrades && slices.Contains(s.opts.Transports, WebSocket) {
		packet = append(packet, `"websocket"`...)
	}
	packet = append(packet, s.openTail...)
	return newControl(packet...)
}

// validID tells whether an id can stand in a URL query, in JSON and in a cookie
// as it is.
func validID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"\&+#%;,=`, c)
	})
}
