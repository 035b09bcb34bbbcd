package webtransport

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	// firstSession is how long a connection may take to have a session.
	firstSession = 10 * time.Second
	// lastSession is how long a client has to close its connection when it has no
	// session any longer.
	lastSession = time.Second
)

// guard closes a connection that has no session: QUIC itself keeps it alive.
type guard struct {
	timer *time.Timer

	mu       sync.Mutex
	sessions int // guarded by mu
}

type guardKey struct{}

// guardContext adds a guard to the context of a connection.
func guardContext(ctx context.Context, conn *quic.Conn) context.Context {
	g := &guard{}
	g.timer = time.AfterFunc(firstSession, func() {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "no session")
	})
	context.AfterFunc(conn.Context(), func() { g.timer.Stop() })
	return context.WithValue(ctx, guardKey{}, g)
}

func guardOf(r *http.Request) *guard {
	g, _ := r.Context().Value(guardKey{}).(*guard)
	return g
}

func (g *guard) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions++
	g.timer.Stop()
}

func (g *guard) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions--; g.sessions == 0 {
		g.timer.Reset(lastSession)
	}
}
