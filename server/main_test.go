package server_test

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"siomq/internal/siotest"
	"siomq/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server on a port of its own until the test ends, and returns it with
// its address. Every socket acknowledges "echo" with its arguments.
func start(t testing.TB, o *server.Options) (*server.Server, string) {
	t.Helper()
	if o == nil {
		o = &server.Options{}
	}
	if o.Logger == nil {
		o.Logger = zaptest.NewLogger(t, zaptest.Level(zap.InfoLevel))
	}
	io, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- io.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			stacks := make([]byte, 1<<20)
			t.Errorf("shutdown: %v\n%s", err, stacks[:runtime.Stack(stacks, true)])
		}
		if err := <-served; err != server.ErrServerClosed {
			t.Errorf("Serve = %v, want ErrServerClosed", err)
		}
	})
	return io, "http://" + l.Addr().String()
}

func echo(s *server.Socket) {
	s.On("echo", func(e *server.Event) { _ = e.Ack(e.Args()) })
}

// receive returns the next value of a channel.
func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(siotest.Deadline):
		t.Fatal("nothing within the deadline")
		panic("unreachable")
	}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(siotest.Deadline)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within the deadline: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
