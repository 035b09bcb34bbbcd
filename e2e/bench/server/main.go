// Command server is siomq as the benchmark measures it: both doors, and the
// handlers that every peer in e2e/peers has too.
//
//	join(room, ack)     the socket joins a room
//	pub(payload)        msg(payload) to the room bench
//	echo(payload, ack)  the payload comes back
//
// A publish by an MQTT client to sio/main/room/bench/msg is such a msg, and
// MQTT clients subscribe to it by the same name. It runs until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"syscall"
	"time"

	"siomq/adapter/broker/embedded"
	"siomq/rooms"
	"siomq/server"
)

const shutdownTimeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:3000", "address of the Socket.IO door")
	mqtt := flags.String("mqtt", "", "address of the MQTT door; empty: none")
	profile := flags.String("pprof", "", "address of net/http/pprof; empty: none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		listener, err := net.Listen("tcp", *profile)
		if err != nil {
			return err
		}
		defer listener.Close()
		go func() { _ = http.Serve(listener, nil) }() // ends with the listener
	}
	options := &server.Options{}
	if *mqtt != "" {
		broker, err := embedded.New(&embedded.Options{Addr: *mqtt})
		if err != nil {
			return err
		}
		defer func() { _ = broker.Close(context.Background()) }()
		options.Broker = broker
	}
	io, err := server.New(options)
	if err != nil {
		return err
	}
	register(io)
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- io.Serve(listener) }()
	select {
	case <-ctx.Done():
	case err := <-served:
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err = io.Shutdown(ctx)
	if serveErr := <-served; !errors.Is(serveErr, server.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// register adds the handlers. Payloads are relayed as they came, as a user
// would who does not look into them.
func register(io *server.Server) {
	io.OnConnection(func(s *server.Socket) {
		server.Handle(s, "join", func(e *server.Event, room rooms.Room) {
			if err := s.Join(room); err == nil {
				_ = e.Ack() // a client that is gone needs none
			}
		})
		s.On("pub", func(e *server.Event) {
			_ = io.To("bench").Emit("msg", e.Arg(0))
		})
		s.On("echo", func(e *server.Event) {
			_ = e.Ack(e.Arg(0))
		})
	})
}
