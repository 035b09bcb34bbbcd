package webtransport

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"

	"siomq/server/engine"
)

// session is a webtransport.Session as the engine takes it.
type session struct {
	*webtransport.Session
	closing *sync.WaitGroup // goroutines of Close
	once    sync.Once
}

// AcceptStream implements engine.StreamSession.
func (s *session) AcceptStream(ctx context.Context) (engine.Stream, error) {
	st, err := s.Session.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	return stream{st}, nil
}

// Close implements engine.StreamSession.
func (s *session) Close(code uint32, text string) {
	s.once.Do(func() {
		// CloseWithError waits until the client has been told, for some milliseconds.
		// The handler of the session's request still runs, so closing is not zero.
		s.closing.Go(func() { _ = s.CloseWithError(webtransport.SessionErrorCode(code), text) })
	})
}

// stream is a webtransport.Stream as the engine takes it.
type stream struct{ *webtransport.Stream }

// Read implements engine.Stream.
func (s stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if err != nil && closedInPeace(err) {
		err = io.EOF
	}
	return n, err
}

// Reset implements engine.Stream.
func (s stream) Reset() {
	s.CancelRead(0)
	s.CancelWrite(0)
}

// closedInPeace tells whether err says that the client has closed its session or
// its connection without an error.
func closedInPeace(err error) bool {
	var session *webtransport.SessionError
	if errors.As(err, &session) {
		return session.Remote && session.ErrorCode == 0
	}
	var conn *quic.ApplicationError
	return errors.As(err, &conn) && conn.Remote &&
		(conn.ErrorCode == 0 || conn.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError))
}
