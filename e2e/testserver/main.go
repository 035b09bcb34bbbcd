// Command testserver is the server that the end-to-end tests talk to: both
// doors on free ports, and events that make it do what a test wants to see. It
// prints its addresses as one line of JSON and ends when its standard input
// does, so that no test leaves it behind.
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

	"siomq/adapter/broker/embedded"
	"siomq/server"
	"siomq/server/engine"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("testserver", flag.ContinueOnError)
	var eng engine.Options
	flags.DurationVar(&eng.PingInterval, "ping-interval", 0, "time between heartbeats, 0: the default")
	flags.DurationVar(&eng.PingTimeout, "ping-timeout", 0, "time to answer a heartbeat, 0: the default")
	flags.IntVar(&eng.MaxPayload, "max-payload", 0, "bytes of one message or POST, 0: the default")
	flags.BoolVar(&eng.AllowEIO3, "allow-eio3", false, "serve clients of Socket.IO 2.x")
	wt := flags.Bool("webtransport", false, "serve WebTransport too, on the UDP port of the same number")
	verbose := flags.Bool("verbose", false, "log what happens, not only what goes wrong")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *wt {
		withWebTransport(&eng)
	}
	log, err := logger(*verbose)
	if err != nil {
		return err
	}
	broker, err := embedded.New(&embedded.Options{Addr: "127.0.0.1:0", Logger: log})
	if err != nil {
		return err
	}
	err = serve(broker, eng, log, stdin, stdout)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return errors.Join(err, broker.Close(ctx))
}

const shutdownTimeout = 10 * time.Second

// serve runs the server on top of broker until stdin ends.
func serve(broker *embedded.Broker, eng engine.Options, log *zap.Logger, stdin io.Reader, stdout io.Writer) error {
	srv, err := server.New(&server.Options{Broker: broker, Engine: eng, Logger: log})
	if err != nil {
		return err
	}
	register(srv)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	addresses := map[string]string{
		"http": "http://" + listener.Addr().String(),
		"mqtt": "mqtt://" + broker.Addr().String(),
	}
	if offersWebTransport(&eng) {
		wt, hash, wtErr := serveWebTransport(srv, listener.Addr(), log)
		if err = wtErr; err == nil {
			defer func() { _ = wt.Close() }() // after Shutdown, which tells its clients
			addresses["certificate"] = hash
		}
	}
	if err == nil {
		err = json.NewEncoder(stdout).Encode(addresses)
	}
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

// logger writes JSON to standard error, every line of it: tests look for some.
func logger(verbose bool) (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	if verbose {
		c.Level.SetLevel(zap.DebugLevel)
	}
	c.Sampling = nil
	c.DisableStacktrace = true
	return c.Build()
}
