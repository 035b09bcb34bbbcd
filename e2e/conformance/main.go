// Command conformance is the server that the public conformance suites of the
// Engine.IO and Socket.IO protocols are run against.
//
// In mode eio it speaks Engine.IO on /engine.io/ and sends every message back.
package main

import (
	"context"
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
	mode := flags.String("mode", "eio", "protocol to serve: eio")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	if *mode != "eio" {
		return fmt.Errorf("mode %q: only eio is there", *mode)
	}
	handler, closeAll, err := echo(logger)
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

// echo is the server of mode eio.
func echo(logger *zap.Logger) (http.Handler, func(), error) {
	srv, err := engine.New(&engine.Options{
		PingInterval: 300 * time.Millisecond,
		PingTimeout:  200 * time.Millisecond,
		MaxPayload:   1_000_000,
		CORS:         &engine.CORS{Origins: []string{"*"}},
		Logger:       logger,
	}, func(s *engine.Socket) engine.Handler { return echoer{s} })
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
