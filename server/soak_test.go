package server_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"siomq/internal/siotest"
	"siomq/server"
)

var soak = flag.Duration("soak", 2*time.Second, "how long TestSoak goes on")

// TestSoak has 500 sockets join, leave, emit and disconnect at once. Nothing is left
// behind: no socket, no room, and (TestMain) no goroutine. `make soak` runs it for a minute.
func TestSoak(t *testing.T) {
	const sockets = 500
	io, url := start(t, nil)
	var connected, disconnected atomic.Int64
	io.OnConnection(func(s *server.Socket) {
		connected.Add(1)
		echo(s)
		server.Handle(s, "join", func(_ *server.Event, room string) { _ = s.Join(room) })
		server.Handle(s, "leave", func(_ *server.Event, room string) { s.Leave(room) })
		server.Handle(s, "to", func(_ *server.Event, room string) { _ = s.To(room).Emit("news", room) })
		s.On("bye", func(*server.Event) { s.Disconnect(server.CloseConnection) })
		s.OnDisconnect(func(string) { disconnected.Add(1) })
	})
	end := time.Now().Add(*soak)
	var wg sync.WaitGroup
	for n := range sockets {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			for time.Now().Before(end) {
				soakOnce(t, url, rng)
			}
		})
	}
	stop := make(chan struct{})
	var broadcaster sync.WaitGroup
	broadcaster.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_ = io.To(fmt.Sprint("room", rand.IntN(20))).Emit("news", "from the server")
			}
		}
	})
	wg.Wait()
	close(stop)
	broadcaster.Wait()
	until(t, "every socket is gone", func() bool { return io.Connections() == 0 && len(io.Sockets()) == 0 })
	until(t, "every disconnect was told, once", func() bool { return disconnected.Load() == connected.Load() })
	if left := io.Rooms(); len(left) != 0 {
		t.Errorf("rooms left behind: %q", left)
	}
	t.Logf("%d sockets in %v", connected.Load(), *soak)
}

// soakOnce is one life of one socket.
func soakOnce(t *testing.T, url string, rng *rand.Rand) {
	c := siotest.Dial(t, url)
	defer c.Close()
	c.Connect("/")
	room := fmt.Sprint("room", rng.IntN(20))
	for range rng.IntN(10) {
		switch rng.IntN(4) {
		case 0:
			c.Emit("/", "join", room)
		case 1:
			c.Emit("/", "leave", room)
		default:
			c.Emit("/", "to", room)
		}
	}
	switch rng.IntN(3) {
	case 0:
		c.Emit("/", "bye")
		c.Closed()
	case 1:
		c.Raw("41")
	}
}
