// Command conformance is the server that the public conformance suites of the
// Engine.IO and Socket.IO protocols are run against.
//
// In mode eio it speaks Engine.IO on /engine.io/ and sends every message back.
// In mode sio it speaks Socket.IO on /socket.io/, in the namespaces / and
// /custom: a socket is sent auth with the auth object of its handshake, message
// is answered by message-back with the same arguments, and message-with-ack is
// acknowledged with its arguments.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"

	"siomq/server"
	"siomq/server/engine"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:3000", "TCP `address` to listen at")
	mode := flags.String("mode", "sio", "protocol to serve: sio or eio")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	serving := map[string]func(*zap.Logger) (http.Handler, func(), error){"eio": echo, "sio": rooms}[*mode]
	if serving == nil {
		return fmt.Errorf("mode %q: must be sio or eio", *mode)
	}
	handler, closeAll, err := serving(logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	return serve(listener, handler, closeAll)
}

// serve runs until the process is told to stop.
func serve(l net.Listener, h http.Handler, closeAll func()) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	closeAll()
	err := srv.Close()
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// options are those that the suites expect.
func options(logger *zap.Logger) engine.Options {
	return engine.Options{
		PingInterval: 300 * time.Millisecond,
		PingTimeout:  200 * time.Millisecond,
		MaxPayload:   1_000_000,
		CORS:         &engine.CORS{Origins: []string{"*"}},
		Logger:       logger,
	}
}

// rooms is the server of mode sio.
func rooms(logger *zap.Logger) (http.Handler, func(), error) {
	io, err := server.New(&server.Options{
		Engine: options(logger), ConnectTimeout: time.Second, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	for _, n := range []*server.Namespace{io.Namespace, io.Of("/custom")} {
		n.OnConnection(func(s *server.Socket) {
			auth := s.Handshake().Auth
			if auth == nil {
				auth = json.RawMessage("{}")
			}
			// An error here or below means that the client is gone.
			_ = s.Emit("auth", auth)
			s.On("message", func(e *server.Event) { _ = s.Emit("message-back", e.Args()) })
			s.On("message-with-ack", func(e *server.Event) { _ = e.Ack(e.Args()) })
		})
	}
	closeAll := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			logger.Warn("shutdown", zap.Error(err))
		}
	}
	return io, closeAll, nil
}

// echo is the server of mode eio.
func echo(logger *zap.Logger) (http.Handler, func(), error) {
	o := options(logger)
	srv, err := engine.New(&o, func(s *engine.Socket) engine.Handler { return echoer{s} })
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", srv)
	return mux, srv.Close, nil
}

type echoer struct{ socket *engine.Socket }

func (e echoer) Message(data []byte, binary bool) {
	// An error means that the session is over, of which Close is told.
	_ = e.socket.Send(engine.NewMessage(engine.Part{Data: data, Binary: binary}))
}

func (e echoer) Close(engine.Reason, error) {}
