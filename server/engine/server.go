package engine

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"siomq/internal/ws"
)

// Server is an http.Handler that speaks Engine.IO on whatever path it is
// mounted at.
type Server struct {
	// Fixed after New.
	opts     Options
	onSocket func(*Socket) Handler
	start    time.Time
	openTail []byte // the end of the open packet, after the upgrades

	stats    counters
	buffers  sync.Pool // of *[]byte
	encoders encoders
	offers   atomic.Int32 // how many serve WebTransport

	// wg counts the requests being handled, the sessions that are open (until
	// their Handler.Close has returned), and the goroutines of WebSockets. It only
	// grows while closed is false, or by someone who has a place already.
	wg sync.WaitGroup

	mu       sync.RWMutex
	sockets  map[string]*Socket       // open or closing; guarded by mu
	leaving  map[*Socket]struct{}     // over, with a WebSocket that is not closed yet; guarded by mu
	arriving map[*streamLink]struct{} // WebTransport sessions that have not said what they want yet; guarded by mu
	tombs    map[string]*time.Timer   // ids of sessions that their client closed a moment ago; guarded by mu
	closed   bool                     // guarded by mu
}

const (
	// tombTime is how long a GET is still answered after its client has closed
	// the session by a POST: the two may overtake each other on their way.
	tombTime = 250 * time.Millisecond
	// shutdownTimeout is what clients get in place of CloseTimeout when the
	// server closes.
	shutdownTimeout = time.Second
)

// New makes a server. accept is called for each new session, before any message
// of it is handled; it may already send, and the client receives that after the
// "open" packet. It may block, which delays that session only. When it returns
// nil, the session is closed. o may be nil.
func New(o *Options, accept func(*Socket) Handler) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts:     opts,
		onSocket: accept,
		start:    time.Now(),
		sockets:  make(map[string]*Socket),
		leaving:  make(map[*Socket]struct{}),
		arriving: make(map[*streamLink]struct{}),
		tombs:    make(map[string]*time.Timer),
	}
	tail := append([]byte(nil), `],"pingInterval":`...)
	tail = strconv.AppendInt(tail, opts.PingInterval.Milliseconds(), 10)
	tail = append(tail, `,"pingTimeout":`...)
	tail = strconv.AppendInt(tail, opts.PingTimeout.Milliseconds(), 10)
	tail = append(tail, `,"maxPayload":`...)
	tail = strconv.AppendInt(tail, int64(opts.MaxPayload), 10)
	s.openTail = append(tail, '}')
	return s, nil
}

// now is the time on the clock of the server's sessions.
func (s *Server) now() time.Duration { return time.Since(s.start) }

// ServeHTTP handles every request of the protocol, whatever its path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "server closed", http.StatusServiceUnavailable)
		return
	}
	defer s.wg.Done()
	if s.opts.CORS.handle(w, r) {
		return
	}
	query := r.URL.Query()
	req := request{
		w: w, r: r, eio: query.Get("EIO"), sid: query.Get("sid"),
		transport: query.Get("transport"), upgrade: wantsWebSocket(r), b64: query.Get("b64") != "",
	}
	script := req.transport == Polling && query.Has("j")
	if script {
		req.call = jsonpCall(query.Get("j"))
		setScriptHeaders(w.Header())
	}
	switch {
	case req.transport == WebTransport, !slices.Contains(s.opts.Transports, req.transport):
		s.reject(w, r, codeUnknownTransport, map[string]any{"transport": req.transport})
	case req.upgrade && req.transport != WebSocket, script && req.call == "":
		s.reject(w, r, codeBadRequest, map[string]any{"name": "TRANSPORT_HANDSHAKE_ERROR"})
	case req.upgrade && !s.originAllowed(r), script && !s.scriptAllowed(r):
		s.reject(w, r, codeForbidden, map[string]any{"name": "INVALID_ORIGIN", "origin": r.Header.Get("Origin")})
	case req.sid == "":
		s.handshake(&req)
	default:
		s.existing(&req)
	}
}

// request is a request of the protocol with its parameters, section "Query
// parameters".
type request struct {
	w              http.ResponseWriter
	r              *http.Request
	eio            string
	sid, transport string
	upgrade        bool   // it asks for a WebSocket
	b64            bool   // the client takes no bytes, revision 3
	call           string // JSONP: the beginning of the script that is the answer
}

func wantsWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// existing handles a request of a session.
func (s *Server) existing(req *request) {
	s.mu.RLock()
	sk := s.sockets[req.sid]
	s.mu.RUnlock()
	switch {
	case sk == nil && req.r.Method == http.MethodGet && !req.upgrade:
		s.getUnknown(req)
	case sk == nil:
		s.rejectUnknown(req)
	case req.upgrade:
		s.serveUpgrade(req, sk)
	case req.transport != Polling:
		s.rejectMismatch(req, sk.Transport())
	case req.r.Method == http.MethodGet:
		sk.serveGet(req)
	case req.r.Method == http.MethodPost:
		sk.servePost(req)
	default:
		s.refuse(req.w, codeBadRequest)
	}
}

