package siotest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"siomq/server/packet"
)

// Serve answers HTTP on a port of its own until the test ends, and returns its
// address. shutdown, of the Socket.IO server in h, is called first then: an
// HTTP server waits for nobody who has a WebSocket.
func Serve(t testing.TB, h http.Handler, shutdown func(context.Context) error) string {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Deadline)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		web.Close()
	})
	return web.URL
}

// Ask asks for a namespace with these credentials, nil for none, and returns the
// answer: a CONNECT or a CONNECT_ERROR packet.
func (c *Client) Ask(namespace string, auth any) *packet.Packet {
	c.t.Helper()
	p := &packet.Packet{Type: packet.Connect, Namespace: namespace}
	if auth != nil {
		var err error
		if p.Data, err = json.Marshal(auth); err != nil {
			c.t.Fatalf("ask for %q: %v", namespace, err)
		}
	}
	c.Send(p)
	return c.Next()
}
