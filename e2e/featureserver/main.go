// Command featureserver is the server that the end-to-end tests of the
// documented features talk to: its options are one JSON object, the argument
// -options, so that each test can have the server it is about. Events make it do
// what a test wants to see, and it keeps a journal of what only a server can
// see. It prints its address as one line of JSON and ends when its standard
// input does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"go.uber.org/zap"

	"siomq/server"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "featureserver:", err)
		os.Exit(1)
	}
}

const shutdownTimeout = 10 * time.Second

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("featureserver", flag.ContinueOnError)
	text := flags.String("options", "{}", "what the server should be like, see type settings")
	if err := flags.Parse(args); err != nil {
		return err
	}
	j := new(journal)
	opts, err := parseSettings(*text, j)
	if err != nil {
		return err
	}
	if opts.Logger, err = logger(); err != nil {
		return err
	}
	srv, err := server.New(opts)
	if err != nil {
		return err
	}
	register(srv, j, opts.Logger)
	return serve(srv, stdin, stdout)
}

// serve runs srv on a free port until stdin ends.
func serve(srv *server.Server, stdin io.Reader, stdout io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	err = json.NewEncoder(stdout).Encode(map[string]string{"http": "http://" + listener.Addr().String()})
	if err == nil {
		_, err = io.Copy(io.Discard, stdin)
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(ctx))
	if serveErr := <-served; !errors.Is(serveErr, server.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// logger writes JSON to standard error.
func logger() (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	c.Sampling = nil
	c.DisableStacktrace = true
	return c.Build()
}
