package engine

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	// noopDelay is how long a GET that comes during an upgrade is held before it
	// is answered with a noop packet. The client usually completes the upgrade at
	// once, and a GET after that is refused.
	noopDelay = 20 * time.Millisecond
	// firstBody is the size of the buffer that a request body is read into at
	// first, whatever length it announces.
	firstBody = 4 << 10
	// maxKeptBuffer is the largest buffer that goes back to the pool.
	maxKeptBuffer = 64 << 10
	// pollWriteTimeout bounds the writing of one response.
	pollWriteTimeout = 30 * time.Second
)

// poll is one GET that is open.
type poll struct {
	wake chan struct{} // holds one token when there is something to look at; never closed
	form payloadForm   // fixed

	// Guarded by Socket.mu.
	last  *Message // the session is over: answer with this
	stale bool     // the session has moved to WebSocket
	noop  bool     // answer, with a noop packet if there is nothing else
}

func newPoll(form payloadForm) *poll { return &poll{wake: make(chan struct{}, 1), form: form} }

// payloadForm says how packets stand in the answer to a GET.
type payloadForm struct {
	revision3, b64 bool
	call           string // of JSONP
}

func (s *Socket) payloadFormLocked(req *request) payloadForm {
	return payloadForm{s.req.Protocol == revision3, s.b64 || req.call != "", req.call}
}

func (p *poll) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// serveGet handles a GET of the session. Section "Receiving data".
func (s *Socket) serveGet(req *request) {
	w, r := req.w, req.r
	s.expire()
	s.mu.Lock()
	switch {
	case s.state.Load() == stateClosed:
		s.mu.Unlock()
		s.srv.getUnknown(req)
		return
	case s.conn != nil:
		s.mu.Unlock()
		s.refuseStale(w, r)
		return
	case s.poll != nil:
		s.mu.Unlock()
		s.end(ending{reason: TransportError, err: errPollOverlap})
		s.srv.refuse(w, codeBadRequest)
		return
	}
	p := newPoll(s.payloadFormLocked(req))
	s.poll = p
	s.mu.Unlock()
	// http.Server.ReadTimeout would end a long poll: it is meant for requests.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	s.answer(w, r, p)
}

// answer waits until there is something to answer p with, and does.
func (s *Socket) answer(w http.ResponseWriter, r *http.Request, p *poll) {
	for {
		a := s.lookAt(p)
		switch {
		case a.refused:
			s.refuseStale(w, r)
			return
		case a.messages != nil:
			err := s.srv.writePayload(w, r, p.form, a.messages)
			if a.closing {
				s.end(ending{err: err})
			} else if err != nil {
				s.end(ending{reason: TransportError, err: err})
			}
			return
		}
		if !s.wait(r, p, a.upgrading) {
			return
		}
	}
}

// refuseStale refuses a GET of a session that has moved to WebSocket. The two
// connections are not ordered: the answer is held for a moment, so that in the
// client it does not overtake the end of the upgrade.
func (s *Socket) refuseStale(w http.ResponseWriter, r *http.Request) {
	hold := time.NewTimer(noopDelay)
	defer hold.Stop()
	select {
	case <-hold.C:
	case <-r.Context().Done():
	}
	s.srv.refuse(w, codeBadRequest)
}

// wait returns when p should be looked at again. It returns false when the
// client has gone, which ends the session.
func (s *Socket) wait(r *http.Request, p *poll, upgrading bool) bool {
	var noop <-chan time.Time
	if upgrading {
		noop = time.After(noopDelay)
	}
	select {
	case <-p.wake:
	case <-noop:
		s.mu.Lock()
		p.noop = true
		s.mu.Unlock()
	case <-r.Context().Done():
		s.mu.Lock()
		mine := s.poll == p
		if mine {
			s.poll = nil
		}
		s.mu.Unlock()
		if mine {
			s.end(ending{reason: TransportError, err: errPollGone})
		}
		return false
	}
	return true
}

// answering is what a GET is answered with. The zero value: nothing yet.
type answering struct {
	messages  []*Message
	closing   bool // the session is over with this
	refused   bool
	upgrading bool
}

// lookAt takes what p can be answered with. When it takes something, p is no
// longer the poll of the session, except for the last answer of one that is
// closing: nothing must come between that and its end.
func (s *Socket) lookAt(p *poll) answering {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case p.stale:
		return answering{refused: true}
	case p.last != nil:
		return answering{messages: []*Message{p.last}}
	case s.state.Load() == stateClosing && !s.holdsMessageLocked():
		return answering{messages: append(s.takeAllLocked(), closeMessage), closing: true}
	case !s.emptyLocked():
		s.poll = nil
		return answering{messages: s.takeAllLocked()}
	case p.noop:
		s.poll = nil
		return answering{messages: []*Message{noopMessage}}
	}
	return answering{upgrading: s.upgrade != nil && s.upgrade.probed}
}

// holdsMessageLocked tells whether a message of the user is queued. The close
// packet must not come in one answer with it: the official client closes at once
// and handles messages a moment later, when it is no longer connected.
func (s *Socket) holdsMessageLocked() bool {
	return slices.ContainsFunc(s.queue[s.head:], func(m *Message) bool { return !m.control })
}

// takeAllLocked removes everything from the queue.
func (s *Socket) takeAllLocked() []*Message {
	all := make([]*Message, len(s.queue)-s.head, len(s.queue)-s.head+1)
	copy(all, s.queue[s.head:])
	s.popLocked(len(all))
	s.queued = 0
	return all
}

