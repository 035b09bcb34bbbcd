package server_test

import (
	"errors"
	"testing"

	"siomq/internal/siotest"
	"siomq/server"
	"siomq/server/packet"
)

// A client may ask for the namespace again as soon as it knows that it is not in it. It was taken
// for one that asks twice, and lost its connection, when it was faster than the server's own
// notes. Each test goes round often enough to be faster at times.
const rounds = 500

func TestConnectAgainAfterRefusal(t *testing.T) {
	io, url := start(t, nil)
	io.Use(func(*server.Socket) error { return errors.New("not yet") })
	c := siotest.Dial(t, url)
	for range rounds {
		if p := c.Ask("/", nil); p.Type != packet.ConnectError {
			t.Fatalf("got %s %s, want the refusal", p.Type, p.Data)
		}
	}
}

func TestConnectAgainAfterServerDisconnect(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(func(s *server.Socket) {
		s.On("kick", func(*server.Event) { s.Disconnect() })
	})
	c := siotest.Dial(t, url)
	for range rounds {
		c.Connect("/")
		c.Emit("/", "kick")
		if p := c.Next(); p.Type != packet.Disconnect {
			t.Fatalf("got %s %q, want DISCONNECT", p.Type, p.Event)
		}
	}
}