// serveUpgrade opens a WebSocket for a session that exists. One that the
// session cannot use is closed once it is open, since a client is told more by
// that than by a failed handshake.
func (s *Server) serveUpgrade(req *request, sk *Socket) {
	if s.opts.DisableUpgrades {
		s.refuse(req.w, codeBadRequest)
		return
	}
	s.addHeaders(req.w.Header(), req.r)
	conn, err := ws.Upgrade(req.w, req.r, s.upgradeOptions())
	if err != nil {
		s.opts.Logger.Debug("engine: websocket handshake", zap.Error(err))
		return
	}
	up := &upgrade{conn: conn, b64: req.b64}
	if !sk.beginUpgrade(up) {
		refuseConn(conn)
		return
	}
	s.wg.Add(1)
	go sk.runUpgrade(up)
}

// enter takes a place in wg for a request.
func (s *Server) enter() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.closed {
		s.wg.Add(1)
	}
	return !s.closed
}

// add registers a new session and takes its place in wg.
func (s *Server) add(sk *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.sockets[sk.id] != nil {
		return false
	}
	s.sockets[sk.id] = sk
	s.wg.Add(1)
	s.stats.opened.Add(1)
	return true
}

// forget removes a session that is over. With bury, a GET that its client has
// already sent is still answered.
func (s *Server) forget(sk *Socket, bury bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, sk.id)
	if bury && !s.closed {
		s.tombs[sk.id] = time.AfterFunc(tombTime, func() { s.exhume(sk.id) })
	}
}

// linger gives the client of a session that is over its time to close the
// WebSocket, which Close can cut short.
func (s *Server) linger(sk *Socket, conn link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving[sk] = struct{}{}
	wait := s.opts.CloseTimeout
	if s.closed {
		wait = min(wait, shutdownTimeout)
	}
	// Under mu, so that Close cannot come between and be undone.
	setDeadline(conn, time.Now().Add(wait))
}

func setDeadline(conn link, t time.Time) {
	// They fail on a closed connection only, which needs none.
	_ = conn.SetReadDeadline(t)
	_ = conn.SetWriteDeadline(t)
}

// lingered: the WebSocket is closed.
func (s *Server) lingered(sk *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leaving, sk)
}

// exhume forgets a tombstone and tells whether there was one.
func (s *Server) exhume(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tombs[id]
	if t != nil {
		t.Stop()
		delete(s.tombs, id)
	}
	return t != nil
}

// getUnknown answers a GET of a session that is not there.
func (s *Server) getUnknown(req *request) {
	if s.exhume(req.sid) {
		form := payloadForm{s.opts.revision(req.eio) == revision3, true, req.call}
		_ = s.writePayload(req.w, req.r, form, []*Message{noopMessage})
		return
	}
	s.rejectUnknown(req)
}

// Len is the number of open sessions.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.sockets)
}

// Stats returns the counters of the server since New.
func (s *Server) Stats() Stats { return s.stats.snapshot() }

// Close closes all sessions (reason ForcedClose), gives their clients a second
// to take what is queued, refuses new ones, and waits for all goroutines, calls
// of Handler included. It must not be called from a Handler.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	open := make([]*Socket, 0, len(s.sockets))
	for _, sk := range s.sockets {
		open = append(open, sk)
	}
	leaving := make([]*Socket, 0, len(s.leaving))
	for sk := range s.leaving {
		leaving = append(leaving, sk)
	}
	arriving := slices.Collect(maps.Keys(s.arriving))
	for id, t := range s.tombs {
		t.Stop()
		delete(s.tombs, id)
	}
	s.mu.Unlock()

	wait := min(shutdownTimeout, s.opts.CloseTimeout)
	for _, sk := range open {
		sk.close(ForcedClose, wait)
		sk.hurry(wait)
	}
	deadline := time.Now().Add(wait)
	for _, sk := range leaving {
		setDeadline(sk.conn, deadline)
	}
	for _, l := range arriving {
		_ = l.Close()
	}
	s.wg.Wait()
}

// getBuffer returns an empty buffer, to be given back with putBuffer.
func (s *Server) getBuffer() *[]byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (s *Server) putBuffer(b *[]byte) {
	if b == nil || cap(*b) > maxKeptBuffer {
		return
	}
	*b = (*b)[:0]
	s.buffers.Put(b)
}

// Error codes of the protocol, as the reference implementation sends them
// (https://socket.io/docs/v4/server-api/#event-connection_error).
const (
	codeUnknownTransport = iota
	codeUnknownSID
	codeBadMethod
	codeBadRequest
	codeForbidden
	codeUnsupportedProtocol
)

// refusals are the texts of the error codes.
var refusals = [...]string{
	codeUnknownTransport:    "Transport unknown",
	codeUnknownSID:          "Session ID unknown",
	codeBadMethod:           "Bad handshake method",
	codeBadRequest:          "Bad request",
	codeForbidden:           "Forbidden",
	codeUnsupportedProtocol: "Unsupported protocol version",
}

// refuse answers a request with an error code.
func (s *Server) refuse(w http.ResponseWriter, code int) {
	s.refuseWith(w, code, refusals[code])
}

func (s *Server) refuseWith(w http.ResponseWriter, code int, message string) {
	s.stats.httpErrors[code].Add(1)
	status := http.StatusBadRequest
	if code == codeForbidden {
		status = http.StatusForbidden
	}
	body, _ := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