// writePayload answers a GET with messages.
func (s *Server) writePayload(w http.ResponseWriter, r *http.Request, form payloadForm, messages []*Message) error {
	buf := s.getBuffer()
	defer func() { s.putBuffer(buf) }()
	b, contentType := form.appendPayload(*buf, messages)
	*buf = b
	if !slices.ContainsFunc(messages, func(m *Message) bool { return m.verbatim }) {
		packed := s.getBuffer()
		defer func() { s.putBuffer(packed) }()
		b = s.encode(w.Header(), r, b, packed)
	}
	return s.respond(w, r, contentType, b)
}

// Content types of packets in a response.
const (
	payloadType       = "text/plain; charset=UTF-8"
	binaryPayloadType = "application/octet-stream" // revision 3
	scriptPayloadType = "text/javascript; charset=UTF-8"
)

// appendPayload appends messages as the body of a response.
func (f payloadForm) appendPayload(dst []byte, messages []*Message) (body []byte, contentType string) {
	contentType = payloadType
	if f.revision3 {
		var binary bool
		if dst, binary = appendPayload3(dst, messages, f.b64); binary {
			contentType = binaryPayloadType
		}
	} else {
		for i, m := range messages {
			if i > 0 {
				dst = append(dst, separator)
			}
			dst = m.appendPayload(dst)
		}
	}
	if f.call != "" {
		return appendScript(nil, f.call, dst), scriptPayloadType
	}
	return dst, contentType
}

// respond writes a response of status 200, whole, before it returns.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	s.addHeaders(h, r)
	// The deadline replaces one of the http.Server, which counts from the start
	// of a request and so would end long polls.
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(pollWriteTimeout))
	n, err := w.Write(body)
	s.stats.bytesOut.Add(uint64(n))
	if err != nil {
		return err
	}
	if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_ = rc.SetWriteDeadline(time.Time{})
	return nil
}

// post is one POST that is open.
type post struct {
	rc      *http.ResponseController
	reading bool // guarded by Socket.mu: the body is not complete yet
}

// abort ends the reading of the body. The caller holds Socket.mu, and the
// request is still being handled, since it is registered.
func (p *post) abort() {
	if p.reading {
		_ = p.rc.SetReadDeadline(time.Unix(1, 0))
	}
}

// servePost handles a POST of the session. Section "Sending data".
func (s *Socket) servePost(req *request) {
	w, r := req.w, req.r
	p := &post{rc: http.NewResponseController(w), reading: true}
	s.mu.Lock()
	switch {
	case s.state.Load() == stateClosed:
		s.mu.Unlock()
		s.srv.rejectUnknown(req)
		return
	case s.conn != nil:
		s.mu.Unlock()
		s.srv.rejectMismatch(req, WebSocket)
		return
	case s.post != nil:
		s.mu.Unlock()
		s.end(ending{reason: TransportError, err: errPostOverlap})
		s.srv.refuse(w, codeBadRequest)
		return
	}
	s.post = p
	s.mu.Unlock()

	err := s.receive(p, req)

	s.mu.Lock()
	s.post = nil
	over := s.state.Load() == stateClosed
	s.mu.Unlock()
	switch {
	case errors.Is(err, errTooLarge):
		s.srv.stats.tooLarge.Add(1)
		w.Header().Set("Connection", "close") // the rest of the body is not read
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case errors.Is(err, errClientClose):
		_ = s.srv.respond(w, r, "text/html", okBody)
	case err != nil || over:
		w.Header().Set("Connection", "close")
		s.srv.refuse(w, codeBadRequest)
	default:
		// Not text/plain, which old browsers offered to save as a file.
		_ = s.srv.respond(w, r, "text/html", okBody)
	}
}

var okBody = []byte("ok")

// receive reads the body and handles its packets. An error has ended the
// session.
func (s *Socket) receive(p *post, req *request) error {
	r := req.r
	binary := r.Header.Get("Content-Type") == binaryPayloadType
	if binary && s.req.Protocol != revision3 {
		s.end(ending{reason: TransportError, err: errPostBinary})
		return errPostBinary
	}
	buf := s.srv.getBuffer()
	defer func() { s.srv.putBuffer(buf) }()
	body, err := readBody((*buf)[:0], r, s.srv.opts.MaxPayload)
	*buf = body
	s.mu.Lock()
	p.reading = false
	s.mu.Unlock()
	if err != nil {
		s.end(ending{reason: TransportError, err: err})
		return err
	}
	s.srv.stats.bytesIn.Add(uint64(len(body)))
	if req.call != "" {
		body, err = formPayload(body)
	}
	if err == nil {
		err = s.payload(body, binary)
	}
	if err != nil {
		s.end(rejected(err))
	}
	return err
}

// payload handles the packets of a body. Those before a bad one are handled.
func (s *Socket) payload(body []byte, binary bool) error {
	s.recv.Lock()
	defer s.release()
	switch {
	case binary:
		return eachPacketBinary3(body, s.packet3)
	case s.req.Protocol == revision3:
		return eachPacket3(body, s.textPacket3)
	default:
		return eachPacket(body, s.packet)
	}
}

// readBody appends the body of r to buf, which grows with what arrives and not
// with what is announced. It returns errTooLarge for more than limit bytes.
func readBody(buf []byte, r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return buf, errTooLarge
	}
	if cap(buf) < firstBody {
		buf = make([]byte, 0, firstBody)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > limit {
			return buf, errTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
